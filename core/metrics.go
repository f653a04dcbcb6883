package core

import (
	"github.com/barrelp2p/barrel/core/observe"
	"github.com/barrelp2p/barrel/interfaces/membership"
)

// WithMeterProvider sets where the node's metrics go; without it, nowhere.
func WithMeterProvider(provider observe.Provider) Option {
	return func(o *options) { o.meters = provider }
}

// source is a life as its metrics see it.
type source struct{ *life }

func (s source) Links() int64 { return int64(len(s.links.List())) }

func (s source) Services() (n int64) {
	for _, service := range s.registry.List("") {
		n += int64(service.Instances)
	}
	return n
}

func (s source) Members() map[string]int64 {
	c := countMembers(s.membership.Members())
	return map[string]int64{
		string(membership.Alive): int64(c.Alive), string(membership.Suspect): int64(c.Suspect),
		string(membership.Down): int64(c.Down), string(membership.Left): int64(c.Left),
	}
}

func (s source) Troubles() map[string]int64 {
	return map[string]int64{"isolated": asNumber(s.isolated.Load()), "partitioned": asNumber(s.partitioned.Load())}
}

func asNumber(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

func (s source) Broadcasts() map[string]uint64 {
	st := s.broadcast.Stats()
	return map[string]uint64{
		"sent": st.Broadcasts, "delivered": st.Delivered, "duplicate": st.Duplicates, "missed": st.Missed,
		"deferred": st.Turned, "oversize": st.Oversize,
	}
}

func (s source) Restarts() map[string]int64 {
	out := map[string]int64{}
	for _, h := range s.kernel.Health() {
		out[h.Name] = int64(h.Restarts)
	}
	return out
}

func (s source) DeadLetters() map[string]uint64 { return s.processes.DeadLetters() }

func (s source) StreamsRefused() uint64 { return s.streams.Refused() }
