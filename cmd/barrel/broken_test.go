package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/sdk"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// beBroken is the program "broken" of these tests: a plugin that breaks the promise
// that its argument names, and keeps the others.
func beBroken() {
	flaw := os.Args[1]
	switch flaw {
	case "never greets":
		select {}
	case "dies before it greets":
		_, _ = fmt.Fprintln(os.Stderr, "no such host: consul.internal")
		os.Exit(1)
	case "greets in another version":
		fmt.Println("1|7|unix|/tmp/x|grpc|")
		select {}
	}
	switch kind, rest, _ := strings.Cut(flaw, ": "); kind {
	case "trust":
		sdk.Serve(brokenTrust(rest), sdk.Version("1"))
	case "membership":
		sdk.Serve(brokenMembership(rest), sdk.Version("1"))
	case "registry":
		sdk.Serve(brokenRegistry(rest), sdk.Version("1"))
	case "transport":
		sdk.Serve(brokenTransport(rest), sdk.Version("1"))
	}
	sdk.Serve(brokenDiscovery(flaw), sdk.Version("1"))
}

type brokenSettings struct {
	Anything map[string]string `setting:"anything" help:"whatever"`
}

func brokenDiscovery(flaw string) discovery.Factory {
	return plugin.Define("broken", "breaks one promise", func() *brokenSettings { return &brokenSettings{} },
		func(env discovery.Env, _ *brokenSettings) (discovery.Plugin, error) {
			return &brokenBackend{flaw: flaw, env: env}, nil
		})
}

// brokenBackend knows what was published and one node.
type brokenBackend struct {
	flaw string
	env  discovery.Env

	mu        sync.Mutex
	published []discovery.Record
	watchers  []chan name.Node
}

func (b *brokenBackend) Start(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers = []chan name.Node{}
	return nil
}

func (b *brokenBackend) Stop(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.flaw == "hangs in stop" {
		select {}
	}
	if b.flaw == "crashes in stop" {
		os.Exit(4)
	}
	if b.flaw != "watch does not end" {
		for _, w := range b.watchers {
			close(w)
		}
		b.watchers = b.watchers[:0]
	}
	return nil
}

func (b *brokenBackend) Health() plugin.Health {
	if b.flaw == "is never well" {
		return plugin.Health{State: plugin.Failed, Detail: "no idea"}
	}
	return plugin.Health{State: plugin.Healthy}
}

