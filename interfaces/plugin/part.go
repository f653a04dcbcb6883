package plugin

import (
	"context"
	"errors"
	"log/slog"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Error kinds that mean the same for plugins of every kind; test with errors.Is.
var (
	// ErrGone: the plugin cannot answer at all, for example because its process
	// ended. It is never a "no" and never an empty answer.
	ErrGone = errors.New("plugin is gone")
	// ErrUnsupported: this plugin does not have that optional ability.
	ErrUnsupported = errors.New("not supported by this plugin")
)

// Part is a thing with a life. Start returns when the part works, or with the reason
// why it cannot; ctx bounds the start only, never the life. Stop returns when nothing
// of the part runs any more; it is safe without Start and safe twice, and tidies up
// within the deadline of ctx. Start and Stop are never called at the same time.
type Part interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
}

// Reloader is the optional ability to take new settings while running. settings is a
// value of the plugin's settings type, decoded and validated. On an error the old
// settings stay in force.
type Reloader interface {
	Reload(ctx context.Context, settings any) error
}

// State says how a part is.
type State string

// The states of a part. Degraded works, with less than it should; Failed does not.
const (
	New      State = "new"
	Starting State = "starting"
	Healthy  State = "ok"
	Degraded State = "degraded"
	Stopping State = "stopping"
	Stopped  State = "stopped"
	Failed   State = "failed"
)

// Health is what a part says of itself, for people: Detail is one line, empty if
// there is nothing to say.
type Health struct {
	State  State  `json:"health"`
	Detail string `json:"detail"`
}

// HealthReporter is the optional ability to be asked for one's health. It must answer
// at once and from any goroutine.
type HealthReporter interface{ Health() Health }

// Env is what every plugin is lent. The fields are set before New and do not change.
type Env struct {
	Node        name.Node    // the node this plugin works for
	Cluster     string       // the cluster that node belongs to
	Incarnation uint64       // this life of the node; larger at each start
	Launch      uint64       // how many processes of this plugin came before in this life; 0 in-tree
	DataDir     string       // absolute; a plugin keeps its files in a folder of its own below
	Log         *slog.Logger // carries the plugin's name already; never nil
	Tasks       *Tasks       // where the plugin's goroutines run; never nil
}
