package core

import (
	"context"
	"fmt"
	"strings"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Reload reads the configuration again. What can change while the node runs is
// changed: the trust plugin, the settings of plugins that can reload, and plugins in
// processes of their own. Of the rest it says that a restart is needed. The answer is a
// line for each changed key:
//
//	discovery.static.nodes: live
//	trust.use: reconnect: handshakes from now on; links that are up stay
//	links.sweep: restart: changed in the file; restart the node to use it
//	plugins.discovery/mine.sha256: not changed: ...
func (c control) Reload(ctx context.Context) ([]string, error) {
	if c.node.opts.reread == nil {
		return nil, &admin.Error{Kind: admin.KindFailed, Text: "reload: this node was not made from a file"}
	}
	next, err := c.node.opts.reread()
	if err != nil {
		return nil, &admin.Error{Kind: admin.KindUsage, Text: err.Error() + "\nnothing was changed"}
	}
	keys := c.changed(next)
	done := c.reloadParts(ctx, keys, next)
	lines := []string{}
	for _, key := range keys {
		lines = append(lines, key+": "+done[ownerOf(key)].line)
	}
	c.reloaded.Store(next)
	c.resolver.Invalidate(name.Node{}) // what a backend said may be different now
	return lines, nil
}

// outcome is what came of the changed keys of a part.
type outcome struct {
	line string
	kept bool // the part is as it was, and the next reload is to say or try so again
}

// reloadParts changes each part that has changed keys, and remembers what those that
// stay as they are come from.
func (c control) reloadParts(ctx context.Context, keys []string, next *config.Config) map[string]outcome {
	changed, done := map[string][]string{}, map[string]outcome{}
	var order []string
	for _, key := range keys {
		part := ownerOf(key)
		if changed[part] == nil {
			order = append(order, part)
		}
		changed[part] = append(changed[part], key)
	}
	kept := map[string]*config.Config{}
	for _, part := range order {
		done[part] = c.reloadPart(ctx, part, changed[part], next)
		if done[part].kept {
			kept[part] = c.configOf(part)
		}
	}
	c.own.set(kept)
	return done
}

// configNow is the configuration as last read.
func (l *life) configNow() *config.Config {
	if cfg := l.reloaded.Load(); cfg != nil {
		return cfg
	}
	return l.node.cfg
}

// What a changed key means.
const (
	isLive         = "live"
	needsReconnect = "reconnect: handshakes from now on; links that are up stay"
	needsRestart   = "restart: changed in the file; restart the node to use it"
)

// ownerOf is the part that a key belongs to: "discovery/static" for
// "discovery.static.nodes", "discovery/mine" for "plugins.discovery/mine.sha256", "trust" for "trust.use", "" for what no part owns.
func ownerOf(key string) string {
	words := strings.SplitN(key, ".", 3)
	switch {
	case words[0] == "plugins" && len(words) > 1:
		return words[1]
	case key == "trust.use":
		return "trust"
	case len(words) < 3 || words[1] == "use":
		return ""
	}
	return words[0] + "/" + words[1]
}

func (c control) reloadPart(ctx context.Context, part string, keys []string, next *config.Config) outcome {
	if part == "trust" {
		return outcomeOf(c.reloadTrust(ctx, next), needsReconnect)
	}
	if done, err := c.reloadProcess(ctx, part, keys, next); done {
		return outcomeOf(err, isLive)
	}
	if r, ok := c.plugin(part).(plugin.Reloader); ok {
		kind, use := splitID(part)
		if settings := next.Settings(plugin.Kind(kind), use); settings != nil {
			return outcomeOf(r.Reload(ctx, settings), isLive)
		}
	}
	return outcome{needsRestart, true}
}

// reloadTrust puts another plugin into the trust slot.
func (c control) reloadTrust(ctx context.Context, next *config.Config) error {
	mode := next.Use(plugin.Trust)[0]
	p, err := c.newTrust(mode, next)
	if err != nil {
		return err
	}
	return c.exchangeTrust(ctx, mode, p)
}

func outcomeOf(err error, done string) outcome {
	if err != nil {
		return outcome{fmt.Sprintf("not changed: %v", err), true}
	}
	return outcome{done, false}
}
