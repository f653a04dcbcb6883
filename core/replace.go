package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/catalog"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// WithCatalog sets how the catalog follows from the configuration, for a program whose
// configuration names plugins in processes of their own: after a reload there may be
// others.
func WithCatalog(of func(*config.Config) (catalog.Catalog, error)) Option {
	return func(o *options) { o.catalogOf = of }
}

// ReplacePlugin reads the configuration again and starts the process of one plugin anew,
// beside the old one, which stays if the new one does not work. No link is dropped, but
// for a transport, whose process has the sockets: its links are dialed again.
func (c control) ReplacePlugin(ctx context.Context, kind, use string) (admin.Plugin, error) {
	next, err := c.reread()
	if err == nil {
		err = c.replacePlugin(ctx, plugin.Kind(kind), use, next)
	}
	if err == nil {
		c.own.note(id(plugin.Kind(kind), use), next)
	}
	if err != nil {
		return admin.Plugin{}, explain(err)
	}
	for _, p := range c.Plugins() {
		if p.Kind == kind && p.Name == use {
			return p, nil
		}
	}
	return admin.Plugin{}, &admin.Error{Kind: admin.KindNotFound, Text: fmt.Sprintf("plugin %s/%s: is gone", kind, use)}
}

// reread is the configuration as it stands in the file now, or that of the start for a
// node that was not made from a file.
func (c control) reread() (*config.Config, error) {
	if c.node.opts.reread == nil {
		return c.configNow(), nil
	}
	next, err := c.node.opts.reread()
	if err != nil {
		return nil, &admin.Error{Kind: admin.KindUsage, Text: err.Error() + "\nnothing was changed"}
	}
	return next, nil
}

func (c control) replacePlugin(ctx context.Context, kind plugin.Kind, use string, next *config.Config) error {
	part := id(kind, use)
	replacer, ok := c.plugin(part).(plugin.Replacer)
	if !ok {
		return c.whyNotReplaced(part, use, kind)
	}
	cat, err := c.catalogOf(next)
	if err != nil {
		return err
	}
	made, err := c.remake(cat, kind, use, next)
	if err != nil {
		return err
	}
	if err := replacer.Replace(ctx, made); err != nil {
		return err
	}
	c.resolver.Invalidate(name.Node{}) // the new process may know otherwise
	return nil
}

func (c control) whyNotReplaced(part, use string, kind plugin.Kind) error {
	if _, err := c.node.catalog.Entry(kind, use); err != nil {
		return &admin.Error{Kind: admin.KindNotFound, Text: err.Error()}
	}
	if c.plugin(part) == nil {
		return &admin.Error{Kind: admin.KindFailed, Text: fmt.Sprintf("plugin %s: this node does not use it", part)}
	}
	return &admin.Error{Kind: admin.KindFailed, Text: fmt.Sprintf("plugin %s: it is built in: restart the node, or send it SIGHUP for its settings", part)}
}

// remake makes a plugin of a slot once more, from a newer configuration.
func (c control) remake(cat catalog.Catalog, kind plugin.Kind, use string, next *config.Config) (plugin.Part, error) {
	switch kind {
	case plugin.Discovery:
		return newFrom(c.life, kind, use, cat.Discovery, same, next)
	case plugin.Trust:
		return newFrom(c.life, kind, use, cat.Trust, c.trustEnv, next)
	case plugin.Membership:
		return newFrom(c.life, kind, use, cat.Membership, c.membershipEnv, next)
	case plugin.Registry:
		return newFrom(c.life, kind, use, cat.Registry, c.registryEnv, next)
	case plugin.Transport:
		return newFrom(c.life, kind, use, cat.Transport, same, next)
	}
	return nil, fmt.Errorf("%s: there is no kind of that name", kind)
}

func newFrom[P plugin.Part, E any](l *life, kind plugin.Kind, use string, list []plugin.Factory[P, E], env func(plugin.Env) E, cfg *config.Config) (plugin.Part, error) {
	factory, err := catalog.Find(list, kind, use)
	if err != nil {
		return nil, err
	}
	settings := cfg.Settings(kind, use)
	if settings == nil {
		settings = factory.Settings()
	}
	part := id(kind, use)
	made, err := factory.New(env(l.env(part)), settings)
	return made, wrap(part, err)
}

// plugin is the plugin of a part, nil if there is none of that name. The trust slot goes
// by the name of what is in it.
func (l *life) plugin(part string) plugin.Part {
	for _, unit := range l.units {
		if slot, ok := unit.Part.(*trustSlot); ok && (part == unit.Name || part == id(plugin.Trust, slot.Mode())) {
			return slot.now()
		}
		if unit.Name == part {
			return unit.Part
		}
	}
	return nil
}

// catalogOf is the catalog of a configuration that was read again.
func (l *life) catalogOf(cfg *config.Config) (catalog.Catalog, error) {
	if l.node.opts.catalogOf == nil {
		return l.node.catalog, nil
	}
	cat, err := l.node.opts.catalogOf(cfg)
	if err != nil {
		return cat, err
	}
	return cat, cat.Validate()
}

// catalogNow is that of the configuration as last read.
func (l *life) catalogNow() catalog.Catalog {
	cat, err := l.catalogOf(l.configNow())
	if err != nil {
		return l.node.catalog
	}
	return cat
}

// reloadProcess puts the changed entry of a process in force, by a new one. Where only
// its settings have changed it is for the plugin to take them; see plugin.Reloader.
func (c control) reloadProcess(ctx context.Context, part string, keys []string, next *config.Config) (done bool, err error) {
	kind, use := splitID(part)
	entry := func(key string) bool { return strings.HasPrefix(key, "plugins.") }
	if _, ok := c.plugin(part).(plugin.Replacer); !ok || !slices.ContainsFunc(keys, entry) {
		return false, nil
	}
	if _, still := next.Plugins[part]; !still {
		return true, errors.New("the running process stays until the node is restarted")
	}
	return true, c.replacePlugin(ctx, plugin.Kind(kind), use, next)
}

// ownConfigs remembers from which configuration a part comes that does not come from the
// one last read: it was replaced by itself since, or could not be changed. So the next
// reload knows what has changed for it. "" is what no part owns.
type ownConfigs struct {
	mu    sync.Mutex
	parts map[string]*config.Config
}

func (o *ownConfigs) note(part string, cfg *config.Config) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.parts == nil {
		o.parts = map[string]*config.Config{}
	}
	o.parts[part] = cfg
}

func (o *ownConfigs) set(parts map[string]*config.Config) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.parts = parts
}

func (o *ownConfigs) list() map[string]*config.Config {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.parts)
}

// configOf is the configuration that a part comes from.
func (l *life) configOf(part string) *config.Config {
	return cmp.Or(l.own.list()[part], l.configNow())
}

// changed lists the keys that are not as the parts of this node know them.
func (l *life) changed(next *config.Config) []string {
	parts := l.own.list()
	keys := slices.DeleteFunc(config.Diff(l.configNow(), next), func(key string) bool { return parts[ownerOf(key)] != nil })
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		own := config.Diff(parts[part], next)
		keys = append(keys, slices.DeleteFunc(own, func(key string) bool { return ownerOf(key) != part })...)
	}
	return keys
}
