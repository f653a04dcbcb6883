package main

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"

	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/core/external"
	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/trust"
)

// This file reads what the command line says of a plugin that is under test.

func (f *trialFlags) spec(kind plugin.Kind, command string) (external.Spec, error) {
	path, err := filepath.Abs(command)
	if err != nil {
		return external.Spec{}, failedOn("command", err)
	}
	spec := external.Spec{
		Kind: kind, Name: "tested", Command: path, Args: f.args, Env: map[string]string{}, Timeout: f.timeout,
	}
	if f.sandbox {
		spec.Sandbox = &external.Sandbox{Read: f.read, Write: f.write, Network: f.network}
	} else if f.network || len(f.read)+len(f.write) > 0 {
		return spec, usage("--read, --write and --network are about a sandbox: say --sandbox too")
	}
	for _, pair := range f.env {
		key, value, found := strings.Cut(pair, "=")
		if !found || key == "" {
			return spec, usage("--env %q: write KEY=VALUE", pair)
		}
		spec.Env[key] = value
	}
	return spec, nil
}

func failedOn(what string, err error) error { return usage("%s: %v", what, err) }

// readSection reads settings out of a flag: YAML or JSON, or the name of a file after
// an @.
func readSection(text string) (plugin.Section, error) {
	if path, isFile := strings.CutPrefix(text, "@"); isFile {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, failedOn("--settings", err)
		}
		text = string(content)
	}
	if strings.TrimSpace(text) == "" {
		return plugin.Section{}, nil
	}
	section, err := config.ReadSection(text)
	if err != nil {
		return nil, failedOn("--settings", err)
	}
	return section, nil
}

// learn reads NODE=ADDRESS[,ADDRESS].
func (t *trial) learn(text string) error {
	left, right, _ := strings.Cut(text, "=")
	node, err := name.ParseNode(left)
	if err != nil {
		return failedOn("--knows", err)
	}
	for part := range strings.SplitSeq(right, ",") {
		address, err := name.ParseAddress(part)
		if err != nil {
			return failedOn("--knows", err)
		}
		t.known[node] = append(t.known[node], address)
	}
	return nil
}

// claims reads NODE=KEY.
func claims(texts []string) ([]trust.Claim, error) {
	var out []trust.Claim
	for _, text := range texts {
		left, right, _ := strings.Cut(text, "=")
		node, err := name.ParseNode(left)
		if err != nil {
			return nil, failedOn("--accepts", err)
		}
		raw, err := hex.DecodeString(right)
		if err != nil || len(raw) != len(trust.Key{}) {
			return nil, usage("%q: no key: write NODE=KEY with 64 hex digits, as `barrel keys show` prints it", text)
		}
		out = append(out, trust.Claim{Node: node, Key: trust.Key(raw), Cluster: "test", Remote: name.MustAddress("192.0.2.7:9100")})
	}
	return out, nil
}
