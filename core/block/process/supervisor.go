package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Strategy says who is started again with a child that has ended.
type Strategy uint8

// The strategies.
const (
	OneForOne  Strategy = iota // the child alone
	OneForAll                  // all children
	RestForOne                 // the child and those that were started after it
)

// Restart says whether a child that has ended is started again.
type Restart uint8

// The ways of restarting.
const (
	Permanent Restart = iota // always
	Transient                // unless it ended normally, or was shut down
	Temporary                // never; it is forgotten
)

// The defaults of a supervisor.
const (
	DefaultIntensity = 5 // restarts
	DefaultPeriod    = time.Minute
	DefaultShutdown  = 5 * time.Second
)

// ErrTooManyRestarts is why a supervisor gave up.
var ErrTooManyRestarts = errors.New("children end too often")

// ErrChildExists and ErrNoChild are about the ids of children.
var (
	ErrChildExists = errors.New("a child has that id")
	ErrNoChild     = errors.New("no child has that id")
)

// Child says what a supervisor keeps running.
type Child struct {
	ID       string        // empty: the supervisor finds one
	Spec     Spec          // of a child on the node of the supervisor
	Place    *Place        // of one that may run elsewhere, in place of Spec
	Restart  Restart       // when it has ended
	Shutdown time.Duration // to end when told to, before it is killed; 0: DefaultShutdown; negative: killed at once
}

// Place says where a child may run. When its node is gone it is started on another.
type Place struct {
	Function string             // that the nodes offer
	Args     any                // given to it
	Nodes    func() []name.Node // where it may run, the best first; called for each start
}

// SupervisorSpec says what a supervisor does.
type SupervisorSpec struct {
	Strategy  Strategy
	Intensity int           // restarts within Period; one more ends the supervisor; 0: DefaultIntensity, negative: none
	Period    time.Duration // 0: DefaultPeriod
	Children  []Child       // started in this order, stopped in the reverse
	Links     []name.Ref    // of the supervisor itself: one above it, for instance
}

// ChildInfo describes a child.
type ChildInfo struct {
	ID       string
	Ref      name.Ref // zero while it does not run
	Restarts int
	Last     error // why it ended last
}

// Supervisor keeps children running. It is a process: who links to it or monitors it
// hears of its end, and its children end with it. All methods are safe for concurrent
// use; those with a context fail with ErrNoProcess when it has ended.
type Supervisor struct{ proc *Process }

// Supervise starts a supervisor and its children. If one of them cannot be started, none
// is left and the error says which.
func (p *Processes) Supervise(ctx context.Context, spec SupervisorSpec) (*Supervisor, error) {
	k := newKeeper(spec)
	proc, err := p.Spawn(Spec{Run: k.run, Trap: true, Links: spec.Links, started: func(proc *Process) { proc.keeper = k }})
	if err != nil {
		return nil, err
	}
	s := &Supervisor{proc}
	for _, child := range spec.Children {
		if _, err := s.Start(ctx, child); err != nil {
			s.Stop()
			<-proc.done
			return nil, fmt.Errorf("supervise: %w", err)
		}
	}
	return s, nil
}

// Ref is the reference of the supervisor.
func (s *Supervisor) Ref() name.Ref { return s.proc.ref }

// Done is closed when the supervisor and its children have ended.
func (s *Supervisor) Done() <-chan struct{} { return s.proc.done }

// Reason is why it ended, after Done: ErrTooManyRestarts, ErrShutdown, or a link.
func (s *Supervisor) Reason() error { return s.proc.Reason() }

// Stop ends the children, the last one first, and then the supervisor. It does not wait.
func (s *Supervisor) Stop() { s.proc.Stop() }

// command is done by the supervisor, between two ends of children.
type command struct {
	do func(ctx context.Context, self *Self) (any, error)
}

func (s *Supervisor) ask(ctx context.Context, do func(context.Context, *Self) (any, error)) (any, error) {
	return s.proc.procs.callHere(ctx, s.proc.procs.Self(), ToRef(s.proc.ref), command{do}, 0)
}

func (s *Supervisor) keeper() *keeper { return s.proc.keeper }

// Start starts another child, behind those there are. ErrChildExists if its id is taken.
func (s *Supervisor) Start(ctx context.Context, child Child) (name.Ref, error) {
	out, err := s.ask(ctx, func(ctx context.Context, self *Self) (any, error) { return s.keeper().add(ctx, self, child) })
	ref, _ := out.(name.Ref)
	return ref, err
}

// StopChild ends a child and forgets it. ErrNoChild without one.
func (s *Supervisor) StopChild(ctx context.Context, id string) error {
	_, err := s.ask(ctx, func(_ context.Context, self *Self) (any, error) { return nil, s.keeper().remove(self, id) })
	return err
}

// RestartChild ends a child and starts it again, which does not count. ErrNoChild
// without one.
func (s *Supervisor) RestartChild(ctx context.Context, id string) (name.Ref, error) {
	out, err := s.ask(ctx, func(ctx context.Context, self *Self) (any, error) { return s.keeper().again(ctx, self, id) })
	ref, _ := out.(name.Ref)
	return ref, err
}

// Children lists the children in the order of their start.
func (s *Supervisor) Children(ctx context.Context) ([]ChildInfo, error) {
	out, err := s.ask(ctx, func(context.Context, *Self) (any, error) { return s.keeper().list(), nil })
	list, _ := out.([]ChildInfo)
	return list, err
}
