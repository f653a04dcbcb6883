// Package observe tells what a node does as OpenTelemetry metrics. It uses the API
// only: which exporter reads them, if any, is the choice of the program that runs the
// node.
//
// It measures nothing itself: a Source is asked when somebody collects, so that a node
// nobody watches pays nothing, and only what no state remembers is counted as it
// happens.
//
//	meters, err := observe.Register(provider, source)
//	defer meters.Close()
//	meters.Refused(false)
//
// # The metrics
//
//	barrel.links                 links open now
//	barrel.links.opened          links that came up
//	barrel.links.moved           links that were to move to another local address, by outcome
//	barrel.members               members by state
//	barrel.troubles              1 while the node is isolated or partitioned, by trouble
//	barrel.broadcasts            messages to everybody, by what became of them here
//	barrel.services              visible registrations
//	barrel.parts.restarts        restarts after a panic, by part
//	barrel.dead_letters          messages that could not be delivered, by reason
//	barrel.streams.refused       byte streams of other nodes that nobody took
//	barrel.handshakes.refused    handshakes that failed, by direction
package observe

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// Provider is where metrics go.
type Provider = metric.MeterProvider

// Nowhere is the Provider that keeps nothing.
func Nowhere() Provider { return noop.NewMeterProvider() }

// Source answers from memory, from any goroutine.
type Source interface {
	Links() int64
	Services() int64
	Members() map[string]int64      // by state
	Troubles() map[string]int64     // 0 or 1, by trouble
	Broadcasts() map[string]uint64  // by outcome
	Restarts() map[string]int64     // by part
	DeadLetters() map[string]uint64 // by reason
	StreamsRefused() uint64
}

// scope is the name of the instrumentation.
const scope = "github.com/barrelp2p/barrel/core"

// Meters are the instruments of one life of a node.
type Meters struct {
	registration metric.Registration
	opened       metric.Int64Counter
	refused      metric.Int64Counter
	moved        metric.Int64Counter
	dialed       metric.MeasurementOption
	accepted     metric.MeasurementOption
	done, failed metric.MeasurementOption
}

// Register makes the instruments and lets the provider ask source.
func Register(provider Provider, source Source) (*Meters, error) {
	b := &builder{meter: provider.Meter(scope), source: source}
	m := &Meters{
		opened:   b.counter("barrel.links.opened", "links that came up"),
		refused:  b.counter("barrel.handshakes.refused", "handshakes that failed, by direction"),
		moved:    b.counter("barrel.links.moved", "links that were to move to another local address, by outcome"),
		dialed:   labelled("direction", "dialed"),
		accepted: labelled("direction", "accepted"),
		done:     labelled("outcome", "moved"),
		failed:   labelled("outcome", "failed"),
	}
	m.registration = b.observe()
	if err := errors.Join(b.errs...); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return m, nil
}

func labelled(key, word string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String(key, word)))
}

// Opened counts a link that came up.
func (m *Meters) Opened() { m.opened.Add(context.Background(), 1) }

// Refused counts a handshake that failed.
func (m *Meters) Refused(dialed bool) {
	side := m.accepted
	if dialed {
		side = m.dialed
	}
	m.refused.Add(context.Background(), 1, side)
}

// Moved counts a link that was to move to another local address.
func (m *Meters) Moved(did bool) {
	outcome := m.failed
	if did {
		outcome = m.done
	}
	m.moved.Add(context.Background(), 1, outcome)
}

// Close ends the asking.
func (m *Meters) Close() error { return m.registration.Unregister() }

// builder makes instruments and keeps the errors for the end.
type builder struct {
	meter  metric.Meter
	source Source
	errs   []error
}

func (b *builder) note(err error) {
	if err != nil {
		b.errs = append(b.errs, err)
	}
}

func (b *builder) counter(name, help string) metric.Int64Counter {
	c, err := b.meter.Int64Counter(name, metric.WithDescription(help))
	b.note(err)
	return c
}

func (b *builder) gauge(name, help string) metric.Int64ObservableGauge {
	g, err := b.meter.Int64ObservableGauge(name, metric.WithDescription(help))
	b.note(err)
	return g
}

func (b *builder) total(name, help string) metric.Int64ObservableCounter {
	c, err := b.meter.Int64ObservableCounter(name, metric.WithDescription(help))
	b.note(err)
	return c
}

// observe registers everything that is asked for at collection.
func (b *builder) observe() metric.Registration {
	links, services := b.gauge("barrel.links", "links open now"), b.gauge("barrel.services", "visible registrations")
	members := b.gauge("barrel.members", "members by state")
	troubles := b.gauge("barrel.troubles", "1 while the node is isolated or partitioned, by trouble")
	broadcasts := b.total("barrel.broadcasts", "messages to everybody, by what became of them here")
	restarts := b.total("barrel.parts.restarts", "restarts after a panic, by part")
	dead := b.total("barrel.dead_letters", "messages that could not be delivered, by reason")
	streams := b.total("barrel.streams.refused", "byte streams of other nodes that nobody took")
	registration, err := b.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(links, b.source.Links())
		o.ObserveInt64(services, b.source.Services())
		o.ObserveInt64(streams, int64(b.source.StreamsRefused()))
		each(o, members, "state", b.source.Members())
		each(o, troubles, "trouble", b.source.Troubles())
		each(o, broadcasts, "outcome", b.source.Broadcasts())
		each(o, restarts, "part", b.source.Restarts())
		each(o, dead, "reason", b.source.DeadLetters())
		return nil
	}, links, services, members, troubles, broadcasts, restarts, dead, streams)
	b.note(err)
	return registration
}

func each[N int64 | uint64](o metric.Observer, what metric.Int64Observable, key string, values map[string]N) {
	for word, n := range values {
		o.ObserveInt64(what, int64(n), metric.WithAttributes(attribute.String(key, word)))
	}
}
