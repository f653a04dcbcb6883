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
	lines := []string{}
	done := map[string]string{}
	for _, key := range c.changed(next) {
		part := ownerOf(key)
		if _, asked := done[part]; !asked {
			done[part] = c.reloadPart(ctx, part, next)
		}
		lines = append(lines, key+": "+done[part])
	}
	c.reloaded.Store(next)
	c.replaced.forget()
	c.resolver.Invalidate(name.Node{}) // what a backend said may be different now
	return lines, nil
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

func (c control) reloadPart(ctx context.Context, part string, next *config.Config) string {
	if part == "trust" {
		return outcome(c.reloadTrust(ctx, next), needsReconnect)
	}
	if done, err := c.reloadProcess(ctx, part, next); done {
		return outcome(err, isLive)
	}
	for _, unit := range c.units {
		r, ok := unit.Part.(plugin.Reloader)
		if !ok || unit.Name != part {
			continue
		}
		kind, use := splitID(part)
		return outcome(r.Reload(ctx, next.Settings(plugin.Kind(kind), use)), isLive)
	}
	return needsRestart
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

func outcome(err error, done string) string {
	if err != nil {
		return fmt.Sprintf("not changed: %v", err)
	}
	return done
}
