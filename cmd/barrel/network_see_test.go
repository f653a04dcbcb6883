//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/barrelp2p/barrel/core/admin"
)

// What a user sees of the nodes, by the commands of the program.

const (
	forming = 45 * time.Second // for nodes that start together on a busy machine
	healing = 30 * time.Second // what the documentation promises
	lookAt  = 200 * time.Millisecond
)

// command runs a command of the program about the node; its document goes to into.
func (s *station) command(into any, args ...string) error {
	var stdout, stderr bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, now: time.Now, deps: realDeps()}
	if status := a.run(append(args, "-o", "json", "--socket", s.socket())); status != 0 {
		return fmt.Errorf("%s at %s: exit status %d: %s", args[0], s.node, status, strings.TrimSpace(stderr.String()))
	}
	return json.Unmarshal(stdout.Bytes(), into)
}

func (s *station) socket() string { return filepath.Join(s.dir, "run", "admin.sock") }

// fact is "" when it holds, else how things stand.
type fact func() string

// eventually waits for a fact, for a bounded time.
func (l *lab) eventually(within time.Duration, what string, holds fact) {
	l.t.Helper()
	begun := time.Now()
	tick := time.NewTicker(lookAt)
	defer tick.Stop()
	for {
		text := holds()
		took := time.Since(begun).Round(100 * time.Millisecond)
		if text == "" {
			l.t.Logf("%s: after %s", what, took)
			return
		}
		if took > within {
			l.t.Fatalf("not within %s: %s: %s", within, what, text)
		}
		select {
		case <-tick.C:
		case <-l.t.Context().Done():
			l.t.Fatal(l.t.Context().Err())
		}
	}
}

// members are those that a node lists, by the first part of their names.
func (s *station) members() (map[string]admin.Member, error) {
	var list []admin.Member
	if err := s.command(&list, "members"); err != nil {
		return nil, err
	}
	out := map[string]admin.Member{}
	for _, m := range list {
		out[m.Node.Base()] = m
	}
	return out, nil
}

// states are the members as text, such as "n1 alive, n2 down".
func states(members map[string]admin.Member) string {
	var words []string
	for base, m := range members {
		words = append(words, base+" "+m.State)
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// whole: each of the stations lists all of them as alive.
func whole(stations ...*station) fact { return listed("alive", stations, stations) }

// listed: each of some stations lists each of others in a state.
func listed(state string, at, whom []*station) fact {
	return func() string {
		for _, s := range at {
			members, err := s.members()
			if err != nil {
				return err.Error()
			}
			for _, o := range whom {
				if members[o.node.Base()].State != state {
					return fmt.Sprintf("%s lists %s", s.node, states(members))
				}
			}
		}
		return ""
	}
}

// all: several facts at once.
func all(facts ...fact) fact {
	return func() string {
		for _, f := range facts {
			if text := f(); text != "" {
				return text
			}
		}
		return ""
	}
}

// since: so much time has passed since a moment.
func since(moment time.Time, d time.Duration) fact {
	return func() string {
		if left := d - time.Since(moment); left > 0 {
			return left.String() + " to go"
		}
		return ""
	}
}

// watcher keeps the events that a node tells, as `barrel events` shows them.
type watcher struct {
	mu      sync.Mutex
	partial []byte
	events  []admin.Event
	begun   chan struct{}
	ended   chan struct{}
}

// watch runs `barrel events` about the node until that ends.
func (s *station) watch() *watcher {
	s.lab.t.Helper()
	w := &watcher{begun: make(chan struct{}), ended: make(chan struct{})}
	a := &app{stdin: strings.NewReader(""), stdout: w, stderr: &note{told: w.begun}, now: time.Now, deps: realDeps()}
	go func() {
		defer close(w.ended)
		a.run([]string{"events", "--kinds", "member,node,link", "-o", "json", "--socket", s.socket()})
	}()
	select {
	case <-w.begun:
	case <-w.ended:
		s.lab.t.Fatalf("%s: events ended at once", s.node)
	}
	return w
}

// Write takes documents, one a line.
func (w *watcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.partial = append(w.partial, p...)
	for {
		line, rest, found := bytes.Cut(w.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		w.partial = rest
		var e admin.Event
		if err := json.Unmarshal(line, &e); err != nil {
			return 0, err
		}
		w.events = append(w.events, e)
	}
}

// told are the events so far that begin with a word such as "member down", of some
// nodes, or of all if none is named.
func (w *watcher) told(what string, of ...*station) (list []admin.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		concerns := len(of) == 0 || slices.ContainsFunc(of, func(s *station) bool { return s.node == e.Node })
		if concerns && strings.HasPrefix(e.Kind+" "+e.Type, what) {
			list = append(list, e)
		}
	}
	return list
}

// forget drops the events so far.
func (w *watcher) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = nil
}

// note closes a channel when something is written to it.
type note struct {
	once sync.Once
	told chan struct{}
}

func (n *note) Write(p []byte) (int, error) {
	n.once.Do(func() { close(n.told) })
	return len(p), nil
}
