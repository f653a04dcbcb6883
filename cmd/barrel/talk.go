package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/config"
)

// askTimeout bounds a question that a node answers from memory.
const askTimeout = 10 * time.Second

// talkFlags say which node a command talks to.
type talkFlags struct {
	socket  string
	dataDir string
	file    string
}

// talks makes a command one that talks to a running node: with -o, and with the flags
// that find the node.
func (a *app) talks(cmd *cobra.Command) *cobra.Command {
	a.outputFlag(cmd)
	a.nodeFlags(cmd)
	return cmd
}

func (a *app) nodeFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&a.talk.socket, "socket", "", "admin socket of the node")
	flags.StringVar(&a.talk.dataDir, "data-dir", "", "data directory of the node")
	flags.StringVarP(&a.talk.file, "config", "c", "", "configuration file of the node")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml", "json", "toml")
	_ = cmd.MarkFlagDirname("data-dir")
}

// client is a client of the node that the flags mean.
func (a *app) client() (*admin.Client, error) {
	socket, err := a.socket()
	if err != nil {
		return nil, err
	}
	return admin.NewClient(socket), nil
}

func (a *app) socket() (string, error) {
	switch {
	case a.talk.socket != "":
		return a.talk.socket, nil
	case a.talk.file != "":
		cfg, err := a.loadConfig()
		if err != nil {
			return "", err
		}
		return cfg.Socket(), nil
	case a.talk.dataDir != "":
		return filepath.Join(a.talk.dataDir, "run", "admin.sock"), nil
	}
	if socket := a.variable("BARREL_SOCKET"); socket != "" {
		return socket, nil
	}
	return filepath.Join("data", "run", "admin.sock"), nil
}

// loadConfig reads the configuration that the flags of a talking command mean.
func (a *app) loadConfig() (*config.Config, error) {
	return a.deps.load(config.Sources{File: a.talk.file, Environ: a.environ, DataDir: a.talk.dataDir})
}

// ask makes a client and bounds the time that its answer may take.
func (a *app) ask(ctx context.Context, timeout time.Duration, question func(context.Context, *admin.Client) error) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return question(ctx, client)
}

// timeoutFlag adds --timeout with a default.
func timeoutFlag(cmd *cobra.Command, into *time.Duration, normal time.Duration) {
	cmd.Flags().DurationVar(into, "timeout", normal, "how long to wait for the answer")
}
