package membershiphyparview

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/core/machine/liveness"
	"github.com/barrelp2p/barrel/core/machine/member"
	"github.com/barrelp2p/barrel/core/machine/overlay"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/safefile"
)

// The file of known members, from which a cluster that was restarted as a whole finds
// itself again. What stands in it is hearsay like any other: signed, and verified anew.
const (
	keepFolder = "membership"
	keepFile   = "known.json"
	keepMost   = 1024                // members, those that a link proved first
	keepAge    = 30 * 24 * time.Hour // since they were last seen alive
	keepFresh  = 24 * time.Hour      // what the file says of that is not older, while this node runs
	keepBytes  = 4 << 20
	keepFormat = 1
)

type kept struct {
	Version int          `json:"version"`
	Written time.Time    `json:"written"`
	Members []keptMember `json:"members"`
}

// keptMember is one member. Record is the truth, the rest is for people.
type keptMember struct {
	Node      name.Node      `json:"node"`
	Endpoints []name.Address `json:"endpoints"`
	Seen      time.Time      `json:"seen"`
	Linked    bool           `json:"linked,omitempty"` // this node had a link to it
	Record    []byte         `json:"record"`
}

func (h *host) keepPath() string { return filepath.Join(h.env.DataDir, keepFolder, keepFile) }

// load reads the file, once in the life of the plugin. A file that cannot be used is
// said and left alone until it is written over; the node starts without it. Callers
// hold h.mu.
func (h *host) load() {
	if h.loaded {
		return
	}
	h.loaded = true
	data, err := safefile.Read(h.keepPath(), keepBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var k kept
	if err == nil {
		err = json.Unmarshal(data, &k)
	}
	if err == nil && k.Version != keepFormat {
		err = fmt.Errorf("version %d, want %d", k.Version, keepFormat)
	}
	if err != nil {
		h.env.Log.Warn("the file of known members is not usable; starting without it", "file", h.keepPath(), "error", err)
		return
	}
	h.remember(k.Members[:min(len(k.Members), keepMost)])
}

func (h *host) remember(members []keptMember) {
	for _, km := range members {
		record, sig, ok := member.Split(km.Record)
		if !ok || time.Since(km.Seen) > keepAge {
			continue
		}
		if e, _, ok := h.book.learn(record, sig); ok && e != h.book.self {
			e.seen, e.proved = km.Seen, km.Linked
		}
	}
	h.env.Log.Info("known members read", "members", len(h.book.byPeer)-1)
}

// save writes the file, if it would say something else than the last time, or that was
// long ago.
func (h *host) save() error {
	h.saving.Lock()
	defer h.saving.Unlock()
	members, now := h.keepable(), time.Now()
	if now.Sub(h.wrote) < keepFresh && slices.EqualFunc(members, h.written, isKept) {
		return nil
	}
	data, err := json.MarshalIndent(kept{Version: keepFormat, Written: now.UTC(), Members: members}, "", "  ")
	if err != nil {
		return fmt.Errorf("known members: %w", err)
	}
	if _, err := safefile.EnsureDir(filepath.Dir(h.keepPath()), 0o700); err != nil {
		return fmt.Errorf("known members: %w", err)
	}
	if err := safefile.Write(h.keepPath(), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("known members: %w", err)
	}
	h.written, h.wrote = members, now
	return nil
}

func isKept(a, b keptMember) bool {
	return a.Node == b.Node && a.Linked == b.Linked && slices.Equal(a.Record, b.Record)
}

// keepable are the members worth remembering: first those that a link proved, since names can be
// invented; of each kind those that live, then those that did last. Of more living than there is
// room for each node keeps others.
func (h *host) keepable() []keptMember {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now().UTC()
	var all []keptMember
	for p, e := range h.book.byPeer {
		if e == h.book.self || e.sealed == nil || e.record.Left {
			continue
		}
		state := h.state(p)
		if state == liveness.Alive || state == liveness.Suspect {
			e.seen = now
		}
		if now.Sub(e.seen) < keepAge {
			all = append(all, keptMember{Node: e.node, Endpoints: e.endpoints, Seen: e.seen, Linked: e.proved, Record: e.sealed})
		}
	}
	slices.SortFunc(all, h.preferred)
	return all[:min(len(all), keepMost)]
}

// preferred orders members by which is worth more to remember. By chance means the same chance each
// time, or the file would be written for nothing.
func (h *host) preferred(a, b keptMember) int {
	switch {
	case a.Linked && !b.Linked:
		return -1
	case b.Linked && !a.Linked:
		return 1
	}
	if later := b.Seen.Compare(a.Seen); later != 0 {
		return later
	}
	return cmp.Compare(maphash.Comparable(h.chance, a.Node), maphash.Comparable(h.chance, b.Node))
}

// state is what liveness believes of a peer. Callers hold h.mu.
func (h *host) state(p overlay.Peer) liveness.State {
	if h.mind == nil {
		return liveness.Unknown
	}
	return h.mind.lv.Member(p).State
}
