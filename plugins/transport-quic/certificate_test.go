package transportquic

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go/testutils/simnet"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
	"github.com/barrelp2p/barrel/interfaces/plugintest"
	"github.com/barrelp2p/barrel/interfaces/transport"
)

func TestCertificateIsWhatItShouldBe(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	for node, check := range map[string]func(*x509.Certificate) bool{
		"a@10.0.0.1":         func(c *x509.Certificate) bool { return c.IPAddresses[0].String() == "10.0.0.1" },
		"a@[fd00::1]":        func(c *x509.Certificate) bool { return c.IPAddresses[0].String() == "fd00::1" },
		"a@node.example.com": func(c *x509.Certificate) bool { return c.DNSNames[0] == "node.example.com" },
	} {
		cert, key, err := makePair(name.MustNode(node), 40*365, now)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := parsePair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		leaf := pair.Leaf
		public, ok := leaf.PublicKey.(*ecdsa.PublicKey)
		facts := map[string]bool{
			"P-256":         ok && public.Curve == elliptic.P256(),
			"SHA-256":       leaf.SignatureAlgorithm == x509.ECDSAWithSHA256,
			"common name":   leaf.Subject.CommonName == node,
			"organisation":  slices.Equal(leaf.Subject.Organization, []string{"barrel"}),
			"begins before": leaf.NotBefore.Equal(now.Add(-5 * time.Minute)),
			"ends":          leaf.NotAfter.Equal(now.Add(40 * 365 * day)),
			"serial":        leaf.SerialNumber.Sign() > 0 && leaf.SerialNumber.BitLen() >= 64 && leaf.SerialNumber.BitLen() <= 127,
			"no CA":         leaf.BasicConstraintsValid && !leaf.IsCA,
			"key usage":     leaf.KeyUsage == x509.KeyUsageDigitalSignature,
			"both sides": slices.Equal(leaf.ExtKeyUsage,
				[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}),
			"host": check(leaf),
		}
		for fact, holds := range facts {
			if !holds {
				t.Errorf("%s: %s is wrong", node, fact)
			}
		}
	}
}

// files reads the files of a carrier's folder.
func files(t *testing.T, c *carrier, names ...string) [][]byte {
	t.Helper()
	var contents [][]byte
	for _, n := range names {
		data, err := os.ReadFile(filepath.Join(c.certs.dir, n))
		if err != nil {
			t.Fatal(err)
		}
		contents = append(contents, data)
	}
	return contents
}

func restart(t *testing.T, c *carrier) error {
	t.Helper()
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c.Start(t.Context())
}

func TestFilesAreMadeOnce(t *testing.T) {
	c := start(t, "a@127.0.0.1", nil)
	for path, mode := range map[string]os.FileMode{"": 0o700, "node.key": 0o600, "reset.key": 0o600, "node.crt": 0o644} {
		info, err := os.Stat(filepath.Join(c.certs.dir, path))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("quic/%s: %v, %v; want mode %v", path, info, err, mode)
		}
	}
	before := files(t, c, "node.crt", "node.key", "reset.key")
	if err := restart(t, c); err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(before, files(t, c, "node.crt", "node.key", "reset.key"), bytes.Equal) {
		t.Error("a second start changed the files")
	}
}

func TestHalfAPairIsMadeAnew(t *testing.T) {
	for _, lost := range []string{"node.crt", "node.key"} {
		c := start(t, "a@127.0.0.1", nil)
		before := files(t, c, "node.crt", "node.key")
		if err := os.Remove(filepath.Join(c.certs.dir, lost)); err != nil {
			t.Fatal(err)
		}
		if err := restart(t, c); err != nil {
			t.Fatalf("without %s: %v", lost, err)
		}
		after := files(t, c, "node.crt", "node.key")
		if bytes.Equal(before[0], after[0]) || bytes.Equal(before[1], after[1]) {
			t.Errorf("without %s: only half of the pair is new", lost)
		}
	}
}

func TestMismatchIsRefused(t *testing.T) {
	c, other := start(t, "a@127.0.0.1", nil), start(t, "b@127.0.0.1", nil)
	foreign := files(t, other, "node.key")[0]
	for what, content := range map[string][]byte{"foreign": foreign, "damaged": []byte("junk"), "huge": make([]byte, 2*maxPEM)} {
		path := filepath.Join(c.certs.dir, "node.key")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		err := restart(t, c)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "remove both to get a new pair") {
			t.Errorf("%s key: %v", what, err)
		}
		if got, _ := os.ReadFile(path); !bytes.Equal(got, content) {
			t.Errorf("%s key: was overwritten", what)
		}
	}
}

func TestDamagedResetKeyIsMadeAnew(t *testing.T) {
	for _, content := range []string{"", "short", strings.Repeat("x", 65)} {
		c := start(t, "a@127.0.0.1", nil)
		path := filepath.Join(c.certs.dir, "reset.key")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := restart(t, c); err != nil {
			t.Errorf("%d bytes: %v", len(content), err)
		}
		if n := len(files(t, c, "reset.key")[0]); n != socketKeysSize {
			t.Errorf("%d bytes: became %d", len(content), n)
		}
	}
}

// operator writes a pair of somebody else's and returns where.
func operator(t *testing.T, days int) (certFile, keyFile string) {
	t.Helper()
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	operatorInto(t, certFile, keyFile, days)
	return certFile, keyFile
}

