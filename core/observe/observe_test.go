package observe_test

import (
	"testing"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/barrelp2p/barrel/core/observe"
)

// node is what a node would answer.
type node struct{}

func (node) Links() int64                   { return 2 }
func (node) Services() int64                { return 3 }
func (node) Members() map[string]int64      { return map[string]int64{"alive": 4, "down": 1} }
func (node) Troubles() map[string]int64     { return map[string]int64{"isolated": 1, "partitioned": 0} }
func (node) Broadcasts() map[string]uint64  { return map[string]uint64{"delivered": 9} }
func (node) Restarts() map[string]int64     { return map[string]int64{"link": 1} }
func (node) StreamsRefused() uint64         { return 6 }
func (node) DeadLetters() map[string]uint64 { return map[string]uint64{"no process": 5} }

// collected reads all metrics: name and label, if there is one, to value.
func collected(t *testing.T, reader *metric.ManualReader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Gauge[int64]:
				note(out, m.Name, data.DataPoints)
			case metricdata.Sum[int64]:
				note(out, m.Name, data.DataPoints)
			default:
				t.Errorf("%s is a %T", m.Name, data)
			}
		}
	}
	return out
}

func note(out map[string]int64, name string, points []metricdata.DataPoint[int64]) {
	for _, p := range points {
		key := name
		for _, kv := range p.Attributes.ToSlice() {
			key += "/" + kv.Value.AsString()
		}
		out[key] = p.Value
	}
}

func TestMetricsTellWhatTheNodeDoes(t *testing.T) {
	reader := metric.NewManualReader()
	meters, err := observe.Register(metric.NewMeterProvider(metric.WithReader(reader)), node{})
	if err != nil {
		t.Fatal(err)
	}
	meters.Opened()
	meters.Refused(true)
	meters.Refused(false)
	meters.Refused(false)
	meters.Moved(true)
	meters.Moved(true)
	meters.Moved(false)
	want := map[string]int64{
		"barrel.links": 2, "barrel.services": 3, "barrel.members/alive": 4, "barrel.members/down": 1,
		"barrel.troubles/isolated": 1, "barrel.troubles/partitioned": 0, "barrel.broadcasts/delivered": 9,
		"barrel.parts.restarts/link": 1, "barrel.dead_letters/no process": 5, "barrel.links.opened": 1,
		"barrel.streams.refused":   6,
		"barrel.links.moved/moved": 2, "barrel.links.moved/failed": 1,
		"barrel.handshakes.refused/dialed": 1, "barrel.handshakes.refused/accepted": 2,
	}
	got := collected(t, reader)
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %d, want %d", name, got[name], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("collected %v, want %d values", got, len(want))
	}
}

func TestAClosedNodeIsNotAsked(t *testing.T) {
	reader := metric.NewManualReader()
	meters, err := observe.Register(metric.NewMeterProvider(metric.WithReader(reader)), node{})
	if err != nil {
		t.Fatal(err)
	}
	if err := meters.Close(); err != nil {
		t.Fatal(err)
	}
	if got := collected(t, reader); len(got) != 0 {
		t.Errorf("collected %v of a node that is gone", got)
	}
}

func TestNowhereTakesEverything(t *testing.T) {
	meters, err := observe.Register(observe.Nowhere(), node{})
	if err != nil {
		t.Fatal(err)
	}
	meters.Opened()
	if err := meters.Close(); err != nil {
		t.Error(err)
	}
}
