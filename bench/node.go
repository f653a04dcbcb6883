package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/barrelp2p/barrel/core"
	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/plugins"
)

func startNode(ctx context.Context, dir, text string) (*core.Node, error) {
	cat := plugins.All()
	cfg, err := core.Load(config.Sources{
		Name: text, DataDir: filepath.Join(dir, text),
		Sets: []string{"discovery.file.dir=" + filepath.Join(dir, "discovery"), "transport.quic.listen=127.0.0.1:0"},
	}, cat)
	if err != nil {
		return nil, err
	}
	n, err := core.New(cfg, cat)
	if err != nil {
		return nil, err
	}
	return n, n.Start(ctx)
}

const serverName = "server@127.0.0.1"

func serveNode(ctx context.Context, dir string) (*core.Node, error) {
	n, err := startNode(ctx, dir, serverName)
	if err != nil {
		return nil, err
	}
	for service, handle := range map[string]core.Handler{
		"echo": func(_ context.Context, m core.Message) (any, error) { return m.Bytes(), nil },
		"cpu":  func(context.Context, core.Message) (any, error) { return cpuTime(), nil },
		"ends": func(context.Context, core.Message) (any, error) {
			proc, err := n.Spawn(core.Spec{Run: func(context.Context, *core.Self) error { return nil }})
			if err != nil {
				return nil, err
			}
			return proc.Ref(), nil
		},
	} {
		if _, err := n.Register(ctx, name.MustService(service), nil, handle); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(serveSleeper(ctx, n), serveWitnesses(ctx, n)); err != nil {
		return nil, err
	}
	for i := range pairs {
		sink := func(context.Context, core.Message) (any, error) { return nil, nil }
		if _, err := n.Register(ctx, name.MustService(fmt.Sprint("sink", i)), nil, sink); err != nil {
			return nil, err
		}
	}
	l, err := n.Listen("bulk")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			s, err := l.AcceptStream()
			if err != nil {
				return
			}
			go func() {
				n, _ := io.Copy(io.Discard, s)
				_, _ = fmt.Fprintf(s, "%d", n)
				_ = s.Close()
			}()
		}
	}()
	return n, core.OfferStart(n, "idle", core.Anyone, func(ctx context.Context, self *core.Self, _ int) error {
		_, err := self.Receive(ctx)
		return err
	})
}

// nodeClient measures a node against the node of the other process.
type nodeClient struct {
	node   *core.Node
	server name.Node
}

func (c *nodeClient) service(text string) core.Target { return c.to(name.MustService(text)) }

func (c *nodeClient) to(service name.Service) core.Target {
	return core.Target{Node: c.server, Service: service}
}

// asProcess runs something as a process.
func (c *nodeClient) asProcess(run core.Body) error {
	done := make(chan error, 1)
	_, err := c.node.Spawn(core.Spec{Run: func(ctx context.Context, self *core.Self) error {
		err := run(ctx, self)
		done <- err
		return err
	}})
	if err != nil {
		return err
	}
	return <-done
}

// oneWay lets pairs of a sender and a receiver work side by side.
func (c *nodeClient) oneWay(ctx context.Context, pairs, size int, each time.Duration) (float64, error) {
	counts := make([]int, pairs)
	begin := time.Now()
	_, err := many2(pairs, func(i int) error {
		to := c.service(fmt.Sprint("sink", i))
		var payload any = make([]byte, size)
		return c.asProcess(func(ctx context.Context, self *core.Self) error {
			for time.Since(begin) < each {
				for range 1000 {
					if err := self.Send(ctx, to, payload); err != nil {
						return err
					}
				}
				counts[i] += 1000
			}
			_, err := self.Call(ctx, to, nil) // behind all of them
			return err
		})
	})
	n := 0
	for _, count := range counts {
		n += count
	}
	return rate(n, time.Since(begin)), err
}

func (c *nodeClient) call(ctx context.Context) error {
	_, err := core.Call[[]byte, []byte](ctx, c.node, c.service("echo"), make([]byte, 64))
	return err
}

func (c *nodeClient) stream(ctx context.Context, size int64) (float64, error) {
	s, err := c.node.OpenStream(ctx, "bulk", c.server)
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.Close() }()
	return pump(s, s.CloseWrite, size)
}

func (c *nodeClient) spawn(context.Context) error {
	proc, err := c.node.Spawn(core.Spec{Run: func(context.Context, *core.Self) error { return nil }})
	if err == nil {
		<-proc.Done()
	}
	return err
}

func (c *nodeClient) spawnOn(ctx context.Context) error {
	ref, err := core.SpawnOn(ctx, c.node, c.server, "idle", 1, core.StartOptions{})
	if err == nil {
		err = core.Send(ctx, c.node, ref, "end")
	}
	return err
}

// monitor watches a process elsewhere that ends.
func (c *nodeClient) monitor(ctx context.Context) error {
	ref, err := core.SpawnOn(ctx, c.node, c.server, "idle", 1, core.StartOptions{})
	if err != nil {
		return err
	}
	down, _, err := core.Monitor(ctx, c.node, ref)
	if err != nil {
		return err
	}
	if err := core.Send(ctx, c.node, ref, "end"); err != nil {
		return err
	}
	<-down
	return nil
}
