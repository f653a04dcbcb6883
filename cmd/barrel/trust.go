package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/identity"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// pinSource is who pins when a person does.
const pinSource = "operator"

// The documents of the verbs that change something.
type pinnedDocument struct {
	Node        name.Node `json:"node"`
	Fingerprint string    `json:"fingerprint"`
}

type unpinnedDocument struct {
	Removed name.Node `json:"removed"`
}

type modeDocument struct {
	Mode string `json:"mode"`
}

func (a *app) trustCommand() *cobra.Command {
	list := a.leaf("list", "the keys that are pinned", func(ctx context.Context, _ []string) error {
		pins, err := a.pins(ctx)
		if err != nil {
			return err
		}
		return a.show(pins, pinRows(pins))
	})
	add := a.leaf("add NODE FILE|HEX", "pin a key for a node, from its node.pub or in hex", func(ctx context.Context, args []string) error {
		return a.pin(ctx, args[0], args[1])
	})
	remove := a.leaf("remove NODE", "forget the key of a node, so that its next one counts as unknown",
		func(ctx context.Context, args []string) error { return a.unpin(ctx, args[0]) })
	mode := a.leaf("mode [MODE]", "show who decides, or let another decide: tofu or strict", func(ctx context.Context, args []string) error {
		return a.mode(ctx, args)
	})
	mode.ValidArgs = []string{"tofu", "strict"}
	verbs := []*cobra.Command{list, add, remove, mode}
	for _, verb := range verbs {
		a.talks(verb)
	}
	cmd := noun("trust", "the keys of other nodes", verbs...)
	cmd.Long = `The keys that are pinned for other nodes, and who decides about new ones.

The verbs ask the running node; without one they work on the files below --data-dir.`
	return cmd
}

func (a *app) pins(ctx context.Context) (pins []admin.Pin, err error) {
	err = a.liveOrOffline(ctx, func(ctx context.Context, c *admin.Client) error {
		pins, err = c.Pins(ctx)
		return err
	}, func(dataDir string) error {
		pins, err = a.pinsOnDisk(dataDir)
		return err
	})
	return pins, err
}

func (a *app) pinsOnDisk(dataDir string) ([]admin.Pin, error) {
	store, err := identity.OpenPins(dataDir)
	if err != nil {
		return nil, err
	}
	found, skipped, err := store.List()
	if err != nil {
		return nil, err
	}
	for _, problem := range skipped {
		a.note("warning: %s", clean(problem.Error()))
	}
	pins := make([]admin.Pin, len(found))
	for i, p := range found {
		pins[i] = admin.Pin{Node: p.Node, Fingerprint: p.Key.Fingerprint(), PublicKey: p.Key.String(), Pinned: p.Pinned, Source: p.Source}
	}
	return pins, nil
}

func pinRows(pins []admin.Pin) [][]string {
	rows := [][]string{{"NODE", "FINGERPRINT", "PINNED", "SOURCE"}}
	for _, p := range pins {
		rows = append(rows, []string{p.Node.String(), p.Fingerprint, stamp(p.Pinned), p.Source})
	}
	return rows
}

func (a *app) pin(ctx context.Context, nodeText, keyText string) error {
	node, err := parseNode(nodeText)
	if err != nil {
		return err
	}
	key, err := identity.ParseKey(keyText)
	if err != nil {
		return usage("%v", err)
	}
	err = a.liveOrOffline(ctx, func(ctx context.Context, c *admin.Client) error {
		return c.AddPin(ctx, node, key)
	}, func(dataDir string) error {
		return putPin(dataDir, node, key)
	})
	if err != nil {
		return err
	}
	return a.show(pinnedDocument{node, key.Fingerprint()}, [][]string{{"pinned", node.String()}, {"fingerprint", key.Fingerprint()}})
}

func putPin(dataDir string, node name.Node, key trust.Key) error {
	store, err := identity.OpenPins(dataDir)
	if err != nil {
		return err
	}
	return store.Put(node, key, pinSource)
}

func (a *app) unpin(ctx context.Context, nodeText string) error {
	node, err := parseNode(nodeText)
	if err != nil {
		return err
	}
	err = a.liveOrOffline(ctx, func(ctx context.Context, c *admin.Client) error {
		return c.RemovePin(ctx, node)
	}, func(dataDir string) error {
		return removePin(dataDir, node)
	})
	if err != nil {
		return err
	}
	return a.show(unpinnedDocument{node}, [][]string{{"removed", node.String()}})
}

func removePin(dataDir string, node name.Node) error {
	store, err := identity.OpenPins(dataDir)
	if err != nil {
		return err
	}
	err = store.Remove(node)
	if errors.Is(err, identity.ErrNoPin) {
		return failure(admin.KindNotFound, "%v", err)
	}
	return err
}

// mode shows or sets who decides. A stopped node decides as its configuration says.
func (a *app) mode(ctx context.Context, args []string) error {
	var mode string
	err := a.liveOrOffline(ctx, func(ctx context.Context, c *admin.Client) (err error) {
		if len(args) == 1 {
			if err := c.SetTrustMode(ctx, args[0]); err != nil {
				return err
			}
		}
		mode, err = c.TrustMode(ctx)
		return err
	}, func(string) error {
		if len(args) == 1 {
			return failure(admin.KindNoNode, "trust mode %s: the node does not run: set trust.use in its configuration", args[0])
		}
		cfg, err := a.loadConfig()
		if err == nil {
			mode = strings.Join(cfg.Use(plugin.Trust), ", ")
		}
		return err
	})
	if err != nil {
		return err
	}
	return a.show(modeDocument{mode}, [][]string{{mode}})
}