func (b *brokenBackend) Lookup(ctx context.Context, node name.Node) (discovery.Answer, error) {
	if err := ctx.Err(); err != nil && b.flaw != "ignores the context" {
		return discovery.Answer{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.published {
		if r.Node == node {
			return discovery.Answer{Endpoints: slices.Clone(r.Endpoints)}, nil
		}
	}
	if node.Base() == "known" {
		at := "10.0.0.1:9100"
		if b.flaw == "lies about addresses" {
			at = "10.66.66.66:9100"
		}
		return discovery.Answer{Endpoints: []name.Address{name.MustAddress(at)}}, nil
	}
	switch b.flaw {
	case "empty for not found":
		return discovery.Answer{}, nil
	case "an error for not found":
		return discovery.Answer{}, errors.New("404")
	case "knows everybody":
		return discovery.Answer{Endpoints: []name.Address{name.MustAddress("10.0.0.9:1")}}, nil
	case "panics":
		panic("nil map")
	case "crashes":
		os.Exit(4)
	case "is slow":
		time.Sleep(time.Minute)
	}
	return discovery.Answer{}, discovery.ErrNotFound
}

func (b *brokenBackend) Publish(_ context.Context, record discovery.Record) error {
	if b.flaw == "cannot publish" {
		return errors.New("read only")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.flaw != "publish adds" {
		b.published = nil
	}
	b.published = append(b.published, record)
	return nil
}

func (b *brokenBackend) Withdraw(context.Context, name.Node) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.flaw != "withdraw forgets" {
		b.published = nil
	}
	return nil
}

func (b *brokenBackend) Watch(ctx context.Context) (<-chan name.Node, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := make(chan name.Node)
	b.watchers = append(b.watchers, w)
	return w, nil
}

func brokenTrust(flaw string) trust.Factory {
	return plugin.Define("broken", "breaks one promise", plugin.NoDefaults,
		func(env trust.Env, _ *plugin.NoSettings) (trust.Plugin, error) {
			return &brokenDecider{flaw: flaw}, nil
		})
}

// brokenDecider knows friend@10.0.0.1 with the key of ones.
type brokenDecider struct {
	flaw string

	mu      sync.Mutex
	running bool
}

func (d *brokenDecider) Start(context.Context) error { d.set(true); return nil }
func (d *brokenDecider) Stop(context.Context) error  { d.set(false); return nil }

func (d *brokenDecider) set(running bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running = running
}

func (d *brokenDecider) Decide(_ context.Context, claim trust.Claim) error {
	d.mu.Lock()
	running := d.running
	d.mu.Unlock()
	friend := claim.Node.String() == "friend@10.0.0.1" && claim.Key == trust.Key(bytes.Repeat([]byte{0x11}, 32))
	switch {
	case d.flaw == "trusts everybody", d.flaw == "trusts the nameless" && claim.Node.IsZero():
		return nil
	case !running:
		return errors.New("not running")
	case d.flaw == "trusts nobody" || !friend:
		if d.flaw == "says no for no reason" {
			return errors.New("no")
		}
		if d.flaw == "talks too much" {
			return fmt.Errorf("%w: %s: %s", trust.ErrUntrusted, claim.Node, strings.Repeat("because ", 500))
		}
		return fmt.Errorf("%w: %s", trust.ErrUntrusted, claim.Node)
	}
	return nil
}

// tried is what `barrel plugin test` says of a broken plugin.
func tried(t *testing.T, flaw string) (broken []trialFindings, document trialDocument) {
	t.Helper()
	args := []string{"plugin", "test", wrapScript(t, "broken"), "--arg", flaw, "--timeout", "1s", "--fail-fast", "-o", "json", "--env", "GORACE=atexit_sleep_ms=0"}
	if flaw == "never greets" {
		args = append(args, "--start-timeout", "1s")
	}
	switch kind, _, of := strings.Cut(flaw, ": "); {
	case !of:
		args = append(args, "--kind", "discovery", "--knows", "known@10.0.0.1=10.0.0.1:9100")
	case kind == "trust":
		args = append(args, "--kind", kind, "--accepts", "friend@10.0.0.1="+strings.Repeat("11", 32), "--refuses", "friend@10.0.0.1="+strings.Repeat("22", 32))
	default:
		args = append(args, "--kind", kind, "--local")
	}
	return judged(t, args...)
}

// judged is what one `barrel plugin test` says.
func judged(t *testing.T, args ...string) (broken []trialFindings, document trialDocument) {
	t.Helper()
	var out, complaints bytes.Buffer
	a := newApp()
	a.stdout, a.stderr = &out, &complaints
	status := a.run(args)
	if err := json.Unmarshal(out.Bytes(), &document); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), complaints.String())
	}
	for _, c := range document.Checks {
		if !c.Kept {
			broken = append(broken, c)
		}
	}
	if (len(broken) > 0) != (status == 1) || status > 1 {
		t.Errorf("%d promises broken and status %d", len(broken), status)
	}
	return broken, document
}

