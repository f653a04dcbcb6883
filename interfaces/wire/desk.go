package wire

import (
	"context"
	"sync"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/proto/pluginv1"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// maxQuestions is how many questions of a plugin that take their time are answered at
// the same time.
const maxQuestions = 256

// maxSigned is the largest message that a node signs for a plugin, in bytes.
const maxSigned = 1 << 20

// desk is the host's side of Lend: it answers the questions of a plugin of any kind that
// may ask.
type desk struct {
	network carrier
	signer  trust.Signer
	counts  func() bool // whether this plugin is still the one that may act
	// more answers what only one kind may ask; at once, or how.
	more func(q *pluginv1.Question, out *pluginv1.Answer) (later func(context.Context) error, err error)

	mu   sync.Mutex
	open map[uint64]context.CancelFunc
}

// carrier is what the networks of the kinds have in common.
type carrier interface {
	Send(node name.Node, frame []byte) error
	Broadcast(data []byte) error
}

// answer answers one question, or says how to.
func (d *desk) answer(q *pluginv1.Question) (now *pluginv1.Answer, later func(context.Context) *pluginv1.Answer) {
	if cancel := q.GetCancel(); cancel != nil {
		d.close(cancel.GetId())
		return nil, nil
	}
	out := &pluginv1.Answer{Id: q.GetId()}
	slow, err := d.consider(q, out)
	if slow == nil {
		out.Error = toWire(err)
		return out, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.note(q.GetId(), cancel)
	return nil, func(stream context.Context) *pluginv1.Answer {
		defer d.close(q.GetId())
		defer context.AfterFunc(stream, cancel)()
		out.Error = toWire(slow(ctx))
		return out
	}
}

func (d *desk) note(id uint64, cancel context.CancelFunc) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if before := d.open[id]; before != nil {
		before() // a plugin that gives one number twice
	}
	d.open[id] = cancel
}

func (d *desk) close(id uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if cancel := d.open[id]; cancel != nil {
		cancel()
		delete(d.open, id)
	}
}

func (d *desk) consider(q *pluginv1.Question, out *pluginv1.Answer) (later func(context.Context) error, err error) {
	if !d.counts() {
		return nil, plugin.ErrGone // another process has taken its place
	}
	switch question := q.GetQuestion().(type) {
	case *pluginv1.Question_Send:
		return nil, d.send(question.Send)
	case *pluginv1.Question_Broadcast:
		if len(question.Broadcast.GetData()) > membership.MaxBroadcast {
			return nil, membership.ErrTooLarge
		}
		return nil, d.network.Broadcast(question.Broadcast.GetData())
	case *pluginv1.Question_Sign:
		if len(question.Sign.GetMessage()) > maxSigned {
			return nil, membership.ErrTooLarge
		}
		signature := d.signer.Sign(question.Sign.GetMessage())
		out.Data = signature[:]
		return nil, nil
	case *pluginv1.Question_Public:
		key := d.signer.Public()
		out.Data = key[:]
		return nil, nil
	}
	return d.more(q, out)
}

func (d *desk) send(in *pluginv1.SendFrame) error {
	node, err := name.ParseNode(in.GetNode())
	if err != nil {
		return err
	}
	if len(in.GetFrame()) > membership.MaxFrame {
		return membership.ErrTooLarge
	}
	return d.network.Send(node, in.GetFrame())
}

// Lent is the plugin's side of what hosts lend to a membership or a registry.
type Lent struct {
	*asking[pluginv1.Answer, pluginv1.Question]

	mu     sync.Mutex
	public trust.Key // as the host said last
}

func newLent() *Lent {
	return &Lent{asking: newAsking("host", maxQuestions, (*pluginv1.Answer).GetId, func(q *pluginv1.Question, id uint64) { q.Id = id })}
}

// now asks what the host answers from memory.
func (l *Lent) now(q *pluginv1.Question) (*pluginv1.Answer, error) {
	answer, err := l.quick(q)
	if err != nil {
		return nil, err
	}
	return answer, fromWire(answer.GetError())
}

// await asks what takes its time, and tells the host when nobody waits any more.
func (l *Lent) await(ctx context.Context, q *pluginv1.Question) error {
	answer, err := l.ask(ctx, q)
	if id, open := abandonedID(err); open {
		l.withdraw(id)
	}
	if err != nil {
		return err
	}
	return fromWire(answer.GetError())
}

func (l *Lent) withdraw(id uint64) {
	own, _, err := l.send(&pluginv1.Question{Question: &pluginv1.Question_Cancel{Cancel: &pluginv1.CancelQuestion{Id: id}}})
	if err == nil {
		l.forget(own) // it is not answered
	}
}

// Send is part of both networks.
func (l *Lent) Send(node name.Node, frame []byte) error {
	_, err := l.now(&pluginv1.Question{Question: &pluginv1.Question_Send{Send: &pluginv1.SendFrame{Node: node.String(), Frame: frame}}})
	return err
}

// Broadcast is part of both networks.
func (l *Lent) Broadcast(data []byte) error {
	_, err := l.now(&pluginv1.Question{Question: &pluginv1.Question_Broadcast{Broadcast: &pluginv1.BroadcastData{Data: data}}})
	return err
}

// Public is part of trust.Signer. While the host does not answer it is what it said
// last.
func (l *Lent) Public() trust.Key {
	answer, err := l.now(&pluginv1.Question{Question: &pluginv1.Question_Public{Public: &pluginv1.PublicKey{}}})
	l.mu.Lock()
	defer l.mu.Unlock()
	if key, keyErr := keyFromWire(answer.GetData()); err == nil && keyErr == nil {
		l.public = key
	}
	return l.public
}

// Sign is part of trust.Signer. Without the host the signature is zero, which nobody
// believes.
func (l *Lent) Sign(message []byte) (signature [64]byte) {
	answer, err := l.now(&pluginv1.Question{Question: &pluginv1.Question_Sign{Sign: &pluginv1.SignMessage{Message: message}}})
	if err == nil && len(answer.GetData()) == len(signature) {
		copy(signature[:], answer.GetData())
	}
	return signature
}
