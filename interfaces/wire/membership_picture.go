package wire

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/proto/membershipv1"
)

// The picture is looked at after each event, and now and then because parts of it change
// without one; the larger it is, the more rarely.
const (
	lookEvery  = 250 * time.Millisecond
	lookFactor = 20 // of the time that a look takes
)

func (s *membershipServer) Watch(_ *membershipv1.WatchRequest, stream membershipv1.Membership_WatchServer) error {
	p := &painter{stream: stream, sent: map[name.Node]membership.Member{}}
	looking := sync.WaitGroup{}
	defer looking.Wait()
	pause := make(chan time.Duration, 1)
	looking.Go(func() { s.lent.events.knock(stream.Context(), pause) })
	return s.lent.events.watched(stream.Context(), stream.SendHeader, func() error {
		begun := time.Now()
		events, told := s.lent.events.take(func(int, *membership.Event) bool { return true })
		err := s.with(func(m membership.Plugin) error { return p.paint(m.Members(), m.View(), events, told) })
		select {
		case pause <- max(lookEvery, lookFactor*time.Since(begun)):
		default:
		}
		return err
	})
}

// knock has the outlet look again after each pause.
func (o *outlet[E]) knock(ctx context.Context, pause <-chan time.Duration) {
	timer := time.NewTimer(lookEvery)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			o.ring()
		case p := <-pause:
			timer.Reset(p)
		case <-ctx.Done():
			return
		}
	}
}

// painter sends what has changed since it sent last.
type painter struct {
	stream membershipv1.Membership_WatchServer
	sent   map[name.Node]membership.Member
	view   *membership.View // nil: none yet
	told   uint64
}

func (p *painter) paint(members []membership.Member, view membership.View, events []membership.Event, told uint64) error {
	var pages []*membershipv1.WatchResponse
	page := func(full func(*membershipv1.WatchResponse) bool) *membershipv1.WatchResponse {
		if len(pages) == 0 || full(pages[len(pages)-1]) {
			pages = append(pages, &membershipv1.WatchResponse{})
		}
		return pages[len(pages)-1]
	}
	there := make(map[name.Node]bool, len(members))
	for _, m := range members {
		there[m.Node] = true
		if old, had := p.sent[m.Node]; !had || !sameMember(old, m) {
			p.sent[m.Node] = m
			on := page(func(r *membershipv1.WatchResponse) bool { return len(r.GetMembers()) >= membersOfPage })
			on.Members = append(on.Members, memberToWire(m))
		}
	}
	for node := range p.sent {
		if !there[node] {
			delete(p.sent, node)
			on := page(func(r *membershipv1.WatchResponse) bool { return len(r.GetGone()) >= membersOfPage })
			on.Gone = append(on.Gone, node.String())
		}
	}
	changed := p.view == nil || !slices.Equal(p.view.Active, view.Active) || !slices.Equal(p.view.Passive, view.Passive)
	if len(pages) == 0 && !changed && len(events) == 0 && told == p.told {
		return nil
	}
	last := page(func(*membershipv1.WatchResponse) bool { return false })
	if changed {
		p.view, last.View, last.Active, last.Passive = &view, true, nodesToWire(view.Active), nodesToWire(view.Passive)
	}
	for _, e := range events {
		last.Events = append(last.Events, memberEventToWire(e))
	}
	p.told, last.Told = told, told
	return p.send(pages)
}

func (p *painter) send(pages []*membershipv1.WatchResponse) error {
	for i, page := range pages {
		page.More = i < len(pages)-1
		if err := p.stream.Send(page); err != nil {
			return err
		}
	}
	return nil
}

func sameMember(a, b membership.Member) bool {
	return a.Key == b.Key && a.State == b.State && a.Incarnation == b.Incarnation && a.Neighbour == b.Neighbour &&
		a.Since.Equal(b.Since) && slices.Equal(a.Endpoints, b.Endpoints)
}
