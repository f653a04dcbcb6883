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

// lastLife is the incarnation of the last start, 1 if there was none or nobody knows.
func lastLife(dataDir string) uint64 {
	data, err := os.ReadFile(filepath.Join(dataDir, "run", "incarnation"))
	if err != nil {
		return 1
	}
	last, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 53)
	if err != nil {
		return 1
	}
	return last
}

// checkClock compares the clock with the last start: handshakes need clocks that
// agree, and a clock behind the last start is certainly wrong.
func checkClock(dataDir string, now time.Time) admin.Check {
	check := admin.Check{Check: "clock", Outcome: checkOK, Fact: now.UTC().Format(time.RFC3339)}
	last := int64(lastLife(dataDir))
	if started := time.UnixMilli(last); now.Add(time.Minute).Before(started) {
		check.Outcome = checkFail
		check.Fact += fmt.Sprintf(" is before the last start of this node at %s", started.UTC().Format(time.RFC3339))
		check.Next = "set the clock; peers refuse a node whose clock is off by more than auth.clock_skew"
	}
	return check
}

// Doctor looks for reasons why things would not work, without a running node: it goes
// as far as a node goes before it joins, and back. It makes no identity and no life. node
// may be zero; otherwise it is linked to, under the name of this node, which under trust
// on first use pins keys on both sides.
func Doctor(ctx context.Context, cfg *config.Config, cat catalog.Catalog, node name.Node, opts ...Option) []admin.Check {
	n, err := New(cfg, cat, opts...)
	if err != nil {
		return []admin.Check{{Check: "configuration", Outcome: checkFail, Fact: err.Error(), Next: "`barrel config check` shows all problems with their places"}}
	}
	checks := []admin.Check{{Check: "configuration", Outcome: checkOK, Fact: "node " + n.name.String() + " in cluster " + cfg.Node.Cluster}}
	if _, err := identity.Load(n.dataDir); errors.Is(err, identity.ErrNoIdentity) {
		return append(checks, admin.Check{Check: "data directory", Outcome: checkWarn, Fact: n.dataDir + " has no identity yet", Next: "`barrel run` makes one; if there should be one, check --data-dir"})
	}
	me := &self{}
	defer func() { _ = me.close() }()
	if err := me.reopen(n.dataDir, cfg.Auth); err != nil {
		return append(checks, admin.Check{Check: "data directory", Outcome: checkFail, Fact: err.Error(), Next: nextForData(err)})
	}
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
		return append(checkFiles(n.dataDir), admin.Check{Check: "start", Outcome: checkFail, Fact: err.Error(), Next: "the text names the part; for a port in use choose another transport.quic.listen"})
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
