package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/core/block/process"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/registry"
)

// What a node does for the global names of all: it grants claims, says what it knows, and
// resolves conflicts of its own processes.

func globalControl() name.Service { return name.MustService("_global") }

// startGlobals starts the process that answers other nodes, and watches for conflicts.
func (l *life) startGlobals() error {
	l.globals.claims, l.globals.held = map[string]claim{}, map[string]*holding{}
	if err := errors.Join(AddType[globalRequest](l.node, "barrel.global"), l.node.AddError("barrel.taken", ErrTaken)); err != nil {
		return err
	}
	proc, err := l.processes.Spawn(Spec{Handle: Handle(l.onGlobal)})
	if err == nil {
		err = l.processes.Bind(globalControl(), proc.Ref())
	}
	if err != nil {
		return err
	}
	w := l.services.Watch(globalPrefix)
	l.tasks.Go("global names", func(ctx context.Context) {
		defer w.Close()
		for {
			e, err := w.Next(ctx)
			if err != nil {
				return
			}
			global := strings.TrimPrefix(e.Entry.Service.String(), globalPrefix)
			if e.Type == registry.Registered {
				l.settle(global)
			} else {
				l.unclaim(global, e.Entry.Ref)
			}
		}
	})
	return nil
}

// onGlobal answers another node.
func (l *life) onGlobal(_ context.Context, req globalRequest) (string, error) {
	switch {
	case req.Name == "":
		digest, _ := l.globalDigest()
		return digest, nil
	case req.Word == withdrawName:
		l.unclaim(req.Name, req.Ref)
		return "", nil
	case req.Word == judgeName:
		return l.judge(req.Name, req.Ref), nil
	case req.Word == meetName:
		l.meet(req.Name, req.Ref)
		return "", nil
	}
	return "", l.grant(req)
}

// grant keeps others away from a name for a process, or refuses to with ErrTaken.
func (l *life) grant(req globalRequest) error {
	if where, found := l.whereisGlobal(req.Name); found && where != req.Ref {
		return fmt.Errorf("global name %s belongs to %s: %w", req.Name, where, ErrTaken)
	}
	l.globals.mu.Lock()
	defer l.globals.mu.Unlock()
	now := time.Now()
	for global, c := range l.globals.claims {
		if now.After(c.till) {
			l.drop(global, c)
		}
	}
	c, found := l.globals.claims[req.Name]
	switch {
	case found && c.Ref == req.Ref:
		c.till = now.Add(claimTime)
		l.globals.claims[req.Name] = c
		return nil
	case found && !l.claimIsOver(c):
		return fmt.Errorf("global name %s is being given to %s: %w", req.Name, c.Ref, ErrTaken)
	case found:
		l.drop(req.Name, c)
	}
	if len(l.globals.claims) >= maxClaims {
		return fmt.Errorf("global name %s: %w", req.Name, ErrBusy)
	}
	l.globals.claims[req.Name] = claim{Name: req.Name, Ref: req.Ref, till: now.Add(claimTime), end: l.watchClaim(req.Name, req.Ref)}
	return nil
}

// drop forgets a claim. Callers hold globals.mu.
func (l *life) drop(global string, c claim) {
	delete(l.globals.claims, global)
	if c.end != nil {
		c.end()
	}
}

// watchClaim has somebody watch the process elsewhere that a claim is for, unless so many are
// watched already; then the claim ends with its time. Callers hold globals.mu.
func (l *life) watchClaim(global string, ref name.Ref) context.CancelFunc {
	if ref.Node == l.name || l.globals.followed >= maxFollowed {
		return nil
	}
	claimed, end := context.WithTimeout(context.Background(), claimTime)
	if !l.tasks.Go("global claim", func(ctx context.Context) {
		defer end()
		defer context.AfterFunc(ctx, end)()
		l.followClaim(claimed, global, ref)
		l.globals.mu.Lock()
		defer l.globals.mu.Unlock()
		l.globals.followed--
	}) {
		end()
		return nil
	}
	l.globals.followed++
	return end
}

// followClaim ends a claim with the process that it is for, or its node.
func (l *life) followClaim(ctx context.Context, global string, ref name.Ref) {
	down, stop := l.processes.Monitor(ctx, process.ToRef(ref))
	defer stop()
	select {
	case <-down:
		l.unclaim(global, ref)
	case <-ctx.Done():
	}
}

// unclaim: a name that has been given back is free at once.
func (l *life) unclaim(global string, ref name.Ref) {
	l.globals.mu.Lock()
	defer l.globals.mu.Unlock()
	if c := l.globals.claims[global]; c.Ref == ref {
		l.drop(global, c)
	}
}

const (
	maxClaims   = 64 << 10
	maxFollowed = 1024
)

// claimIsOver: a process of this node that has ended needs no name any more.
func (l *life) claimIsOver(c claim) bool {
	if c.Ref.Node != l.name {
		return false
	}
	_, err := l.processes.Find(Target{Node: c.Ref.Node, Ref: c.Ref})
	return err != nil
}

