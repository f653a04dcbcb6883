package sim_test

import (
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/core/machine/ownerlog"
	"github.com/barrelp2p/barrel/core/machine/plumtree"
	"github.com/barrelp2p/barrel/core/machine/replica"
	"github.com/barrelp2p/barrel/core/sim"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// The registry, as a part of whole nodes.

// keeper knows the names of all nodes and hears of every change of what they see.
type keeper struct {
	names  []name.Node
	peers  map[name.Node]overlay.Peer
	log    ownerlog.Config
	change func(at overlay.Peer, c *ownerlog.Change)
	begin  func(at overlay.Peer) // a node begins a life, and sees nothing
}

func newKeeper(nodes int) *keeper {
	k := &keeper{names: make([]name.Node, nodes+1), peers: map[name.Node]overlay.Peer{}, log: ownerlog.Defaults()}
	for p := 1; p <= nodes; p++ {
		k.names[p] = name.MustNode("n" + strconv.Itoa(p) + "@sim")
		k.peers[k.names[p]] = overlay.Peer(p)
	}
	return k
}

// peerOf is the node of a name that this keeper gave out.
func (k *keeper) peerOf(owner string) overlay.Peer {
	n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(owner, "n"), "@sim"))
	return overlay.Peer(n)
}

func (k *keeper) name(p overlay.Peer) name.Node { return k.names[p] }

// signed stands for a signature, in a world without liars.
func signed(message []byte) (sig ownerlog.Signature) {
	h := fnv.New64a()
	_, _ = h.Write(message)
	h.Sum(sig[:0])
	return sig
}

// clerk is the replica of one node.
type clerk struct {
	m     *replica.Machine
	self  overlay.Peer
	book  *keeper
	out   replica.Effects
	armed overlay.Time
	gen   uint32
}

func (k *keeper) hire(b sim.Boot, known []liveness.Entry) *clerk {
	if k.begin != nil {
		k.begin(b.Self)
	}
	cfg := replica.Defaults()
	cfg.Log = k.log
	cfg.Log.Self, cfg.Log.Inc, cfg.Log.Sign = k.name(b.Self), b.Inc, signed
	cfg.Log.Verify = func(_ name.Node, message []byte, sig *ownerlog.Signature) ownerlog.Verdict {
		if *sig == signed(message) {
			return ownerlog.Good
		}
		return ownerlog.Bad
	}
	c := &clerk{m: replica.New(cfg, b.Now, b.RNG), self: b.Self, book: k, armed: overlay.Never}
	for _, e := range known {
		c.m.Step(b.Now, &replica.Input{Kind: replica.MemberUp, Node: k.name(e.Peer), Inc: e.Inc}, &c.out)
	}
	return c
}

// gossipOfRegistry is the key of broadcasts that are for the registry.
const gossipOfRegistry = 1 << 62

// opWrite puts an entry: Data is the key, a zero byte and the value; without them it is
// removed.
const opWrite overlay.Op = 99

func (n *whole) write(c overlay.Command) {
	op := ownerlog.Op{Key: string(c.Data), Remove: true}
	for i, b := range c.Data {
		if b == 0 {
			op = ownerlog.Op{Key: string(c.Data[:i]), Val: string(c.Data[i+1:])}
			break
		}
	}
	if err := n.rg.m.Write(n.now, op, &n.rg.out); err != nil {
		panic(err)
	}
	n.carryOut()
}

// keep steps the registry.
func (n *whole) keep(in replica.Input) {
	n.rg.m.Step(n.now, &in, &n.rg.out)
	n.carryOut()
}

// carryOut does what the registry asks for.
func (n *whole) carryOut() {
	out := n.rg.out
	n.rg.out = replica.Effects{}
	for i := range out.Changes {
		if n.rg.book.change != nil {
			n.rg.book.change(n.rg.self, &out.Changes[i])
		}
	}
	for _, s := range out.Sends {
		n.out.Sends = append(n.out.Sends, overlay.Send[word]{To: n.rg.book.peers[s.To], Class: overlay.Repair, Mode: overlay.Stream, Msg: word{rg: s.Data}})
	}
	if at := n.rg.m.Next(); at < n.rg.armed || n.rg.armed <= n.now {
		n.rg.armed = at
		n.rg.gen++
		n.out.Timers = append(n.out.Timers, overlay.Arm{At: at, Timer: overlay.Timer{Owner: overlay.Custom, Gen: n.rg.gen}})
	}
	for _, data := range out.Broadcasts {
		n.broadcast(overlay.Input[plumtree.Message]{Kind: overlay.InCommand, Cmd: overlay.Command{Op: overlay.OpBroadcast, Key: gossipOfRegistry, Data: data}})
	}
}

func (n *whole) near(kind replica.InKind, p overlay.Peer) {
	if n.rg != nil {
		n.keep(replica.Input{Kind: kind, Node: n.rg.book.name(p)})
	}
}

// hearsay hands a broadcast that is for the registry on.
func (n *whole) hearsay(e *overlay.Event) {
	if n.rg != nil && e.Kind == overlay.Deliver && e.Key == gossipOfRegistry && e.Peer != overlay.Nobody {
		n.keep(replica.Input{Kind: replica.Broadcast, Data: e.Data})
	}
}

// fate tells the registry who lives.
func (n *whole) fate(e *overlay.Event) {
	if n.rg == nil {
		return
	}
	in := replica.Input{Node: n.rg.book.name(e.Peer), Inc: e.Inc}
	switch e.Kind {
	case overlay.MemberUp:
		in.Kind = replica.MemberUp
	case overlay.MemberDown:
		in.Kind, in.Text = replica.MemberEnd, "down"
	case overlay.MemberLeft:
		in.Kind, in.Text = replica.MemberEnd, "left"
	default:
		return
	}
	n.keep(in)
}
