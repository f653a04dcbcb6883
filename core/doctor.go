package core

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/block/link"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// The outcomes of a check.
const (
	checkOK   = "ok"
	checkWarn = "warn"
	checkFail = "fail"
)

// doctorTime bounds each check that asks somebody else.
const doctorTime = 5 * time.Second

// Doctor looks for reasons why things do not work, from within the running node. node
// may be zero; otherwise it is reached for as well.
func (c control) Doctor(ctx context.Context, node name.Node) []admin.Check {
	checks := []admin.Check{c.checkAddress()}
	checks = append(checks, c.checkParts()...)
	checks = append(checks, checkFiles(c.node.dataDir)...)
	checks = append(checks, c.checkContacts(ctx, node)...)
	if !node.IsZero() {
		checks = append(checks, c.checkNode(ctx, node)...)
	}
	return checks
}

func (c control) checkAddress() admin.Check {
	addresses := c.transport.Addresses()
	if len(addresses) == 0 {
		return admin.Check{Check: "address", Outcome: checkFail, Fact: "the transport has no address", Next: "set transport.quic.listen and look at the log"}
	}
	if addresses[0].Host() == "127.0.0.1" || addresses[0].Host() == "::1" {
		return admin.Check{Check: "address", Outcome: checkWarn, Fact: fmt.Sprintf("peers are told %s, which only this machine reaches", addresses[0]),
			Next: "for other machines give the node a name with its address (node.name: a@10.0.0.1) or set transport.quic.advertise"}
	}
	return admin.Check{Check: "address", Outcome: checkOK, Fact: fmt.Sprintf("peers are told %s", addresses[0])}
}

func (c control) checkParts() []admin.Check {
	var checks []admin.Check
	for _, h := range c.kernel.Health() {
		check := admin.Check{Check: "part " + h.Name, Outcome: checkOK, Fact: string(h.State)}
		if h.State != "ok" {
			check.Outcome, check.Fact = checkWarn, string(h.State)+": "+h.Detail
			check.Next = "the detail says what is missing; the log has more"
		}
		checks = append(checks, check)
	}
	return checks
}

// checkContacts asks discovery for every contact node.
func (c control) checkContacts(ctx context.Context, asked name.Node) []admin.Check {
	contacts := c.bootstrap.Contacts()
	if len(contacts) == 0 {
		return []admin.Check{{Check: "contacts", Outcome: checkOK, Fact: "none configured: the node waits to be joined",
			Next: "to join by itself set bootstrap.contact_nodes, or run `barrel join NODE`"}}
	}
	var checks []admin.Check
	for _, contact := range contacts {
		if contact.Node == asked {
			continue // looked at below
		}
		checks = append(checks, c.checkDiscovery(ctx, contact.Node))
	}
	return checks
}

func (c control) checkDiscovery(ctx context.Context, node name.Node) admin.Check {
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	found, err := c.resolver.Addresses(ctx, node)
	if err != nil {
		return admin.Check{Check: "discovery of " + node.String(), Outcome: checkFail, Fact: err.Error(),
			Next: fmt.Sprintf("see `barrel discover %s --explain`; the simplest is an entry in discovery.static.nodes", node)}
	}
	return admin.Check{Check: "discovery of " + node.String(), Outcome: checkOK, Fact: fmt.Sprintf("%v", found)}
}

// checkNode goes the whole way to a node: find it, reach it, prove, measure.
func (c control) checkNode(ctx context.Context, node name.Node) []admin.Check {
	checks := []admin.Check{c.checkDiscovery(ctx, node)}
	before, linked := c.links.Peer(node)
	ctx, cancel := context.WithTimeout(ctx, 2*doctorTime)
	defer cancel()
	what := "handshake with " + node.String()
	if err := c.links.Connect(ctx, node, nil); err != nil {
		return append(checks, admin.Check{Check: what, Outcome: checkFail, Fact: err.Error(), Next: c.nextAfter(err, node)})
	}
	if linked {
		checks = append(checks, c.checkLink(what, before))
	} else {
		checks = append(checks, admin.Check{Check: what, Outcome: checkOK, Fact: "both sides accepted"})
	}
	rtt, err := c.links.Ping(ctx, node)
	if err != nil {
		return append(checks, admin.Check{Check: "ping " + node.String(), Outcome: checkFail, Fact: err.Error(), Next: "the link is up but the node does not answer: is it stopped or overloaded?"})
	}
	return append(checks, admin.Check{Check: "ping " + node.String(), Outcome: checkOK, Fact: rtt.String()})
}

// checkLink says what a link that was there before proves, and what it does not.
func (c control) checkLink(what string, p link.Peer) admin.Check {
	pin, found, err := c.self.pins.Lookup(p.Node)
	switch {
	case err != nil:
		return admin.Check{Check: what, Outcome: checkFail, Fact: err.Error(), Next: "peers are refused while pins cannot be read: repair that file or remove the pin"}
	case found && pin.Key != p.Key:
		return admin.Check{Check: what, Outcome: checkFail, Fact: "the link that is up has another key than the pin", Next: "compare `barrel keys show` there with `barrel trust list` here"}
	}
	return admin.Check{Check: what, Outcome: checkOK, Fact: "a link is up; no new handshake was made"}
}

func (c control) nextAfter(err error, node name.Node) string {
	switch kindOf(err) {
	case admin.KindRefused:
		return fmt.Sprintf("one side does not trust the other: compare `barrel keys show` there with `barrel trust list` here, and the other way round, for %s", node)
	case admin.KindNotFound:
		return "nobody knows where the node is: see the check above"
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "the node does not answer in time: is it running, and does a firewall drop UDP?"
	}
	return "is the node running, at that address, and is UDP let through to its port?"
}
