package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// world is an authority and what it has handed out.
type world struct {
	plugintest.T
	dir      string
	settings *Settings
}

func newWorld(t plugintest.T) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir(), settings: &Settings{}}
	out := w.do("init")
	w.settings.Authority = strings.TrimSpace(strings.TrimPrefix(out, "authority: "))
	w.settings.Certificates = filepath.Join(w.dir, "certificates")
	w.settings.Revoked = filepath.Join(w.dir, "revoked")
	if err := os.Mkdir(w.settings.Certificates, 0o700); err != nil {
		t.Fatalf("%v", err)
	}
	w.revoke()
	return w
}

func (w *world) do(verb string, args ...string) string {
	w.Helper()
	var out bytes.Buffer
	if err := office(verb, append([]string{"-dir", filepath.Join(w.dir, "authority")}, args...), &out); err != nil {
		w.Fatalf("%s: %v", verb, err)
	}
	return out.String()
}

// sign hands a certificate out and returns its serial.
func (w *world) sign(node string, key trust.Key, days string) uint64 {
	w.Helper()
	text := w.do("sign", "-node", node, "-key", key.String(), "-days", days)
	w.write(filepath.Join("certificates", node+".cert"), text)
	var c certificate
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		w.Fatalf("%v", err)
	}
	return c.Serial
}

func (w *world) revoke(serials ...uint64) {
	w.Helper()
	var words []string
	for _, serial := range serials {
		words = append(words, strconv.FormatUint(serial, 10))
	}
	w.write("revoked", w.do("revoke", "-serials", strings.Join(words, ",")))
}

func (w *world) write(file, text string) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, file), []byte(text), 0o600); err != nil {
		w.Fatalf("%v", err)
	}
}

func (w *world) policy(env trust.Env) *policy {
	w.Helper()
	made, err := Factory().New(env, w.settings)
	if err != nil {
		w.Fatalf("%v", err)
	}
	p, _ := made.(*policy)
	return p
}

func friend() trust.Claim {
	return trust.Claim{Node: name.MustNode("friend@10.0.0.1"), Key: trust.Key{1}}
}

func TestConformance(t *testing.T) {
	plugintest.Trust(t, plugintest.TrustHarness{
		Foreign: true, Accepts: []trust.Claim{friend()}, Refuses: []trust.Claim{{Node: friend().Node, Key: trust.Key{2}}},
		New: func(t plugintest.T, env trust.Env) trust.Plugin {
			w := newWorld(t)
			w.sign("friend@10.0.0.1", friend().Key, "1")
			return w.policy(env)
		},
	})
}

func TestWhomTheAuthorityVouchesFor(t *testing.T) {
	w := newWorld(t)
	p := w.policy(trust.Env{Env: plugintest.Env(t, "self@h")})
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	decide := func() error { return p.Decide(t.Context(), friend()) }
	refused := func(what, text string, kind error) {
		t.Helper()
		if err := decide(); !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("no certificate", "no certificate", trust.ErrUntrusted)
	serial := w.sign("friend@10.0.0.1", friend().Key, "1")
	if err := decide(); err != nil {
		t.Errorf("signed: %v", err)
	}
	p.now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	refused("expired", "ended at", trust.ErrUntrusted)
	p.now = time.Now
	w.revoke(serial, 7)
	refused("revoked", "was revoked", trust.ErrUntrusted)
	w.revoke(7)
	if err := decide(); err != nil {
		t.Errorf("not revoked any more: %v", err)
	}
	w.sign("friend@10.0.0.1", trust.Key{9}, "1")
	refused("another key", "another key", trust.ErrKeyMismatch)

	w.write("certificates/friend@10.0.0.1.cert", w.do("sign", "-node", "other@h", "-key", friend().Key.String()))
	refused("of another node", "is for other@h", trust.ErrUntrusted)
	w.write("certificates/friend@10.0.0.1.cert", newWorld(t).do("sign", "-node", "friend@10.0.0.1", "-key", friend().Key.String()))
	refused("of another authority", "not signed by the authority", trust.ErrUntrusted)
	w.write("certificates/friend@10.0.0.1.cert", "{")
	refused("damaged", "cannot be read", trust.ErrUntrusted)
}

// Without a list that can be trusted nobody is.
func TestAListThatCannotBeTrusted(t *testing.T) {
	w := newWorld(t)
	w.sign("friend@10.0.0.1", friend().Key, "1")
	w.settings.MaxAge = time.Hour
	p := w.policy(trust.Env{Env: plugintest.Env(t, "self@h")})
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	undecided := func(what string) {
		t.Helper()
		err := p.Decide(t.Context(), friend())
		if err == nil || errors.Is(err, trust.ErrUntrusted) || strings.Contains(err.Error(), w.dir) {
			t.Errorf("%s: %v", what, err)
		}
		if h := p.Health(); h.State != plugin.Degraded || !strings.Contains(h.Detail, "revoked") {
			t.Errorf("%s: health %v", what, h)
		}
	}
	p.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	undecided("too old")
	p.now = time.Now
	w.write("revoked", newWorld(t).do("revoke"))
	undecided("forged")
	if err := os.Remove(w.settings.Revoked); err != nil {
		t.Fatal(err)
	}
	undecided("missing")
	if err := w.policy(trust.Env{Env: plugintest.Env(t, "self@h")}).Start(t.Context()); err == nil {
		t.Error("it starts without a list")
	}
	w.revoke()
	if err := p.Decide(t.Context(), friend()); err != nil || p.Health().State != plugin.Healthy {
		t.Errorf("with a list again: %v, %v", err, p.Health())
	}
}

func TestTheOfficeRefuses(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Join(w.dir, "authority")
	for _, args := range [][]string{
		{"init"}, {"sign", "-node", "x"}, {"sign", "-node", "a@h", "-key", "12"}, {"revoke", "-serials", "x"}, {"bless"},
	} {
		if err := office(args[0], append([]string{"-dir", dir}, args[1:]...), &bytes.Buffer{}); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}

func TestValidate(t *testing.T) {
	bad := &Settings{Authority: "x", MaxAge: time.Hour}
	if got := len(bad.Validate()); got != 3 {
		t.Errorf("%d problems: %v", got, bad.Validate())
	}
}
