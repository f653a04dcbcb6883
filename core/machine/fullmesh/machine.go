package fullmesh

import (
	"math/rand/v2"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Config is what a machine is told at birth. All durations are more than zero.
type Config struct {
	Self        name.Node
	Incarnation uint64
	Retry       time.Duration // the first wait before dialing again
	RetryMax    time.Duration // the longest
	Suspect     time.Duration // for how long a member is suspect before it is down
	DialTimeout time.Duration // of one Connect
	JoinTimeout time.Duration // for the answer to Join, and for links to close in Leave
	Sync        time.Duration // between two unasked member lists to a random neighbour
	ForgetDown  time.Duration // how long a down member is listed
	ForgetLeft  time.Duration // how long a left member is remembered
	MaxMembers  int           // this node included; at least 2
	Left        bool          // start as a node that has left
	Known       []Member      // what an earlier machine of this node knew
}

// Limits that are not the user's business.
const (
	maxDials      = 16          // Connects at a time
	maxLowDials   = 8           // of these, for the down and the unproven
	maxHearsay    = 1024        // nodes known by hearsay only
	hearsayTries  = 8           // dials in vain before such a node is dropped
	suspectTries  = 2           // dials in vain before a suspect is down
	forgottenRare = 10          // how much rarer than RetryMax the forgotten are dialed
	listPause     = time.Second // between two member lists over one link
)

// Machine is the full mesh membership of one node. It is not safe for concurrent use.
type Machine struct {
	cfg      Config
	rng      *rand.Rand
	records  []*record // sorted by node
	now      time.Duration
	since    time.Duration // of the own state
	left     bool
	joins    []waiter
	leaves   []uint64
	leaveBy  time.Duration
	syncAt   time.Duration
	rejected uint64
	out      *Effects
}

// New makes a machine. rng is the only source of chance; the machine keeps it.
func New(cfg Config, rng *rand.Rand) *Machine {
	m := &Machine{cfg: cfg, rng: rng, left: cfg.Left, leaveBy: Never, syncAt: Never}
	for _, k := range cfg.Known {
		m.recall(k)
	}
	return m
}

// recall takes over what an earlier machine knew: whoever was alive is believed to be
// and dialed at once.
func (m *Machine) recall(k Member) {
	if k.Node == m.cfg.Self || m.left || m.find(k.Node) != nil {
		return
	}
	r := m.insert(k.Node)
	r.met, r.inc, r.endpoints, r.since = true, k.Incarnation, clip(k.Endpoints), k.Since
	switch k.State {
	case membership.Left:
		r.state, r.until = membership.Left, k.Since+m.cfg.ForgetLeft
	case membership.Down:
		r.state, r.until, r.dial.due = membership.Down, k.Since+m.cfg.ForgetDown, k.Since
	case membership.Suspect:
		r.state, r.until, r.dial.due = membership.Suspect, k.Since+m.cfg.Suspect, k.Since
	default:
		r.state, r.dial.due = membership.Alive, k.Since
	}
}

// Step takes one input at a time that does not go back, and says in out what to do.
func (m *Machine) Step(now time.Duration, in Input, out *Effects) {
	out.reset()
	m.now, m.out = max(m.now, now), out
	m.take(in)
	m.expire()
	m.sync()
	m.dialDue()
	m.sweep()
	out.Wake = m.wake()
	m.out = nil
}

func (m *Machine) take(in Input) {
	switch in.Kind {
	case InLinkUp:
		m.linkUp(in.Peer)
	case InLinkDown:
		m.linkDown(in.Peer, in.Code)
	case InFrame:
		m.frame(in.Peer, in.Data)
	case InConnected:
		m.connected(in.Node, in.Err)
	case InJoin:
		m.join(in.ID, in.Node)
	case InLeave:
		m.leave(in.ID)
	case InCancel:
		m.cancel(in.ID)
	}
}

// expire ends states and waits whose time is up.
func (m *Machine) expire() {
	for _, r := range m.records {
		if r.until > m.now {
			continue
		}
		switch r.state {
		case membership.Suspect:
			m.down(r, ReasonUnreachable)
		case membership.Down, membership.Left:
			m.forget(r)
		}
	}
	m.expireWaiters()
}

// wake is the next moment at which something happens by itself. A dial that is due
// already waits for another to end, not for time.
func (m *Machine) wake() time.Duration {
	next := min(m.leaveBy, m.syncAt)
	for _, r := range m.records {
		next = min(next, r.until)
		if r.dial.due > m.now {
			next = min(next, r.dial.due)
		}
	}
	for _, w := range m.joins {
		next = min(next, w.until)
	}
	return next
}

// Rejected counts the frames that were thrown away because they did not parse.
func (m *Machine) Rejected() uint64 { return m.rejected }

// HasLeft reports whether this node has left and not joined again.
func (m *Machine) HasLeft() bool { return m.left }

func (m *Machine) do(e Effect) { m.out.List = append(m.out.List, e) }

func (m *Machine) send(node name.Node, frame []byte) {
	m.do(Effect{Kind: Send, Node: node, Frame: frame})
}

// between is a random duration from low to high.
func (m *Machine) between(low, high time.Duration) time.Duration {
	return low + time.Duration(m.rng.Int64N(int64(max(high-low, 0))+1))
}
