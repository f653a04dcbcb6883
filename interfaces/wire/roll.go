package wire

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// The bounds on what one membership may name. Nothing beyond them is kept, so that it
// ends with its process, and what only an earlier process knew makes room.
const (
	maxRoll = 100_000 // members; neighbours as well
	perEnds = 2       // times as many, of whose lives the last event is remembered
	perLoud = 4       // times as many members and events before it has started
)

// Roll is the host's copy of what a membership in another process knows. It is read
// without asking anybody and outlives processes: what one knew that has ended stands
// still until the next one says otherwise. It tells each event once, also where a new
// process tells again what the one before has told. Safe for concurrent use.
type Roll struct {
	self name.Node
	emit func(membership.Event)
	most int // maxRoll, but for tests

	mu       sync.Mutex
	source   *Membership // whose picture counts
	members  map[name.Node]membership.Member
	view     membership.View
	list     []membership.Member            // members, sorted; nil: to be made anew
	told     map[name.Node]membership.Event // the last member event of each
	near     map[name.Node]bool             // neighbours of which PeerUp was told
	mood     map[membership.EventType]bool  // the last of Isolated and Connected, of Partitioned and Healed
	stale    map[name.Node]bool             // members that only an earlier process knew
	pending  []membership.Event
	speaking bool               // somebody emits what is pending
	parted   map[name.Node]bool // neighbours that only an earlier process had
}

// change is one change of the picture with the events that it brings.
type change struct {
	members []membership.Member
	gone    []name.Node
	view    *membership.View // nil: as before
	events  []membership.Event
}

// size is how much is in it.
func (c *change) size() int { return len(c.members) + len(c.gone) + len(c.events) }

// NewRoll makes an empty roll for a node. emit is called in the order of the events.
func NewRoll(self name.Node, emit func(membership.Event)) *Roll {
	return &Roll{
		self: self, emit: emit, most: maxRoll, members: map[name.Node]membership.Member{}, told: map[name.Node]membership.Event{},
		near: map[name.Node]bool{}, mood: map[membership.EventType]bool{}, stale: map[name.Node]bool{}, parted: map[name.Node]bool{},
	}
}

// Members reads memory; see membership.Plugin.
func (r *Roll) Members() []membership.Member {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.list == nil {
		r.list = slices.SortedFunc(maps.Values(r.members), func(a, b membership.Member) int { return a.Node.Compare(b.Node) })
	}
	return slices.Clone(r.list)
}

// View reads memory; see membership.Plugin. Neighbours of an earlier process are among
// the active ones until the new one had its time.
func (r *Roll) View() membership.View {
	r.mu.Lock()
	defer r.mu.Unlock()
	near := setOf(r.view.Active)
	maps.Copy(near, r.parted)
	passive := slices.DeleteFunc(slices.Clone(r.view.Passive), func(n name.Node) bool { return near[n] })
	return membership.View{Active: slices.SortedFunc(maps.Keys(near), name.Node.Compare), Passive: passive}
}

func setOf(nodes []name.Node) map[name.Node]bool {
	set := make(map[name.Node]bool, len(nodes))
	for _, node := range nodes {
		set[node] = true
	}
	return set
}

// Stale is how many members are known, and how many neighbours there are, because an
// earlier process said so.
func (r *Roll) Stale() (members, neighbours int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.stale), len(r.parted)
}

// counts reports whether a source is the one whose picture counts, or may become it.
func (r *Roll) counts(source *Membership) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !source.passed
}

// adopt has the picture of a source count from now on, in place of that of another.
func (r *Roll) adopt(source *Membership) error {
	defer r.flush()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.source == source {
		return nil
	}
	if r.source != nil {
		r.source.passed = true
		r.doubt()
	}
	r.source = source
	early := source.early
	source.early = nil
	for i := range early {
		if err := r.take(&early[i]); err != nil {
			return err
		}
	}
	return nil
}

// lost: the process of a source has ended, or does not tell any more.
func (r *Roll) lost(source *Membership) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.source == source {
		r.doubt()
	}
}

// doubt makes everything stale. The caller holds mu.
func (r *Roll) doubt() {
	for node := range r.members {
		r.stale[node] = node != r.self
	}
	delete(r.stale, r.self)
	for node := range r.near {
		r.parted[node] = true
	}
}

// apply takes what a source told. Of one that is not adopted yet it waits.
func (r *Roll) apply(source *Membership, c change) error {
	defer r.flush()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case source.passed:
		return nil
	case r.source == source:
		return r.take(&c)
	case len(source.early) >= maxTold || source.loud+c.size() > perLoud*r.most:
		return malformed("more than %d changes, or %d members, before it has started", maxTold, perLoud*r.most)
	}
	source.loud += c.size()
	source.early = append(source.early, c)
	return nil
}

// take applies a change, and nothing that it adds if there is too much in it. The caller holds mu.
func (r *Roll) take(c *change) error {
	for _, node := range c.gone {
		if !r.stale[node] {
			delete(r.members, node)
		}
	}
	r.list = nil
	if err := r.makeRoom(c); err != nil {
		return err
	}
	for _, m := range c.members {
		r.members[m.Node] = m
		delete(r.stale, m.Node)
	}
	if c.view != nil {
		r.view = *c.view
	}
	for i := range c.events {
		r.tell(&c.events[i])
	}
	return nil
}

// makeRoom has what only an earlier process knew make room for a change, and what has
// ended for what is to be remembered. The caller holds mu.
func (r *Roll) makeRoom(c *change) error {
	more := 0
	for _, m := range c.members {
		if _, known := r.members[m.Node]; !known {
			more++
		}
	}
	if len(r.members)+more > r.most {
		r.evict("too many members for those of an earlier process", c.members)
	}
	if len(r.near)+len(c.events) > r.most {
		r.part("too many neighbours for those of an earlier process")
	}
	if len(r.told)+len(c.events) > perEnds*r.most {
		r.forget()
	}
	if len(r.members)+more > r.most || len(r.near)+len(c.events) > r.most {
		return malformed("more than %d members or neighbours", r.most)
	}
	return nil
}

