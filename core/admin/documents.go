package admin

import (
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// Duration is a duration that reads "1.5s" in JSON.
type Duration time.Duration

// MarshalText writes the duration as Go text.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads Go duration text.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("duration %q: %w", text, err)
	}
	*d = Duration(v)
	return nil
}

// Status is the one page about a node.
type Status struct {
	Node        name.Node    `json:"node"`
	Cluster     string       `json:"cluster"`
	Version     string       `json:"version"`
	Address     name.Address `json:"address"`
	Fingerprint string       `json:"fingerprint"`
	Incarnation uint64       `json:"incarnation"`
	Started     time.Time    `json:"started"`
	Ready       bool         `json:"ready"`
	Slots       Slots        `json:"slots"`
	Members     MemberCounts `json:"members"`
	View        View         `json:"view"`
	Links       int          `json:"links"`
	Services    int          `json:"services"`
	Isolated    bool         `json:"isolated"`    // no neighbours are left
	Partitioned bool         `json:"partitioned"` // many members went at once
	Warnings    []string     `json:"warnings"`
}

// Slots says what fills each slot and how it is.
type Slots struct {
	Transport  Slot   `json:"transport"`
	Discovery  []Slot `json:"discovery"`
	Trust      Slot   `json:"trust"`
	Membership Slot   `json:"membership"`
	Registry   Slot   `json:"registry"`
}

// Slot is one filled slot.
type Slot struct {
	Plugin   string `json:"plugin"`
	External bool   `json:"external"`
	Health   string `json:"health"`
	Detail   string `json:"detail"`
	Sandbox  string `json:"sandbox,omitempty"` // what a plugin process may touch; empty: whatever the node may
}

// MemberCounts counts members by state.
type MemberCounts struct {
	Alive   int `json:"alive"`
	Suspect int `json:"suspect"`
	Down    int `json:"down"`
	Left    int `json:"left"`
}

// View is the neighbourhood of the node.
type View struct {
	Active  []name.Node `json:"active"`
	Passive []name.Node `json:"passive"`
}

// Member is one node of the cluster.
type Member struct {
	Node        name.Node    `json:"node"`
	State       string       `json:"state"`
	Incarnation uint64       `json:"incarnation"`
	Address     name.Address `json:"address"`
	Neighbour   bool         `json:"neighbour"`
	Since       time.Time    `json:"since"`
}

// Link is one open connection. Direction is "dialed" or "accepted".
type Link struct {
	Node          name.Node    `json:"node"`
	Address       name.Address `json:"address"`
	Local         name.Address `json:"local"` // of this end
	Direction     string       `json:"direction"`
	Age           Duration     `json:"age"`
	Idle          Duration     `json:"idle"`
	RTT           Duration     `json:"rtt"`
	BytesSent     uint64       `json:"bytes_sent"`
	BytesReceived uint64       `json:"bytes_received"`
	Streams       int          `json:"streams"`
	ActiveView    bool         `json:"active_view"`
}

// Service is a name and how many instances of it are visible.
type Service struct {
	Name      name.Service `json:"name"`
	Instances int          `json:"instances"`
}

// Instance is one registration.
type Instance struct {
	Name  name.Service      `json:"name"`
	Node  name.Node         `json:"node"`
	Ref   name.Ref          `json:"ref"`
	Meta  map[string]string `json:"meta"`
	Local bool              `json:"local"`
	Since time.Time         `json:"since"`
}

// Discovery says where a node is and who said so.
type Discovery struct {
	Node   name.Node       `json:"node"`
	Answer DiscoveryAnswer `json:"answer"`
	Steps  []DiscoveryStep `json:"steps"`
}

// DiscoveryAnswer is the answer that a dial would use; Backend is "" when nobody knew.
type DiscoveryAnswer struct {
	Backend   string         `json:"backend"`
	Endpoints []name.Address `json:"endpoints"`
	Age       Duration       `json:"age"`
	Stale     bool           `json:"stale"`
}

// DiscoveryStep is what one backend said: outcome hit, miss, error or skipped.
type DiscoveryStep struct {
	Backend   string         `json:"backend"`
	Outcome   string         `json:"outcome"`
	Endpoints []name.Address `json:"endpoints"`
	Error     string         `json:"error"`
	Took      Duration       `json:"took"`
}

// Pin is one key pinned for a name.
type Pin struct {
	Node        name.Node `json:"node"`
	Fingerprint string    `json:"fingerprint"`
	PublicKey   string    `json:"public_key"`
	Pinned      time.Time `json:"pinned"`
	Source      string    `json:"source"`
}

// Plugin is one entry of the catalog or of the configuration.
type Plugin struct {
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	External bool   `json:"external"`
	Version  string `json:"version"`
	Contract string `json:"contract"`
	Health   string `json:"health"` // "unused" when the node does not use it
	PID      int    `json:"pid"`
	Restarts int    `json:"restarts"`
	Sandbox  string `json:"sandbox,omitempty"` // what the process may touch; empty: whatever the node may
}

// Event is one thing that happened. Extra holds the fields that only some kinds have;
// they stand beside the others in JSON. Type "gap" means that events were lost
// because the reader was too slow; Extra["count"] says how many.
type Event struct {
	Time   time.Time         `json:"time"`
	Kind   string            `json:"kind"`
	Type   string            `json:"type"`
	Node   name.Node         `json:"node"`
	Name   string            `json:"name"`
	Reason string            `json:"reason"`
	Extra  map[string]string `json:"-"`
}

// Watch says which events a reader wants.
type Watch struct {
	Kinds []string // all when empty
	// Initial begins with what is the case already, as events with Extra["initial"] =
	// "true". What changes at that very moment may be told twice, and is never missed.
	Initial bool
}

// EventKinds lists the kinds of events there are.
func EventKinds() []string {
	return []string{"peer", "member", "service", "node", "link", "message", "plugin", "trust"}
}

// Keys is the node's own identity.
type Keys struct {
	Node        name.Node `json:"node"`
	Fingerprint string    `json:"fingerprint"`
	PublicKey   string    `json:"public_key"`
}

// Rotation is what `keys rotate` did. Backup is the folder of the previous files, ""
// if there were none. Fingerprint is the new one, of the identity only.
type Rotation struct {
	What            string `json:"what"` // identity or cert
	Backup          string `json:"backup"`
	Fingerprint     string `json:"fingerprint"`
	RestartRequired bool   `json:"restart_required"`
}

// Round is one round trip of `ping`.
type Round struct {
	Seq int      `json:"seq"`
	RTT Duration `json:"rtt"`
}

// Check is one line of `doctor`: outcome ok, warn or fail, and what to do next.
type Check struct {
	Check   string `json:"check"`
	Outcome string `json:"outcome"`
	Fact    string `json:"fact"`
	Next    string `json:"next"`
}

// Delivery is one message or call that reached a service registered over the socket.
type Delivery struct {
	ID      uint64   `json:"id"`   // of the call, to answer it; 0 for a message
	Call    bool     `json:"call"` // an answer is expected
	From    name.Ref `json:"from"`
	Payload []byte   `json:"payload"` // base64 in JSON
}

// Reply answers a call that came as a Delivery. A non-empty Error makes the call fail
// with that text.
type Reply struct {
	ID      uint64 `json:"id"`
	Payload []byte `json:"payload"`
	Error   string `json:"error"`
}
