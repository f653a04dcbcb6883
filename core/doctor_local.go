package core

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/catalog"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/core/identity"
	"github.com/barrelp2p/barrel/core/kernel"
	"github.com/barrelp2p/barrel/core/observe"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

// checkFiles looks at the modes of what must be secret, and at the clock.
func checkFiles(dataDir string) []admin.Check {
	return append(checkModes(dataDir), checkClock(dataDir, time.Now()))
}

func checkModes(dataDir string) []admin.Check {
	loose, err := identity.Warnings(dataDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return []admin.Check{{Check: "file modes", Outcome: checkFail, Fact: err.Error(), Next: "make the data directory readable for this user"}}
	}
	var checks []admin.Check
	for _, l := range loose {
		checks = append(checks, admin.Check{Check: "file modes", Outcome: checkWarn, Fact: l.String(), Next: "run that command; if others may have read a private key, `barrel keys rotate identity`"})
	}
	if len(checks) == 0 {
		checks = append(checks, admin.Check{Check: "file modes", Outcome: checkOK, Fact: "secrets are the owner's alone"})
	}
	return checks
}

// checkClock compares the clock with the last start: handshakes need clocks that
// agree, and a clock behind the last start is certainly wrong.
func checkClock(dataDir string, now time.Time) admin.Check {
	check := admin.Check{Check: "clock", Outcome: checkOK, Fact: now.UTC().Format(time.RFC3339)}
	data, err := os.ReadFile(filepath.Join(dataDir, "run", "incarnation"))
	if err != nil {
		return check // no start yet to compare with
	}
	last, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if started := time.UnixMilli(last); err == nil && now.Add(time.Minute).Before(started) {
		check.Outcome = checkFail
		check.Fact += fmt.Sprintf(" is before the last start of this node at %s", started.UTC().Format(time.RFC3339))
		check.Next = "set the clock; peers refuse a node whose clock is off by more than auth.clock_skew"
	}
	return check
}

// Doctor looks for reasons why things would not work, without a running node: it goes
// as far as a node goes before it joins, and back. node may be zero; otherwise it is
// linked to, under the name of this node, which under trust on first use pins keys.
func Doctor(ctx context.Context, cfg *config.Config, cat catalog.Catalog, node name.Node, opts ...Option) []admin.Check {
	n, err := New(cfg, cat, opts...)
	if err != nil {
		return []admin.Check{{Check: "configuration", Outcome: checkFail, Fact: err.Error(), Next: "`barrel config check` shows all problems with their places"}}
	}
	checks := []admin.Check{{Check: "configuration", Outcome: checkOK, Fact: "node " + n.name.String() + " in cluster " + cfg.Node.Cluster}}
	me, err := n.openSelf()
	if err != nil {
		return append(checks, admin.Check{Check: "data directory", Outcome: checkFail, Fact: err.Error(), Next: nextForData(err)})
	}
	defer func() { _ = me.close() }()
	checks = append(checks, admin.Check{Check: "data directory", Outcome: checkOK, Fact: n.dataDir + ", key " + me.keys.Fingerprint()})
	return append(checks, n.checkHalfStarted(ctx, me, node)...)
}

func nextForData(err error) string {
	if errors.Is(err, identity.ErrInUse) {
		return "a node runs on it: run doctor against that node (without -c), or stop it"
	}
	return "the text above says what to restore or change"
}

// checkHalfStarted starts the parts that a link needs and no more.
func (n *Node) checkHalfStarted(ctx context.Context, me *self, node name.Node) []admin.Check {
	l, err := n.assembleHalf(me)
	if err == nil {
		l.meters, err = observe.Register(observe.Nowhere(), source{l})
	}
	if err == nil {
		err = l.kernel.Start(ctx)
	}
	if err != nil {
		return append(checkFiles(n.dataDir), admin.Check{Check: "port", Outcome: checkFail, Fact: err.Error(), Next: "choose another transport.quic.listen, or stop what uses the port"})
	}
	defer func() {
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), doctorTime)
		defer cancel()
		l.links.CloseAll(bye, transport.CloseDropped, "doctor is done")
		_ = l.kernel.Stop(bye)
	}()
	checks := []admin.Check{{Check: "port", Outcome: checkOK, Fact: fmt.Sprintf("listening works at %v", l.transport.Addresses())}}
	return append(checks, control{l}.Doctor(ctx, node)...)
}

// assembleHalf is assemble without what makes a node a member.
func (n *Node) assembleHalf(me *self) (*life, error) {
	l, err := n.makeParts(me)
	if err != nil {
		return nil, err
	}
	wanted := append([]string{l.parts.transport, l.parts.trust, partResolve, partLink}, l.parts.discovery...)
	l.units = slices.DeleteFunc(l.units, func(u kernel.Unit) bool { return !slices.Contains(wanted, u.Name) })
	return l, l.kernel.Assemble(l.units...)
}
