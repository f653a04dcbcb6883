package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/proto/pluginv1"
)

// The words for optional abilities.
const (
	AbilityReload  = "reload"
	AbilityPublish = "publish"
	AbilityList    = "list"
	AbilityWatch   = "watch"
	AbilityPins    = "pins"
	AbilityVet     = "vet"
	AbilityFind    = "find"
	AbilityRotate  = "rotate-certificate"
)

// CallHeader is the metadata under which a host names a call, so that the logs of both
// sides can be put together.
const CallHeader = "barrel-call"

// The bounds on what is read of a plugin.
const (
	maxProblems = 1000
	maxWords    = 64
)

// Description is what a plugin says of itself.
type Description struct {
	Kind      plugin.Kind
	Name      string
	Version   string
	Summary   string
	Contracts []string
	Abilities []string
	// Sockets is the directory in which the process has its sockets: not what it says, but
	// what whoever started it knows; empty if nobody did.
	Sockets string
}

// Can reports whether the plugin has an optional ability.
func (d Description) Can(ability string) bool { return slices.Contains(d.Abilities, ability) }

// Plugin is the host half of what every plugin process can be asked. Safe for
// concurrent use.
type Plugin struct {
	client pluginv1.PluginClient
	said   atomic.Pointer[Description] // nil: not asked yet
}

var _ plugin.Facade = (*Plugin)(nil)

// NewPlugin asks over a connection.
func NewPlugin(conn grpc.ClientConnInterface) *Plugin {
	return &Plugin{client: pluginv1.NewPluginClient(conn)}
}

// Describe asks who the plugin is. host is the version of this program, contracts are
// those it knows of the kind, the one it prefers first.
func (p *Plugin) Describe(ctx context.Context, host string, contracts []string) (Description, error) {
	answer, err := p.client.Describe(ctx, &pluginv1.DescribeRequest{Host: host, Contracts: contracts})
	if err != nil {
		return Description{}, fmt.Errorf("describe: %w", fromStatus(ctx, err))
	}
	d := Description{
		Kind: plugin.Kind(text(answer.GetKind())), Name: text(answer.GetName()), Version: text(answer.GetVersion()),
		Summary: text(answer.GetSummary()), Contracts: words(answer.GetContracts()), Abilities: words(answer.GetAbilities()),
	}
	p.said.Store(&d)
	return d, nil
}

// Can reports whether the plugin has an optional ability; false before Describe.
func (p *Plugin) Can(ability string) bool {
	d := p.said.Load()
	return d != nil && d.Can(ability)
}

func words(in []string) []string {
	out := make([]string, 0, min(len(in), maxWords))
	for _, word := range in[:min(len(in), maxWords)] {
		out = append(out, text(word))
	}
	return out
}

// Validate asks what is wrong with settings.
func (p *Plugin) Validate(ctx context.Context, section map[string]any) ([]plugin.Problem, error) {
	encoded, err := encode(section)
	if err != nil {
		return nil, err
	}
	answer, err := p.client.Validate(ctx, &pluginv1.ValidateRequest{Settings: encoded})
	if err != nil {
		return nil, fmt.Errorf("validate: %w", fromStatus(ctx, err))
	}
	return problems(answer.GetProblems()), nil
}

// Configure has the plugin made. With problems it is not.
func (p *Plugin) Configure(ctx context.Context, env plugin.Env, section map[string]any, contract string) ([]plugin.Problem, error) {
	encoded, err := encode(section)
	if err != nil {
		return nil, err
	}
	answer, err := p.client.Configure(ctx, &pluginv1.ConfigureRequest{
		Environment: &pluginv1.Environment{
			Node: env.Node.String(), Cluster: env.Cluster, Incarnation: env.Incarnation, DataDir: env.DataDir, Launch: env.Launch,
		},
		Settings: encoded, Contract: contract,
	})
	if err = called(ctx, err, answer.GetError()); err != nil {
		return nil, fmt.Errorf("configure: %w", err)
	}
	return problems(answer.GetProblems()), nil
}

// Start starts the plugin.
func (p *Plugin) Start(ctx context.Context) error {
	answer, err := p.client.Start(ctx, &pluginv1.StartRequest{})
	return called(ctx, err, answer.GetError())
}

// Stop stops it.
func (p *Plugin) Stop(ctx context.Context) error {
	answer, err := p.client.Stop(ctx, &pluginv1.StopRequest{})
	return called(ctx, err, answer.GetError())
}

// Change gives the plugin new settings. With problems or an error the old ones stay.
func (p *Plugin) Change(ctx context.Context, section map[string]any) ([]plugin.Problem, error) {
	encoded, err := encode(section)
	if err != nil {
		return nil, err
	}
	answer, err := p.client.Reload(ctx, &pluginv1.ReloadRequest{Settings: encoded})
	return problems(answer.GetProblems()), called(ctx, err, answer.GetError())
}

// Ask asks how the plugin is. A word that is no state is taken for degraded.
func (p *Plugin) Ask(ctx context.Context) (plugin.Health, error) {
	answer, err := p.client.Health(ctx, &pluginv1.HealthRequest{})
	if err != nil {
		return plugin.Health{}, fmt.Errorf("health: %w", fromStatus(ctx, err))
	}
	health := plugin.Health{State: plugin.State(answer.GetState()), Detail: text(answer.GetDetail())}
	if !slices.Contains([]plugin.State{plugin.New, plugin.Healthy, plugin.Degraded, plugin.Stopped, plugin.Failed}, health.State) {
		health = plugin.Health{State: plugin.Degraded, Detail: fmt.Sprintf("says that it is %q: %s", text(string(health.State)), health.Detail)}
	}
	return health, nil
}

