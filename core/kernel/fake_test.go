package kernel

import (
	"context"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// diary is what a set of parts did, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.lines)
}

func (d *diary) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := d.read(); !slices.Equal(got, want) {
		t.Errorf("the parts did %q, want %q", got, want)
	}
}

// fake is a part that writes down what is done to it, and then does what the test
// wants.
type fake struct {
	name  string
	diary *diary
	start func(ctx context.Context) error
	stop  func(ctx context.Context) error
}

func (f *fake) Start(ctx context.Context) error {
	f.diary.add("+" + f.name)
	if f.start == nil {
		return nil
	}
	return f.start(ctx)
}

func (f *fake) Stop(ctx context.Context) error {
	f.diary.add("-" + f.name)
	if f.stop == nil {
		return nil
	}
	return f.stop(ctx)
}

// unit makes a unit whose part is a fake.
func (d *diary) unit(name string, needs ...string) Unit {
	return Unit{Name: name, Needs: needs, Part: &fake{name: name, diary: d}}
}

func (d *diary) unitWith(name string, start, stop func(context.Context) error) Unit {
	return Unit{Name: name, Part: &fake{name: name, diary: d, start: start, stop: stop}}
}

// assembled returns a kernel with these units, and stops it when the test ends.
func assembled(t *testing.T, opt Options, units ...Unit) *Kernel {
	t.Helper()
	k := New(opt)
	if err := k.Assemble(units...); err != nil {
		t.Fatal(err)
	}
	return k
}

func states(k *Kernel) map[string]plugin.State {
	all := map[string]plugin.State{}
	for _, h := range k.Health() {
		all[h.Name] = h.State
	}
	return all
}

func ignoreContext(release <-chan struct{}) func(context.Context) error {
	return func(context.Context) error {
		<-release
		return nil
	}
}
