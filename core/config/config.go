package config

import (
	"path/filepath"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Config is a configuration without problems. Load makes one; it is not changed
// afterwards and may be read from any goroutine.
type Config struct {
	Node      Node                `setting:"node" help:"who this node is and where it keeps its files"`
	Auth      Auth                `setting:"auth" help:"how nodes prove to each other who they are"`
	Bootstrap Bootstrap           `setting:"bootstrap" help:"how the node finds its cluster"`
	Links     Links               `setting:"links" help:"connections to other nodes"`
	Messages  Messages            `setting:"messages" help:"messages between processes"`
	Plugins   map[string]External `setting:"plugins" help:"plugins in processes of their own, by slot/name"`
	Admin     Admin               `setting:"admin" help:"the local socket that commands talk to"`
	Telemetry Telemetry           `setting:"telemetry" help:"metrics"`
	Log       Log                 `setting:"log" help:"what is written to stderr"`

	slots  []Slot
	use    map[plugin.Kind][]string
	parts  []part
	merged merged
}

// part is the section of one plugin.
type part struct {
	kind     plugin.Kind
	name     string
	settings any // what Plugin.Settings returned, or *plugin.Section of an external plugin
}

// Node is the section `node`.
type Node struct {
	Name         name.Node     `setting:"name" help:"name@host; empty: the short host name at the address of this machine"`
	Cluster      string        `setting:"cluster" help:"nodes of another cluster are refused in the handshake, by this name"`
	DataDir      string        `setting:"data_dir" help:"directory of all files of the node, below the working directory unless absolute; locked while in use"`
	Hidden       bool          `setting:"hidden" help:"send, call and be called, and be no member: for tools that look at a cluster"`
	LeaveTimeout time.Duration `setting:"leave_timeout" help:"how long leaving may take before the node just stops"`
}

// Auth is the section `auth`.
type Auth struct {
	Enabled          bool          `setting:"enabled" help:"prove keys after TLS; without it the cookie alone decides, and an attacker in between is not noticed"`
	Cookie           string        `setting:"cookie" help:"a second factor when set, the same on all nodes; proved by a MAC, never sent" secret:"true"`
	CookieFile       string        `setting:"cookie_file" help:"file to read the cookie from, instead of cookie"`
	CookieOnly       []Pattern     `setting:"cookie_only" help:"nodes that need the cookie only and no key, as probe@*; needs a cookie"`
	HandshakeTimeout time.Duration `setting:"handshake_timeout" help:"how long a handshake may take in all"`
	ClockSkew        time.Duration `setting:"clock_skew" help:"how far the clocks of two nodes may be apart"`
}

// Bootstrap is the section `bootstrap`.
type Bootstrap struct {
	ContactNodes []name.Node   `setting:"contact_nodes" help:"nodes to join through; any that answers is enough, the own name is skipped"`
	Retry        time.Duration `setting:"retry" help:"time between attempts while the node is alone"`
}

// Links is the section `links`.
type Links struct {
	IdleAfter time.Duration `setting:"idle_after" help:"a link that nobody has used for so long is closed"`
	Sweep     time.Duration `setting:"sweep" help:"time between looks for idle links"`
}

// Messages is the section `messages`.
type Messages struct {
	MaxPayload int `setting:"max_payload" help:"the largest payload of a message or an answer, in bytes; the same on all nodes"`
	Mailbox    int `setting:"mailbox" help:"messages that may wait for a process that does not say otherwise"`
}

// External is an entry of the section `plugins`.
type External struct {
	Command          string            `setting:"command" help:"absolute path of the program"`
	Args             []string          `setting:"args" help:"its arguments"`
	Env              map[string]string `setting:"env" help:"its environment; it sees these variables and none of ours" secret:"true"`
	SHA256           []string          `setting:"sha256" help:"checksums of the program in hex, one for each version or platform that may run"`
	InsecureUnpinned bool              `setting:"insecure_unpinned" help:"run the program without a checksum"`
	Timeout          time.Duration     `setting:"timeout" help:"for one call"`
	Sandbox          Sandbox           `setting:"sandbox" help:"what the process may touch; Linux 6.2 or newer, else it does not start"`
}

// Sandbox is what a confined plugin process may touch.
type Sandbox struct {
	Enabled bool     `setting:"enabled" help:"confine the process to its own socket and what stands here"`
	Read    []string `setting:"read" help:"absolute paths that it may read and execute, with all below; /usr if it needs libraries or an interpreter"`
	Write   []string `setting:"write" help:"absolute paths that it may read and change, with all below"`
	Network bool     `setting:"network" help:"let it use the network"`
}

// Defaults is where an entry starts.
func (e *External) Defaults() { e.Timeout = 5 * time.Second }

// Admin is the section `admin`.
type Admin struct {
	Socket string `setting:"socket" help:"path of the socket; empty: run/admin.sock below node.data_dir"`
}

// Telemetry is the section `telemetry`.
type Telemetry struct {
	Prometheus string `setting:"prometheus" help:"host:port to serve Prometheus metrics on, as 127.0.0.1:9568; empty: none"`
}

// Log is the section `log`.
type Log struct {
	Level  LogLevel  `setting:"level" help:"the least important lines to write"`
	Format LogFormat `setting:"format" help:"how a line looks"`
}

// LogLevel is debug, info, warn or error.
type LogLevel string

// Choices lists the levels.
func (LogLevel) Choices() []string { return []string{"debug", "info", "warn", "error"} }

// LogFormat is text or json.
type LogFormat string

// Choices lists the formats.
func (LogFormat) Choices() []string { return []string{"text", "json"} }

// fresh is a configuration with the kernel's defaults.
func fresh(slots []Slot) *Config {
	return &Config{
		Node:      Node{Cluster: "default", DataDir: "data", LeaveTimeout: 5 * time.Second},
		Auth:      Auth{Enabled: true, HandshakeTimeout: 10 * time.Second, ClockSkew: 30 * time.Second},
		Bootstrap: Bootstrap{Retry: 5 * time.Second},
		Links:     Links{IdleAfter: 5 * time.Minute, Sweep: time.Minute},
		Messages:  Messages{MaxPayload: 16 << 20, Mailbox: 1024},
		Log:       Log{Level: "info", Format: "text"},
		slots:     slots,
		use:       map[plugin.Kind][]string{},
	}
}

// Socket is the path of the admin socket that applies: admin.socket, or the one below
// the data directory.
func (c *Config) Socket() string {
	if c.Admin.Socket != "" {
		return c.Admin.Socket
	}
	return filepath.Join(c.Node.DataDir, "run", "admin.sock")
}

// Use lists the plugins that fill a slot, in the order in which they are asked.
func (c *Config) Use(kind plugin.Kind) []string { return c.use[kind] }

// Settings is the decoded section of a plugin, the pointer that its Settings function
// returned; a *plugin.Section of a plugin in a process of its own; nil if the plugin is
// neither in use nor written down.
func (c *Config) Settings(kind plugin.Kind, name string) any {
	for _, p := range c.parts {
		if p.kind == kind && p.name == name {
			return p.settings
		}
	}
	return nil
}
