package overlay

// Class sorts what is sent, for accounting and for the choice of a stream.
type Class uint8

// The classes.
const (
	Membership Class = iota // joins, requests for neighbourhood
	Shuffle                 // exchange of passive views
	Payload                 // a broadcast itself
	Announce                // announcements, grafts and prunes
	Obituary                // suspicions and their refutations
	Counter                 // slow counters
	Probe                   // heartbeats and indirect probes
	Repair                  // comparison of replicas, and what they lack
	Classes                 // how many there are
)

// String is the word used in reports.
func (c Class) String() string {
	words := [...]string{"membership", "shuffle", "payload", "announce", "obituary", "counter", "probe", "repair"}
	if int(c) < len(words) {
		return words[c]
	}
	return "unknown"
}

// Mode says what a message may suffer.
type Mode uint8

// The modes.
const (
	// Stream: in order with other Streams to that peer, and never lost while the link
	// lives. Without a link it is dropped. A host that cannot queue it must close the
	// link, so that the machine hears of it.
	Stream Mode = iota
	// Datagram: over the link if there is one; may be lost, repeated and late.
	Datagram
	// Once: like Datagram, but the host makes a link for it if there is none, and
	// tells nobody if it cannot.
	Once
)

// Send is a message to one peer.
type Send[M any] struct {
	To    Peer
	Class Class
	Mode  Mode
	Msg   M
}

// Arm asks for InTimer at a moment, or as soon after it as may be.
type Arm struct {
	At    Time
	Timer Timer
}

// Close lets a link go, after what was sent before. The other side gets InLinkDown with
// the reason; this one gets nothing. A host may keep a link that others on it need;
// then the other side gets nothing either.
type Close struct {
	Peer   Peer
	Reason Reason
}

// EventKind says what a machine found out.
type EventKind uint8

// The events.
const (
	PeerUp        EventKind = iota + 1 // Peer, Inc: a neighbour now
	PeerDown                           // Peer, Inc, Reason: no longer; says nothing about its life
	Joined                             // Peer: a Join came to a good end
	JoinFailed                         // Peer, Reason: it did not
	Isolated                           // no neighbours are left
	Connected                          // there are neighbours again
	Deliver                            // Peer (who sent it here), Key, Round, Data: a broadcast arrived
	MemberUp                           // Peer, Inc: the host ends a link to an earlier life, as Restarted
	MemberSuspect                      // Peer, Inc
	MemberDown                         // Peer, Inc
	MemberLeft                         // Peer, Inc
	Partitioned                        // many members went at once
	Healed                             // that is over
	Unheard                            // Peer, Inc: nothing it says comes here; is there a path to it at all?
)

// Event is one thing that a machine found out.
type Event struct {
	Kind   EventKind
	Reason Reason
	Peer   Peer
	Round  uint32
	Inc    uint64
	Key    uint64
	Data   []byte
}

// Effects is what Steps ask for. The caller owns it and empties it with Reset; a Step
// appends.
type Effects[M any] struct {
	Persists []Record // answered with InPersisted
	Timers   []Arm
	Dials    []Peer // make sure of a link and keep it: InLinkUp, again if there is one, or InDialFailed
	Sends    []Send[M]
	Closes   []Close
	Events   []Event
	Discover bool // ask discovery for contacts; answered with OpContacts
}

// Reset empties the effects. It keeps the room of a usual step, and nothing of what was
// in it.
func (e *Effects[M]) Reset() {
	e.Persists, e.Timers, e.Dials = emptied(e.Persists), emptied(e.Timers), emptied(e.Dials)
	e.Sends, e.Closes, e.Events = emptied(e.Sends), emptied(e.Closes), emptied(e.Events)
	e.Discover = false
}

// usual is how much one step asks for at most, but for a burst.
const usual = 64

func emptied[T any](all []T) []T {
	if cap(all) > usual {
		return nil
	}
	clear(all)
	return all[:0]
}

// Move appends what one machine asked for to what its node asks for, wrapping the
// messages, and empties the former. Events are moved too: look at them before.
func Move[From, To any](to *Effects[To], from *Effects[From], wrap func(From) To) {
	to.Persists = append(to.Persists, from.Persists...)
	to.Timers = append(to.Timers, from.Timers...)
	to.Dials = append(to.Dials, from.Dials...)
	for i := range from.Sends {
		s := &from.Sends[i]
		to.Sends = append(to.Sends, Send[To]{To: s.To, Class: s.Class, Mode: s.Mode, Msg: wrap(s.Msg)})
	}
	to.Closes = append(to.Closes, from.Closes...)
	to.Events = append(to.Events, from.Events...)
	to.Discover = to.Discover || from.Discover
	from.Reset()
}
