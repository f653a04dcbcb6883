package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/external"
	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/membership"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/registry"
	"github.com/barrelp2p/barrel/interfaces/transport"
	"github.com/barrelp2p/barrel/interfaces/trust"
	"github.com/barrelp2p/barrel/interfaces/wire"
)

// trial is one `barrel plugin test`: a stranger's program and what is known of it.
type trial struct {
	app      *app
	spec     external.Spec
	section  plugin.Section
	like     string
	known    map[name.Node][]name.Address
	accepts  []trust.Claim
	local    bool // a registry that keeps what it has to itself
	slow     bool // a membership whose timers are long
	refuses  []trust.Claim
	start    time.Duration // for a process to get ready
	failFast bool
	stop     context.CancelFunc
	document trialDocument
}

// trialDocument is the result of plugin test.
type trialDocument struct {
	Command   string          `json:"command"`
	Kind      string          `json:"kind"`
	Name      string          `json:"name"`
	Version   string          `json:"version"`
	Contracts []string        `json:"contracts"`
	Abilities []string        `json:"abilities"`
	Kept      int             `json:"kept"`
	Broken    int             `json:"broken"`
	Sandbox   string          `json:"sandbox"` // what it may touch; empty: everything
	Checks    []trialFindings `json:"checks"`
}

type trialFindings struct {
	Check string         `json:"check"`
	Kept  bool           `json:"kept"`
	Said  []string       `json:"said"`
	Took  admin.Duration `json:"took"`
}

func (a *app) pluginTestCommand() *cobra.Command {
	f := &trialFlags{}
	cmd := a.leaf("test COMMAND", "hold a plugin against what its kind promises", func(ctx context.Context, args []string) error {
		t, err := f.trial(a, args[0])
		if err != nil {
			return err
		}
		return t.run(ctx)
	})
	cmd.Long = `Start a program as a plugin, again and again, and hold it against the conformance suite of its kind:
the life of a part, errors and deadlines, answers to nodes that nobody knows, and whatever optional
abilities it says it has. What the program knows is not known here; the more you say of it, the more
is checked.

  barrel plugin test ./discovery-mine --kind discovery --settings '{url: "http://127.0.0.1/nodes"}' --knows b@10.0.0.1=10.0.0.1:9100
  barrel plugin test ./trust-mine --kind trust --settings 'authority: 5f1c...' --accepts b@10.0.0.1=9a2d...
  barrel plugin test ./transport-mine --kind transport --settings 'listen: "127.0.0.1:0"'
  barrel plugin test ./membership-mine --kind membership --settings 'suspect_timeout: 200ms'
  barrel plugin test ./registry-mine --kind registry

A membership and a registry are tried in clusters of their own kind, in a network in memory that
is cut and healed: the shorter their timers, the sooner it is over.`
	f.define(cmd)
	a.outputFlag(cmd)
	return cmd
}

