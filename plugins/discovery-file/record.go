package discoveryfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/safefile"
)

const (
	suffix       = ".endpoint"
	maxFile      = 64 << 10 // bytes of an endpoint file
	maxEndpoints = 64       // addresses in it
)

// document is the content of an endpoint file.
type document struct {
	Node        name.Node      `json:"node"`
	Endpoints   []name.Address `json:"endpoints"`
	Incarnation uint64         `json:"incarnation"`
	Written     time.Time      `json:"written"`
}

func fileName(node name.Node) string { return node.String() + suffix }

// nodeOf is the node that a file is about by its name alone.
func nodeOf(file string) (name.Node, error) {
	stem := strings.TrimSuffix(file, suffix)
	node, err := name.ParseNode(stem)
	if err != nil {
		return name.Node{}, err
	}
	if node.String() != stem {
		return name.Node{}, fmt.Errorf("the canonical name is %q: rename the file", node)
	}
	return node, nil
}

// readRecord reads the file at path, which must be about node. Links are not
// followed: a file in the folder is in the folder.
func readRecord(path string, node name.Node) (discovery.Record, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return discovery.Record{}, fmt.Errorf("%s: %w", path, reason(err))
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return discovery.Record{}, fmt.Errorf("%s: is a symbolic link, not a file", path)
	}
	data, err := safefile.Read(path, maxFile)
	if err != nil {
		return discovery.Record{}, err
	}
	record, err := decode(data, node)
	if err != nil {
		return discovery.Record{}, fmt.Errorf("%s: %w", path, err)
	}
	return record, nil
}

// decode reads an endpoint document about node. Unknown fields are left to later
// versions; everything else must be right.
func decode(data []byte, node name.Node) (discovery.Record, error) {
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil {
		return discovery.Record{}, fmt.Errorf("no endpoint document: %w", err)
	}
	switch {
	case doc.Node != node:
		return discovery.Record{}, fmt.Errorf("is about node %q, its name says %q", doc.Node, node)
	case len(doc.Endpoints) == 0:
		return discovery.Record{}, errors.New("has no endpoints")
	case len(doc.Endpoints) > maxEndpoints:
		return discovery.Record{}, fmt.Errorf("has %d endpoints, at most %d", len(doc.Endpoints), maxEndpoints)
	}
	for _, endpoint := range doc.Endpoints {
		if endpoint.IsZero() {
			return discovery.Record{}, errors.New("has an empty endpoint")
		}
	}
	return discovery.Record(doc), nil
}

func encode(record discovery.Record) ([]byte, error) {
	record.Written = record.Written.UTC()
	data, err := json.Marshal(document(record))
	if err != nil {
		return nil, fmt.Errorf("endpoint document: %w", err)
	}
	return append(data, '\n'), nil
}

// reason strips the path that os puts into its errors.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", e.Op, e.Err)
	}
	return err
}
