package replica

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Where one node allows less than the others, an owner that has more is left out and
// reported, however it is met; all others come, it is not asked for again and again, and it
// is shown as soon as it has as little as is allowed.
func TestOneOwnerIsTooLarge(t *testing.T) {
	for what, loss := range map[string]float64{"a newcomer": 1, "by broadcasts": 0} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t.Fatalf, 8, 3)
			w.limits = map[int]int{0: 5}
			w.stop(0)
			w.start(0)
			w.run(10 * time.Second) // all know each other
			w.loss = loss
			for i := range w.lives {
				w.write(i, "k", false)
				if i > 0 || loss == 0 {
					w.link(1, i)
				}
			}
			for i := range 10 {
				w.write(2, fmt.Sprint("many", i), false)
				w.run(w.now + time.Second)
			}
			w.run(w.now + time.Minute)
			w.link(1, 0)
			w.run(w.now + time.Minute)
			w.sees(t, 0, 0, 1, 3, 4, 5, 6, 7)
			m := w.lives[0].m
			before := m.Stats()
			if got := m.Store().Oversize(); !slices.Equal(got, []string{"n2@sim"}) || before.Malformed > 0 {
				t.Errorf("oversize: %v, %+v", got, before)
			}
			w.run(w.now + 5*time.Minute)
			if pulls := m.Stats().Pulls - before.Pulls; pulls > 0 {
				t.Errorf("pulled %d times more, although nothing has changed", pulls)
			}
			for i := range 10 {
				w.write(2, fmt.Sprint("many", i), true)
			}
			w.run(w.now + time.Minute)
			w.sees(t, 0, 0, 1, 2, 3, 4, 5, 6, 7)
			if got := m.Store().Oversize(); len(got) > 0 {
				t.Errorf("still oversize: %v", got)
			}
		})
	}
}

// sees fails unless a node sees the key k of these owners.
func (w *world) sees(t *testing.T, i int, owners ...int) {
	t.Helper()
	for o := range w.lives {
		there := slices.ContainsFunc(mapKeys(w.lives[i].view), func(key string) bool {
			return strings.HasPrefix(key, node(o).String()+" ") && strings.HasSuffix(key, " k")
		})
		if wanted := slices.Contains(owners, o); there != wanted && (wanted || o != 2) {
			t.Errorf("n%d sees n%d: %t, want %t", i, o, there, wanted)
		}
	}
}

func mapKeys(m map[string]string) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}
