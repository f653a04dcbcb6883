package main

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/plugins"
)

func TestMetricsAreServed(t *testing.T) {
	var log bytes.Buffer
	m, err := newMetrics("127.0.0.1:0", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := core.Load(config.Sources{Name: "a@127.0.0.1", DataDir: t.TempDir()}, plugins.All())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := core.New(cfg, plugins.All(), m.options()...); err != nil {
		t.Fatal(err)
	}
	if err := m.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	url := regexp.MustCompile(`http://\S+/metrics`).FindString(log.String())
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil || !strings.Contains(string(body), "go_goroutines") {
		t.Errorf("%s: %v\n%s", url, err, body)
	}
	if err := m.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestNoMetrics(t *testing.T) {
	m, err := newMetrics("", slog.New(slog.DiscardHandler))
	if err != nil || m.start(t.Context()) != nil || m.stop() != nil || m.options() != nil {
		t.Errorf("metrics without an address do something: %v", err)
	}
}
