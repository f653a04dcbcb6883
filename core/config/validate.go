package config

import (
	"encoding/hex"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// problems collects what a Validate finds.
type problems []plugin.Problem

func (p *problems) add(path, text, hint string) {
	*p = append(*p, plugin.Problem{Path: path, Text: text, Hint: hint})
}

func (p *problems) positive(path string, d time.Duration) {
	if d <= 0 {
		p.add(path, fmt.Sprintf("must be longer than nothing, got %s", d), "write a duration such as 5s")
	}
}

// Validate looks at the values of the section.
func (n *Node) Validate() []plugin.Problem {
	var p problems
	p.positive("leave_timeout", n.LeaveTimeout)
	if why := badCluster(n.Cluster); why != "" {
		p.add("cluster", why, "use 1 to 255 letters, digits, '_', '-' and '.'")
	}
	if n.DataDir == "" {
		p.add("data_dir", "is empty", "name a directory, as data")
	}
	return p
}

func badCluster(s string) string {
	if s == "" {
		return "is empty"
	}
	if len(s) > 255 {
		return fmt.Sprintf("has %d bytes", len(s))
	}
	for _, r := range s {
		if !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.", r) {
			return fmt.Sprintf("%q has %q in it", s, r)
		}
	}
	return ""
}

// Validate looks at the values of the section.
func (m *Messages) Validate() []plugin.Problem {
	const least, most, waiting = 64 << 10, 256 << 20, 1 << 20
	var p problems
	if m.MaxPayload < least || m.MaxPayload > most {
		p.add("max_payload", fmt.Sprintf("is %d", m.MaxPayload), fmt.Sprintf("write a number of bytes from %d to %d", least, most))
	}
	if m.Mailbox < 1 || m.Mailbox > waiting {
		p.add("mailbox", fmt.Sprintf("is %d", m.Mailbox), fmt.Sprintf("write a number of messages from 1 to %d", waiting))
	}
	return p
}

// Validate looks at the values of the section.
func (a *Auth) Validate() []plugin.Problem {
	var p problems
	p.positive("handshake_timeout", a.HandshakeTimeout)
	p.positive("clock_skew", a.ClockSkew)
	if a.Cookie != "" && a.CookieFile != "" {
		p.add("cookie_file", "auth.cookie is set too", "keep one of the two")
	}
	if len(a.CookieOnly) > 0 && a.Cookie == "" && a.CookieFile == "" {
		p.add("cookie_only", "needs a cookie, and none is set", "set auth.cookie_file or auth.cookie, or empty this list")
	}
	return p
}

// Validate looks at the values of the section.
func (b *Bootstrap) Validate() []plugin.Problem {
	var p problems
	p.positive("retry", b.Retry)
	return p
}

// Validate looks at the values of the section.
func (l *Links) Validate() []plugin.Problem {
	var p problems
	p.positive("idle_after", l.IdleAfter)
	p.positive("sweep", l.Sweep)
	return p
}

// Validate looks at the values of the section.
func (t *Telemetry) Validate() []plugin.Problem {
	var p problems
	if t.Prometheus == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(t.Prometheus)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		p.add("prometheus", fmt.Sprintf("%q is no host:port", t.Prometheus), "write it as 127.0.0.1:9568")
	}
	return p
}

// Validate looks at the values of one entry.
func (e *External) Validate() []plugin.Problem {
	var p problems
	p.positive("timeout", e.Timeout)
	switch {
	case e.Command == "":
		p.add("command", "is missing", "name the program, as /usr/libexec/barrel/discovery-consul")
	case !filepath.IsAbs(e.Command):
		p.add("command", fmt.Sprintf("%q is no absolute path", e.Command), "programs are not searched for; write the whole path")
	}
	switch {
	case len(e.SHA256) == 0 && !e.InsecureUnpinned:
		p.add("sha256", "is missing, so any program could take its place", "add what `sha256sum FILE` prints, or insecure_unpinned: true")
	case len(e.SHA256) > 0 && e.InsecureUnpinned:
		p.add("insecure_unpinned", "sha256 is set too", "keep one of the two")
	}
	for i, sum := range e.SHA256 {
		if raw, err := hex.DecodeString(sum); err != nil || len(raw) != 32 {
			p.add(fmt.Sprintf("sha256[%d]", i), fmt.Sprintf("%q is no SHA-256 checksum", clip(sum)), "`sha256sum FILE` prints it: 64 hex digits")
		}
	}
	for key := range e.Env {
		if key == "" || strings.ContainsAny(key, "=\x00") {
			p.add("env", fmt.Sprintf("%q is no name of a variable", key), "")
		}
	}
	return p
}

// Validate looks at the values of the section.
func (s *Sandbox) Validate() []plugin.Problem {
	var p problems
	if !s.Enabled && (len(s.Read) > 0 || len(s.Write) > 0 || s.Network) {
		p.add("enabled", "is false, so the rest of the section does nothing", "write enabled: true, or take the section away")
	}
	p.absolute("read", s.Read)
	p.absolute("write", s.Write)
	return p
}

func (p *problems) absolute(key string, paths []string) {
	for i, path := range paths {
		if !filepath.IsAbs(path) {
			p.add(fmt.Sprintf("%s[%d]", key, i), fmt.Sprintf("%q is no absolute path", clip(path)), "write the whole path")
		}
	}
}

func clip(s string) string {
	if len(s) > 70 {
		return s[:70] + "..."
	}
	return s
}