func operatorInto(t *testing.T, certFile, keyFile string, days int) {
	t.Helper()
	cert, key, err := makePair(name.MustNode("operator@127.0.0.1"), days, time.Now())
	if err := errors.Join(err, os.WriteFile(certFile, cert, 0o600), os.WriteFile(keyFile, key, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestOperatorsCertificate(t *testing.T) {
	certFile, keyFile := operator(t, 365)
	before, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, "a@127.0.0.1", func(s *Settings) { s.CertFile, s.KeyFile = certFile, keyFile })
	if cn := c.certs.current.Load().Leaf.Subject.CommonName; cn != "operator@127.0.0.1" {
		t.Errorf("serves the certificate of %s", cn)
	}
	if _, err := c.RotateCertificate(t.Context()); !errors.Is(err, plugin.ErrUnsupported) {
		t.Errorf("RotateCertificate: %v, want ErrUnsupported", err)
	}
	if after, _ := os.ReadFile(certFile); !bytes.Equal(before, after) {
		t.Error("the operator's file was written to")
	}
	operatorInto(t, certFile, keyFile, 20)
	c.certs.refresh(time.Now())
	if health := c.Health(); health.State != plugin.Healthy {
		t.Errorf("a fresh certificate of 20 days: %v", health)
	}
	c.certs.refresh(time.Now())
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	c.certs.refresh(time.Now())
	if health := c.Health(); health.State != plugin.Degraded || !strings.Contains(health.Detail, keyFile) {
		t.Errorf("without key file: %v", health)
	}
	if err := restart(t, c); err == nil || !strings.Contains(err.Error(), "transport.quic.cert_file") {
		t.Errorf("start without key file: %v", err)
	}
}

func TestRotationKeepsStreams(t *testing.T) {
	a, b := start(t, "a@127.0.0.1", nil), start(t, "b@127.0.0.1", nil)
	before := files(t, b, "node.crt", "node.key")
	here, there := connect(t, a, b)
	s, err := here.OpenStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	backup, err := b.RotateCertificate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.RotateCertificate(t.Context())
	if err != nil || second == backup {
		t.Errorf("a second rotation: kept in %q, %v", second, err)
	}
	for i, n := range []string{"node.crt", "node.key"} {
		if kept, err := os.ReadFile(filepath.Join(backup, n)); err != nil || !bytes.Equal(kept, before[i]) {
			t.Errorf("backup of %s: %v", n, err)
		}
	}
	if _, err := s.Write([]byte("on it goes")); err != nil {
		t.Errorf("a stream of before: %v", err)
	}
	if _, err := there.AcceptStream(t.Context()); err != nil {
		t.Errorf("a stream of before: %v", err)
	}
	again, _ := connect(t, a, b)
	shown := again.(*conn).quic.ConnectionState().TLS.PeerCertificates[0]
	if !shown.Equal(b.certs.current.Load().Leaf) || bytes.Equal(shown.Raw, here.(*conn).quic.ConnectionState().TLS.PeerCertificates[0].Raw) {
		t.Error("a new connection does not show the new certificate")
	}
}

func TestRotationBeforeStart(t *testing.T) {
	c := build(t, plugintest.Env(t, "a@127.0.0.1"), nil)
	if backup, err := c.RotateCertificate(t.Context()); backup != "" || err != nil {
		t.Errorf("nothing to keep: %q, %v", backup, err)
	}
	if backup, err := c.RotateCertificate(t.Context()); backup == "" || err != nil {
		t.Errorf("something to keep: %q, %v", backup, err)
	}
}

// TestCertificateNeverRunsOut lives through thirteen months of virtual time, which
// begin in the year 2000.
func TestCertificateNeverRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := virtual(t, &ether{nodes: map[string]simnet.PacketReceiver{}}, "a@10.0.0.1")
		first := c.certs.current.Load().Leaf
		if first.NotBefore.Year() != 1999 {
			t.Fatalf("begins %v, want before the bubble did", first.NotBefore)
		}
		time.Sleep(400 * day)
		now := c.certs.current.Load().Leaf
		if now.Equal(first) || time.Until(now.NotAfter) < ahead {
			t.Errorf("after 400 days it serves the certificate that ends %v", now.NotAfter)
		}
		if health := c.Health(); health.State != plugin.Healthy {
			t.Errorf("health %v", health)
		}
		kept, err := os.ReadDir(filepath.Join(c.certs.dir, "backups"))
		if err != nil || len(kept) != 1 {
			t.Errorf("backups: %v, %v; want one", kept, err)
		}
	})
}

func TestExpiryBreaksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &ether{nodes: map[string]simnet.PacketReceiver{}}
		certFile, keyFile := operator(t, 365)
		a := virtual(t, e, "a@10.0.0.1")
		b := virtual(t, e, "b@10.0.0.2", func(s *Settings) { s.CertFile, s.KeyFile = certFile, keyFile })
		until := time.Until(b.certs.current.Load().Leaf.NotAfter)
		for _, step := range []struct {
			wait time.Duration
			want string
		}{{until - 31*day, ""}, {2 * day, "certificate ends at"}, {40 * day, "certificate ended at"}} {
			time.Sleep(step.wait)
			if health := b.Health(); !strings.Contains(health.Detail, step.want) || (step.want == "") != (health.State == plugin.Healthy) {
				t.Errorf("health %v, want %q", health, step.want)
			}
			here, _ := connect(t, a, b)
			if err := here.Close(transport.CloseIdle, ""); err != nil {
				t.Error(err)
			}
		}
	})
}