// settle resolves a conflict over a name that a process of this node holds.
func (l *life) settle(global string) {
	service, err := globalService(global)
	l.globals.mu.Lock()
	h := l.globals.held[global]
	l.globals.mu.Unlock()
	if err != nil || h == nil {
		return
	}
	holders := l.holders(service)
	if keep := h.keeps(global, holders); keep != h.proc.Ref() {
		l.yield(global, h, keep)
		l.part(global, h, keep, holders)
		return
	}
	if len(holders) > 1 && l.warns(h, true) {
		l.tasks.Go("global conflict", func(ctx context.Context) {
			defer l.warns(h, false)
			l.followConflict(ctx, global, service)
		})
	}
}

// warns notes whether somebody follows the conflict of a holder; false if that was so.
func (l *life) warns(h *holding, warning bool) (changed bool) {
	l.globals.mu.Lock()
	defer l.globals.mu.Unlock()
	changed = h.warning != warning
	h.warning = warning
	return changed
}

// followConflict warns of a conflict that stays. The other side may not know of it yet.
func (l *life) followConflict(ctx context.Context, global string, service name.Service) {
	ctx, cancel := context.WithTimeout(ctx, claimTime)
	defer cancel()
	for holders := l.holders(service); len(holders) > 1; holders = l.holders(service) {
		if err := l.standoff(ctx, global, holders); err != nil {
			l.log.Warn("global name has several holders that stay", "name", global, "error", err)
			l.publish("service", "conflict", l.name, err.Error(), map[string]string{"name": global})
			return
		}
		select {
		case <-time.After(askTime):
		case <-ctx.Done():
			return
		}
	}
}

// part tells the others of a conflict in which none of them stays: they may hear that this
// one has given the name up before they hear that it had it.
func (l *life) part(global string, h *holding, keep name.Ref, holders []name.Ref) {
	for _, other := range holders {
		if keep.IsZero() && other != h.proc.Ref() {
			l.tellGlobal(other.Node, globalRequest{Name: global, Ref: h.proc.Ref(), Word: meetName})
		}
	}
}

// meet is the other side of part.
func (l *life) meet(global string, other name.Ref) {
	l.globals.mu.Lock()
	h := l.globals.held[global]
	l.globals.mu.Unlock()
	if h == nil {
		return
	}
	if keep := h.keeps(global, []name.Ref{other}); keep != h.proc.Ref() {
		l.yield(global, h, keep)
	}
}

// keeps is the holder that stays as far as this one's resolver is asked.
func (h *holding) keeps(global string, holders []name.Ref) name.Ref {
	me := h.proc.Ref()
	for _, other := range holders {
		if other == me {
			continue
		}
		a, b := me, other
		if b.Compare(a) < 0 {
			a, b = b, a
		}
		if keep := h.options.Resolve(global, a, b); keep != me {
			return keep
		}
	}
	return me
}

// judge is the holder that a holder of this node keeps who knows of another; "" if it has
// none or does not know.
func (l *life) judge(global string, other name.Ref) string {
	service, err := globalService(global)
	l.globals.mu.Lock()
	h := l.globals.held[global]
	l.globals.mu.Unlock()
	if err != nil || h == nil {
		return ""
	}
	holders := l.holders(service)
	if !slices.Contains(holders, other) || !slices.Contains(holders, h.proc.Ref()) {
		return ""
	}
	return h.keeps(global, holders).String()
}

// standoffs is an error if a name stays with several holders.
func (l *life) standoffs(ctx context.Context, contested []string) error {
	for _, global := range contested {
		service, err := globalService(global)
		if err == nil {
			err = l.standoff(ctx, global, l.holders(service))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// standoff asks the nodes of all holders whom they keep. It is an error if two that know
// of each other keep themselves; else one of them is about to go.
func (l *life) standoff(ctx context.Context, global string, holders []name.Ref) error {
	var stay []name.Ref
	for i, ref := range holders {
		other := holders[(i+1)%len(holders)]
		once, cancel := context.WithTimeout(ctx, askTime)
		kept, err := Call[globalRequest, string](once, l.node, Target{Node: ref.Node, Service: globalControl()}, globalRequest{Name: global, Ref: other, Word: judgeName})
		cancel()
		if err == nil && kept == ref.String() {
			stay = append(stay, ref)
		}
	}
	if len(holders) < 2 || len(stay) < len(holders) {
		return nil
	}
	return fmt.Errorf("global name %s: %v each stay: give them the same resolver: %w", global, stay, ErrConflict)
}

// yield gives a name up.
func (l *life) yield(global string, h *holding, winner name.Ref) {
	l.globals.mu.Lock()
	if l.globals.held[global] == h {
		delete(l.globals.held, global)
	}
	l.globals.mu.Unlock()
	if err := h.reg.Close(); err != nil {
		l.log.Warn("global name not given up", "name", global, "error", err)
	}
	l.publish("service", "conflict", winner.Node, "two holders of a global name met", map[string]string{"name": global, "winner": winner.String()})
	ctx := context.Background()
	if h.options.ExitLoser {
		_ = l.processes.Exit(ctx, h.proc.Ref(), ErrTaken) // one that has ended has nothing to lose
		return
	}
	_ = l.processes.Cast(Target{Node: l.name, Ref: h.proc.Ref()}, Lost{Name: global, Winner: winner})
}
