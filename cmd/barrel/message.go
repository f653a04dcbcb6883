package main

import (
	"context"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/barrelp2p/barrel/core/admin"
)

const targetHelp = `TARGET is a service NAME, NAME@NODE for the service of one node (NODE is name@host, so
echo@b@10.0.0.2), or a reference as lookup shows it. PAYLOAD is sent as it is; "-" reads it
from standard input, up to 16 MiB.`

// answerDocument is an answer for scripts: Text is "" if the answer is not UTF-8.
type answerDocument struct {
	Target  string `json:"target"`
	Payload []byte `json:"payload"`
	Text    string `json:"text"`
}

// sentDocument says that a message was sent.
type sentDocument struct {
	Target string `json:"target"`
	Bytes  int    `json:"bytes"`
}

func (a *app) callCommand() *cobra.Command {
	var timeout time.Duration
	cmd := a.talks(a.leaf("call TARGET PAYLOAD", "call a service and print its answer", func(ctx context.Context, args []string) error {
		payload, err := a.payload(args[1])
		if err != nil {
			return err
		}
		return a.ask(ctx, timeout, func(ctx context.Context, c *admin.Client) error {
			answer, err := c.Call(ctx, args[0], payload)
			if err != nil {
				return err
			}
			return a.answered(args[0], answer)
		})
	}))
	cmd.Long = "Call a service and print its answer, byte for byte.\n\n" + targetHelp
	timeoutFlag(cmd, &timeout, 5*time.Second)
	return cmd
}

func (a *app) answered(target string, answer []byte) error {
	if a.json() {
		document := answerDocument{Target: target, Payload: answer}
		if utf8.Valid(answer) {
			document.Text = string(answer)
		}
		return a.show(document, nil)
	}
	if a.terminal {
		_, err := fmt.Fprintln(a.stdout, payloadText(answer))
		return err
	}
	_, err := a.stdout.Write(answer)
	return err
}

func (a *app) sendCommand() *cobra.Command {
	var timeout time.Duration
	cmd := a.talks(a.leaf("send TARGET PAYLOAD", "send a message to a service", func(ctx context.Context, args []string) error {
		payload, err := a.payload(args[1])
		if err != nil {
			return err
		}
		return a.ask(ctx, timeout, func(ctx context.Context, c *admin.Client) error {
			if err := c.Send(ctx, args[0], payload); err != nil {
				return err
			}
			return a.show(sentDocument{args[0], len(payload)}, nil)
		})
	}))
	cmd.Long = "Send a message to a service.\n\n" + targetHelp
	timeoutFlag(cmd, &timeout, 5*time.Second)
	return cmd
}

// payload is the argument, or standard input for "-".
func (a *app) payload(argument string) ([]byte, error) {
	if argument != "-" {
		return []byte(argument), nil
	}
	payload, err := io.ReadAll(io.LimitReader(a.stdin, admin.MaxPayload+1))
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	if len(payload) > admin.MaxPayload {
		return nil, usage("standard input: more than %d bytes: send it in pieces", admin.MaxPayload)
	}
	return payload, nil
}