func (t *trial) run(ctx context.Context) error {
	t.document.Command, t.document.Kind = t.spec.Command, string(t.spec.Kind)
	t.document.Checks, t.document.Contracts, t.document.Abilities = []trialFindings{}, []string{}, []string{}
	trying, stop := context.WithCancel(ctx)
	defer stop()
	t.stop = stop
	if t.introduce(trying) {
		if finding := t.strangeSettings(trying); trying.Err() == nil {
			t.tell(finding)
		}
		t.suite(trying)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return t.conclude()
}

// introduce starts the process once; without that nothing else makes sense.
func (t *trial) introduce(ctx context.Context) bool {
	finding, begun := plugintest.Finding{Check: "it greets, says who it is, and ends when it is told to"}, time.Now()
	said, problems, err := t.ask(ctx, t.section)
	if err != nil {
		finding.Said = append(finding.Said, err.Error())
	}
	for _, p := range problems {
		finding.Said = append(finding.Said, fmt.Sprintf("settings: %s: %s; %s: say --settings", p.Path, p.Text, p.Hint))
	}
	if said.Version == "" && err == nil {
		finding.Said = append(finding.Said, "it does not say its version")
	}
	finding.Took = time.Since(begun)
	t.document.Name, t.document.Version = said.Name, said.Version
	t.document.Contracts, t.document.Abilities = notNil(said.Contracts), notNil(said.Abilities)
	if t.spec.Sandbox != nil {
		t.document.Sandbox = t.spec.Sandbox.String()
	}
	if !t.app.json() && said.Name != "" {
		_, _ = fmt.Fprintf(t.app.stdout, "%s\n%s\n", introduction(said), t.confinement())
	}
	t.tell(finding)
	return err == nil && len(problems) == 0
}

func introduction(d wire.Description) string {
	text := fmt.Sprintf("%s/%s %s: %s", d.Kind, d.Name, d.Version, d.Summary)
	if len(d.Abilities) > 0 {
		text += "; it can " + strings.Join(d.Abilities, ", ")
	}
	return clean(text)
}

// confinement is a line about the sandbox, or nothing.
func (t *trial) confinement() string {
	if t.document.Sandbox == "" {
		return ""
	}
	return clean("in a sandbox: "+t.document.Sandbox) + "\n"
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func (t *trial) ask(ctx context.Context, section plugin.Section) (wire.Description, []plugin.Problem, error) {
	return external.Check(ctx, t.spec, t.options(), section, slog.New(slog.DiscardHandler))
}

func (t *trial) options() external.Options {
	o := processOptions()
	o.Strict, o.Health, o.Start = true, 50*time.Millisecond, t.start
	return o
}

// strangeSettings: a typing error that nobody notices is a setting that does nothing.
func (t *trial) strangeSettings(ctx context.Context) plugintest.Finding {
	finding, begun := plugintest.Finding{Check: "settings that it does not know are refused"}, time.Now()
	section := plugin.Section{}
	for key, value := range t.section {
		section[key] = value
	}
	section["no_such_setting"] = true
	switch _, problems, err := t.ask(ctx, section); {
	case err != nil:
		finding.Said = append(finding.Said, err.Error())
	case len(problems) == 0:
		finding.Said = append(finding.Said, `it took the setting "no_such_setting" and said nothing`)
	}
	finding.Took = time.Since(begun)
	return finding
}

func (t *trial) suite(ctx context.Context) {
	switch t.spec.Kind {
	case plugin.Transport:
		plugintest.TransportReport(ctx, plugintest.TransportHarness{New: t.transport, Nobody: t.nobody}, t.tell)
	case plugin.Discovery:
		plugintest.DiscoveryReport(ctx, plugintest.DiscoveryHarness{
			Foreign: true, Known: t.known,
			New: func(on plugintest.T, env plugin.Env, _ map[name.Node][]name.Address) discovery.Plugin {
				return candidate(on, t, external.Discovery(t.spec, t.options()), env)
			},
		}, t.tell)
	case plugin.Trust:
		plugintest.TrustReport(ctx, plugintest.TrustHarness{
			Foreign: t.like == "", AcceptsUnknown: t.like == "tofu", Accepts: t.accepts, Refuses: t.refuses,
			New: func(on plugintest.T, env trust.Env) trust.Plugin {
				return candidate(on, t, external.Trust(t.spec, t.options()), env)
			},
		}, t.tell)
	case plugin.Membership:
		plugintest.MembershipReport(ctx, plugintest.MembershipHarness{
			Slow: t.slow,
			New: func(on plugintest.T, env membership.Env) membership.Plugin {
				return candidate(on, t, external.Membership(t.spec, t.options()), env)
			},
		}, t.tell)
	case plugin.Registry:
		plugintest.RegistryReport(ctx, plugintest.RegistryHarness{
			Replicates: !t.local,
			New: func(on plugintest.T, env registry.Env) registry.Plugin {
				return candidate(on, t, external.Registry(t.spec, t.options()), env)
			},
		}, t.tell)
	}
}

// candidate is one more of the plugin under test.
func candidate[P plugin.Part, E any](on plugintest.T, t *trial, factory plugin.Factory[P, E], env E) P {
	section := t.section
	p, err := factory.New(env, &section)
	if err != nil {
		on.Fatalf("%v", err)
	}
	return p
}

func (t *trial) transport(on plugintest.T, node string) transport.Plugin {
	return candidate(on, t, external.Transport(t.spec, t.options()), plugintest.Env(on, node))
}

// nobody is where somebody listens who says nothing.
func (*trial) nobody(on plugintest.T) name.Address {
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		on.Fatalf("%v", err)
	}
	on.Cleanup(func() { _ = socket.Close() })
	return name.AddressFrom(socket.LocalAddr().(*net.UDPAddr).AddrPort())
}

// tell notes a finding and shows it at once.
func (t *trial) tell(f plugintest.Finding) {
	if !t.concerns(f.Check) {
		return
	}
	kept := len(f.Said) == 0
	t.document.Checks = append(t.document.Checks, trialFindings{
		Check: f.Check, Kept: kept, Said: notNil(f.Said), Took: admin.Duration(f.Took),
	})
	word := "ok  "
	if kept {
		t.document.Kept++
	} else {
		t.document.Broken++
		word = "FAIL"
		if t.failFast {
			t.stop()
		}
	}
	if t.app.json() {
		return
	}
	_, _ = fmt.Fprintf(t.app.stdout, "%s  %-55s %s\n", word, f.Check, f.Took.Round(time.Millisecond))
	for _, said := range f.Said {
		for line := range strings.SplitSeq(strings.TrimRight(said, "\n"), "\n") {
			_, _ = fmt.Fprintf(t.app.stdout, "      %s\n", clean(line))
		}
	}
}

// concerns is false for a check of an ability that the plugin does not claim to have.
func (t *trial) concerns(check string) bool {
	for word, ability := range map[string]string{
		"publish": wire.AbilityPublish, "withdraw": wire.AbilityPublish, "listing": wire.AbilityList, "watch": wire.AbilityWatch,
	} {
		if strings.HasPrefix(check, word) && !slices.Contains(t.document.Abilities, ability) {
			return false
		}
	}
	return true
}

func (t *trial) conclude() error {
	if t.app.json() {
		if err := t.app.show(t.document, nil); err != nil {
			return err
		}
	} else {
		_, _ = fmt.Fprintf(t.app.stdout, "\n%d promises kept, %d broken\n", t.document.Kept, t.document.Broken)
		if hint := t.hint(); hint != "" {
			_, _ = fmt.Fprintln(t.app.stdout, hint)
		}
	}
	if t.document.Broken > 0 {
		return shown(admin.KindFailed)
	}
	return nil
}

// hint says what would make the report worth more.
func (t *trial) hint() string {
	switch {
	case t.spec.Kind == plugin.Discovery && len(t.known) == 0:
		return "no answer was compared with the truth: say what it knows with --knows NODE=ADDRESS"
	case t.spec.Kind == plugin.Trust && t.like == "" && len(t.accepts) == 0:
		return "nobody was accepted: say whom it should accept with --accepts NODE=KEY"
	}
	return ""
}

// trialFlags is what the command line says of a stranger's program.
type trialFlags struct {
	kind, settings, like             string
	args, env, knows, accept, refuse []string
	read, write                      []string
	timeout, start                   time.Duration
	failFast, sandbox, network       bool
	local, slow                      bool
}

func (f *trialFlags) define(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.kind, "kind", "", "what it should be: transport, discovery, trust, membership or registry")
	flags.StringVar(&f.settings, "settings", "", "its settings, as YAML or JSON, or @FILE")
	flags.StringArrayVar(&f.args, "arg", nil, "an argument of the program; may be repeated")
	flags.StringArrayVar(&f.env, "env", nil, "KEY=VALUE of its environment; may be repeated")
	flags.StringArrayVar(&f.knows, "knows", nil, "NODE=ADDRESS[,ADDRESS] that a discovery plugin knows; may be repeated")
	flags.StringArrayVar(&f.accept, "accepts", nil, "NODE=KEY in hex that a trust plugin accepts; may be repeated")
	flags.StringArrayVar(&f.refuse, "refuses", nil, "NODE=KEY in hex that a trust plugin refuses; may be repeated")
	flags.StringVar(&f.like, "like", "", "tofu or strict: a trust plugin that goes by the pins of the host as that one does")
	flags.BoolVar(&f.local, "local", false, "a registry that keeps what it has to itself, as memory does")
	flags.BoolVar(&f.slow, "slow", false, "a membership whose timers are long: leave out what waits for several of them")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Second, "for one call")
	flags.DurationVar(&f.start, "start-timeout", 10*time.Second, "for a process to get ready")
	flags.BoolVar(&f.failFast, "fail-fast", false, "stop at the first broken promise")
	flags.BoolVar(&f.sandbox, "sandbox", false, "confine it to its own socket and what the next three grant")
	flags.StringArrayVar(&f.read, "read", nil, "a path that it may read and execute in its sandbox; may be repeated")
	flags.StringArrayVar(&f.write, "write", nil, "a path that it may change in its sandbox; may be repeated")
	flags.BoolVar(&f.network, "network", false, "let it use the network in its sandbox")
	_ = cmd.MarkFlagRequired("kind")
}

func (f *trialFlags) trial(a *app, command string) (*trial, error) {
	kind := plugin.Kind(f.kind)
	if kinds := plugin.Kinds(); !slices.Contains(kinds, kind) {
		return nil, usage("--kind %q: one of %v", f.kind, kinds)
	}
	if !slices.Contains([]string{"", "tofu", "strict"}, f.like) {
		return nil, usage("--like %q: tofu or strict", f.like)
	}
	t := &trial{app: a, like: f.like, local: f.local, slow: f.slow, failFast: f.failFast, start: f.start, known: map[name.Node][]name.Address{}}
	var err error
	if t.spec, err = f.spec(kind, command); err != nil {
		return nil, err
	}
	if t.section, err = readSection(f.settings); err != nil {
		return nil, err
	}
	for _, text := range f.knows {
		if err := t.learn(text); err != nil {
			return nil, err
		}
	}
	if t.accepts, err = claims(f.accept); err != nil {
		return nil, err
	}
	t.refuses, err = claims(f.refuse)
	return t, err
}
