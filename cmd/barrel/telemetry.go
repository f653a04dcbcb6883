package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/barrelp2p/barrel/core"
)

// metrics serves what the node measures, for Prometheus, at /metrics.
type metrics struct {
	address  string // "" for none
	log      *slog.Logger
	provider *metric.MeterProvider
	server   *http.Server
	done     chan struct{} // closed when the server has ended
}

// newMetrics makes the meters; it opens nothing until start. An empty address makes
// metrics that measure nothing.
func newMetrics(address string, log *slog.Logger) (*metrics, error) {
	m := &metrics{address: address, log: log}
	if address == "" {
		return m, nil
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		return nil, fmt.Errorf("telemetry.prometheus: %w", err)
	}
	m.provider = metric.NewMeterProvider(metric.WithReader(exporter))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 8, Timeout: 10 * time.Second}))
	m.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	return m, nil
}

// start binds the address and serves until stop; ctx bounds the binding only.
func (m *metrics) start(ctx context.Context) error {
	if m.server == nil {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", m.address)
	if err != nil {
		return fmt.Errorf("telemetry.prometheus %q: %w: set another address", m.address, err)
	}
	m.done = make(chan struct{})
	go func() {
		defer close(m.done)
		if err := m.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			m.log.Error("metrics are not served any more", "address", m.address, "error", err)
		}
	}()
	m.log.Info("metrics are served", "url", fmt.Sprintf("http://%s/metrics", listener.Addr()))
	return nil
}

// stop ends the server and waits for it.
func (m *metrics) stop() error {
	if m.done == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := m.server.Shutdown(ctx)
	if err != nil {
		err = m.server.Close()
	}
	<-m.done
	return errors.Join(err, m.provider.Shutdown(ctx))
}

// options hands the meters to the node.
func (m *metrics) options() []core.Option {
	if m.provider == nil {
		return nil
	}
	return []core.Option{core.WithMeterProvider(m.provider)}
}