// Health asks with a deadline of its own. Whoever is asked often keeps the last answer
// instead, as core/external does.
func (p *Plugin) Health() plugin.Health {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	health, err := p.Ask(ctx)
	if err != nil {
		return plugin.Health{State: plugin.Degraded, Detail: err.Error()}
	}
	return health
}

func problems(in []*pluginv1.Problem) []plugin.Problem {
	var out []plugin.Problem
	for _, p := range in[:min(len(in), maxProblems)] {
		out = append(out, plugin.Problem{Path: text(p.GetPath()), Text: text(p.GetText()), Hint: text(p.GetHint())})
	}
	return out
}

func encode(section map[string]any) ([]byte, error) {
	if section == nil {
		section = map[string]any{}
	}
	encoded, err := json.Marshal(section)
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	return encoded, nil
}

// Guest is the plugin half's view of the plugin: what it is, and how it is made. Part
// is what has been made, with an error until then. Decode and Make may be nil for a
// plugin that is there already.
type Guest struct {
	Description Description
	Decode      func(section map[string]any) (settings any, problems []plugin.Problem)
	Make        func(env plugin.Env, settings any) error // env without Log and Tasks
	Part        func() (plugin.Part, error)
}

// Serve offers a guest.
func Serve(s grpc.ServiceRegistrar, g Guest) {
	pluginv1.RegisterPluginServer(s, &guestServer{guest: g})
}

// guestServer is the plugin half of Plugin.
type guestServer struct {
	pluginv1.UnimplementedPluginServer

	guest Guest
}

func (s *guestServer) Describe(context.Context, *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error) {
	d := s.guest.Description
	return &pluginv1.DescribeResponse{
		Kind: string(d.Kind), Name: d.Name, Version: d.Version, Summary: d.Summary,
		Contracts: d.Contracts, Abilities: d.Abilities,
	}, nil
}

func (s *guestServer) decode(encoded []byte) (any, []plugin.Problem) {
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	var section map[string]any
	if err := decoder.Decode(&section); err != nil {
		return nil, []plugin.Problem{{Text: "cannot be read: " + err.Error()}}
	}
	if s.guest.Decode == nil {
		return nil, []plugin.Problem{{Text: "this plugin takes no settings"}}
	}
	return s.guest.Decode(section)
}

func (s *guestServer) Validate(_ context.Context, in *pluginv1.ValidateRequest) (*pluginv1.ValidateResponse, error) {
	_, found := s.decode(in.GetSettings())
	return &pluginv1.ValidateResponse{Problems: problemsToWire(found)}, nil
}

func problemsToWire(in []plugin.Problem) []*pluginv1.Problem {
	var out []*pluginv1.Problem
	for _, p := range in {
		out = append(out, &pluginv1.Problem{Path: p.Path, Text: text(p.Text), Hint: text(p.Hint)})
	}
	return out
}

func (s *guestServer) Configure(_ context.Context, in *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	settings, found := s.decode(in.GetSettings())
	if len(found) > 0 {
		return &pluginv1.ConfigureResponse{Problems: problemsToWire(found)}, nil
	}
	lent := in.GetEnvironment()
	node, err := name.ParseNode(lent.GetNode())
	if err == nil {
		err = s.guest.Make(plugin.Env{
			Node: node, Cluster: lent.GetCluster(), Incarnation: lent.GetIncarnation(), DataDir: lent.GetDataDir(), Launch: lent.GetLaunch(),
		}, settings)
	}
	return &pluginv1.ConfigureResponse{Error: toWire(err)}, nil
}

func (s *guestServer) Start(ctx context.Context, _ *pluginv1.StartRequest) (*pluginv1.StartResponse, error) {
	part, err := s.guest.Part()
	if err == nil {
		err = part.Start(ctx)
	}
	return &pluginv1.StartResponse{Error: toWire(err)}, nil
}

func (s *guestServer) Stop(ctx context.Context, _ *pluginv1.StopRequest) (*pluginv1.StopResponse, error) {
	part, err := s.guest.Part()
	if err == nil {
		err = part.Stop(ctx)
	}
	return &pluginv1.StopResponse{Error: toWire(err)}, nil
}

func (s *guestServer) Reload(ctx context.Context, in *pluginv1.ReloadRequest) (*pluginv1.ReloadResponse, error) {
	part, err := s.guest.Part()
	if err != nil {
		return &pluginv1.ReloadResponse{Error: toWire(err)}, nil
	}
	reloader, ok := part.(plugin.Reloader)
	if !ok {
		return &pluginv1.ReloadResponse{Error: toWire(plugin.ErrUnsupported)}, nil
	}
	settings, found := s.decode(in.GetSettings())
	if len(found) > 0 {
		return &pluginv1.ReloadResponse{Problems: problemsToWire(found)}, nil
	}
	return &pluginv1.ReloadResponse{Error: toWire(reloader.Reload(ctx, settings))}, nil
}

func (s *guestServer) Health(context.Context, *pluginv1.HealthRequest) (*pluginv1.HealthResponse, error) {
	health := plugin.Health{State: plugin.Healthy}
	if part, err := s.guest.Part(); err != nil {
		health = plugin.Health{State: plugin.New}
	} else if reporter, ok := part.(plugin.HealthReporter); ok {
		health = reporter.Health()
	}
	return &pluginv1.HealthResponse{State: string(health.State), Detail: text(health.Detail)}, nil
}
