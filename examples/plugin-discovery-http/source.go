package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// maxDocument is how large a document may be, in bytes.
const maxDocument = 8 << 20

// source is the server.
type source struct {
	client *http.Client
	url    string
	token  string
}

func newSource(s *Settings) *source {
	return &source{client: &http.Client{Timeout: s.Timeout, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}}, url: s.URL, token: s.Token}
}

// document is what the server said; it is not changed.
type document struct {
	etag  string
	read  time.Time
	nodes map[name.Node][]name.Address
}

// fetch returns had itself if nothing has changed.
func (s *source) fetch(ctx context.Context, had *document) (*document, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	if s.token != "" {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	if had != nil && had.etag != "" {
		request.Header.Set("If-None-Match", had.etag)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusNotModified:
		return had, nil
	case http.StatusOK:
		return parse(response)
	}
	return nil, fmt.Errorf("%s: %s", s.url, response.Status)
}

func parse(response *http.Response) (*document, error) {
	body := &io.LimitedReader{R: response.Body, N: maxDocument + 1}
	var in struct {
		Nodes map[name.Node][]name.Address `json:"nodes"`
	}
	if err := json.NewDecoder(body).Decode(&in); err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	if body.N <= 0 {
		return nil, fmt.Errorf("document: more than %d bytes", maxDocument)
	}
	maps.DeleteFunc(in.Nodes, func(node name.Node, endpoints []name.Address) bool { return node.IsZero() || len(endpoints) == 0 })
	return &document{etag: response.Header.Get("ETag"), read: time.Now().UTC(), nodes: in.Nodes}, nil
}

// changedSince lists the nodes that are not where they were.
func (d *document) changedSince(had *document) []name.Node {
	if had == nil {
		had = &document{}
	}
	changed := map[name.Node]bool{}
	for node := range d.nodes {
		changed[node] = !slices.Equal(d.nodes[node], had.nodes[node])
	}
	for node := range had.nodes {
		if _, still := d.nodes[node]; !still {
			changed[node] = true
		}
	}
	maps.DeleteFunc(changed, func(_ name.Node, is bool) bool { return !is })
	return slices.SortedFunc(maps.Keys(changed), name.Node.Compare)
}

func (d *document) listing() discovery.Listing {
	listing := discovery.Listing{Records: []discovery.Record{}, Complete: true, AsOf: d.read}
	for _, node := range slices.SortedFunc(maps.Keys(d.nodes), name.Node.Compare) {
		listing.Records = append(listing.Records, discovery.Record{Node: node, Endpoints: slices.Clone(d.nodes[node]), Written: d.read})
	}
	return listing
}