func TestBrokenPluginsFailForTheRightReason(t *testing.T) {
	t.Parallel()
	greets := "it greets, says who it is, and ends when it is told to"
	tests := map[string]struct{ check, said string }{
		"never greets":              {greets, "did not become ready within 1s"},
		"dies before it greets":     {greets, "no such host: consul.internal"},
		"greets in another version": {greets, "no version in common"},
		"hangs in stop":             {"life cycle", "stop"},
		"crashes in stop":           {"life cycle", "exit status 4"},
		"is never well":             {"health is a known state", "no idea"},
		"lies about addresses":      {"known node is answered", "10.66.66.66"},
		"empty for not found":       {"unknown node is not found", "neither endpoints nor a reason"},
		"an error for not found":    {"unknown node is not found", "404"},
		"knows everybody":           {"unknown node is not found", "10.0.0.9:1"},
		"panics":                    {"unknown node is not found", "panicked: nil map"},
		"crashes":                   {"unknown node is not found", "plugin is gone: exit status 4"},
		"is slow":                   {"unknown node is not found", "no answer within 1s"},
		"cannot publish":            {"published node is found", "read only"},
		"publish adds":              {"publish replaces", "9300"},
		"withdraw forgets":          {"withdrawn node is not found", "9200"},
		"trust: trusts everybody":   {"refuses whom it should", "accepted"},
		"trust: trusts the nameless": {
			"claim without name or key is refused", "accepted"},
		"trust: trusts nobody":         {"accepts whom it should", "refused"},
		"trust: says no for no reason": {"refuses whom it should", "neither untrusted nor a key mismatch"},
		"trust: talks too much":        {"refuses whom it should", "in one line of at most"},

		"membership: joins through itself":       {"join tells why not", "Join through itself: no error"},
		"membership: says no good-bye":           {"two nodes join", "is left: not within"},
		"registry: never removes":                {"remove", "ids [1 2], want [2]"},
		"registry: does not say whose it is":     {"only the owner writes", "want ErrNotOwner"},
		"transport: says nothing of where it is": {"addresses", "Addresses after Start: []"},
		"transport: does not say why":            {"dial nobody", "want nobody answers"},
	}
	for flaw, want := range tests {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			broken, _ := tried(t, flaw)
			if len(broken) == 0 {
				t.Fatal("nothing was found broken")
			}
			if broken[0].Check != want.check || !strings.Contains(strings.Join(broken[0].Said, "\n"), want.said) {
				t.Errorf("found %+v, want %q to say %q", broken, want.check, want.said)
			}
		})
	}
}

// The host ends a watch and a call that are not wanted any more, whatever the plugin does.
func TestSomePromisesAreKeptByTheHost(t *testing.T) {
	t.Parallel()
	for _, flaw := range []string{"watch does not end", "ignores the context"} {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			if broken, _ := tried(t, flaw); len(broken) > 0 {
				t.Errorf("broken: %+v", broken)
			}
		})
	}
}

func TestAbilitiesThatAPluginDoesNotHaveAreNotChecked(t *testing.T) {
	for check, want := range map[string]bool{"publish replaces": false, "withdraw of nothing is fine": false, "watcher tells of a change": false, "listing is sorted and whole": true, "life cycle": true} {
		if got := (&trial{document: trialDocument{Abilities: []string{"list"}}}).concerns(check); got != want {
			t.Errorf("%s: %v", check, got)
		}
	}
}

func TestAPluginThatKeepsItsPromisesPasses(t *testing.T) {
	t.Parallel()
	for _, flaw := range []string{"none", "trust: none"} {
		broken, document := tried(t, flaw)
		if len(broken) > 0 || document.Kept < 10 || document.Version != "1" || document.Name != "broken" {
			t.Errorf("%s: %+v", flaw, document)
		}
	}
}

// TestOurOwnPluginsAreTriedLikeAnybodys: a membership and a registry can be tried too, in
// clusters of their own kind.
func TestOurOwnPluginsAreTriedLikeAnybodys(t *testing.T) {
	t.Parallel()
	for name, more := range map[string][]string{
		"registry/memory": {"--local"},
		"membership/full": {"--slow", "--settings", "{retry: 20ms, retry_max: 100ms, suspect_timeout: 200ms, dial_timeout: 1s, join_timeout: 5s, sync_period: 200ms}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind, _, _ := strings.Cut(name, "/")
			args := []string{"plugin", "test", wrapScript(t, "barrel"), "--arg", "plugin", "--arg", "serve", "--arg", name, "--kind", kind, "-o", "json"}
			if broken, document := judged(t, append(args, more...)...); len(broken) > 0 || document.Kept < 10 {
				t.Errorf("%d kept, broken: %+v", document.Kept, broken)
			}
		})
	}
}