// forget drops what is remembered of lives that have ended, and ends those of nodes that
// are no members. The caller holds mu.
func (r *Roll) forget() {
	for node, last := range r.told {
		_, known := r.members[node]
		if !known && last.Type != membership.MemberDown && last.Type != membership.MemberLeft {
			r.say(membership.Event{Type: membership.MemberDown, Node: node, Incarnation: last.Incarnation, Reason: "is no member"})
		}
		if !known {
			delete(r.told, node)
		}
	}
}

// say has an event emitted, in order and without mu: whoever hears of it may come back.
// The caller holds mu.
func (r *Roll) say(e membership.Event) { r.pending = append(r.pending, e) }

// flush emits what is pending. The caller does not hold mu.
func (r *Roll) flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.speaking {
		return
	}
	r.speaking = true
	for len(r.pending) > 0 {
		events := r.pending
		r.pending = nil
		r.mu.Unlock()
		for i := range events {
			r.emit(events[i])
		}
		r.mu.Lock()
	}
	r.speaking = false
}

// tell tells an event, unless it is no news.
func (r *Roll) tell(e *membership.Event) {
	switch e.Type {
	case membership.PeerUp, membership.PeerDown:
		r.tellPeer(e)
	case membership.MemberUp, membership.MemberSuspect, membership.MemberDown, membership.MemberLeft:
		r.tellMember(e)
	case membership.Isolated, membership.Connected:
		r.tellMood(e, membership.Isolated)
	case membership.Partitioned, membership.Healed:
		r.tellMood(e, membership.Partitioned)
	default:
		r.say(*e)
	}
}

func (r *Roll) tellPeer(e *membership.Event) {
	up := e.Type == membership.PeerUp
	delete(r.parted, e.Node)
	if r.near[e.Node] == up {
		return
	}
	if r.near[e.Node] = true; !up {
		delete(r.near, e.Node)
	}
	r.say(*e)
}

// tellMember drops what was told before, what is about an earlier life, and what cannot
// follow what was told; the end of a life that a new process knows nothing of is told
// before the next life begins.
func (r *Roll) tellMember(e *membership.Event) {
	last, had := r.told[e.Node] // nothing, if its last life is forgotten
	lives := last.Type == membership.MemberUp || last.Type == membership.MemberSuspect
	switch {
	case had && (e.Incarnation < last.Incarnation || e.Incarnation == last.Incarnation && e.Type == last.Type):
		return
	case e.Type == membership.MemberSuspect && (last.Type != membership.MemberUp || e.Incarnation != last.Incarnation):
		return
	case e.Type == membership.MemberDown && last.Type == membership.MemberLeft && e.Incarnation == last.Incarnation:
		return
	case (e.Incarnation > last.Incarnation || !had) && e.Type != membership.MemberUp:
		return
	case e.Incarnation > last.Incarnation && lives:
		r.say(membership.Event{Type: membership.MemberDown, Node: e.Node, Incarnation: last.Incarnation, Reason: "restarted"})
	}
	r.told[e.Node] = *e
	r.say(*e)
}

// tellMood tells of one of two states, of which bad is one, when it is not the last.
func (r *Roll) tellMood(e *membership.Event, bad membership.EventType) {
	is := e.Type == bad
	if was, known := r.mood[bad]; known && was == is {
		return
	}
	if e.Type == membership.Isolated {
		r.part("isolated")
	}
	r.mood[bad] = is
	r.say(*e)
}

// Unlink tells that the link to a node is gone; if it was a neighbour of an earlier
// process only, it is none any more.
func (r *Roll) Unlink(node name.Node) {
	defer r.flush()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.parted[node] && r.source != nil {
		r.tellPeer(&membership.Event{Type: membership.PeerDown, Node: node, Incarnation: r.incarnation(node), Reason: "link lost"})
	}
}

// Sweep ends what is still stale: neighbours that the new process does not have are
// none, and members that it does not know are down. It returns how many members.
func (r *Roll) Sweep(reason string) int {
	defer r.flush()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.part(reason)
	return r.evict(reason, nil)
}

// evict ends members that only an earlier process knew, but for those that are told of
// just now, and returns how many. The caller holds mu.
func (r *Roll) evict(reason string, but []membership.Member) int {
	for _, m := range but {
		delete(r.stale, m.Node)
	}
	stale := slices.SortedFunc(maps.Keys(r.stale), name.Node.Compare)
	clear(r.stale)
	r.list = nil
	for _, node := range stale {
		delete(r.members, node)
		if last := r.told[node]; last.Type == membership.MemberUp || last.Type == membership.MemberSuspect {
			r.tellMember(&membership.Event{Type: membership.MemberDown, Node: node, Incarnation: last.Incarnation, Reason: reason})
		}
	}
	return len(stale)
}

// part ends the neighbourhood with those that only an earlier process had.
func (r *Roll) part(reason string) {
	near := setOf(r.view.Active)
	for _, node := range slices.SortedFunc(maps.Keys(r.parted), name.Node.Compare) {
		if near[node] {
			delete(r.parted, node)
			continue
		}
		r.tellPeer(&membership.Event{Type: membership.PeerDown, Node: node, Incarnation: r.incarnation(node), Reason: reason})
	}
}

func (r *Roll) incarnation(node name.Node) uint64 {
	return cmp.Or(r.members[node].Incarnation, r.told[node].Incarnation)
}
