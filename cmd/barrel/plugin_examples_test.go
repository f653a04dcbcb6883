package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// buildExample builds a program of examples/.
func buildExample(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	if out, err := in(t, "../../examples/"+name, "go", "build", "-ldflags=-s -w", "-o", program, "."); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// keeps holds a program against the suite of its kind.
func keeps(t *testing.T, command, kind string, more ...string) {
	t.Helper()
	status, out, complaints := program(t, append([]string{"plugin", "test", command, "--kind", kind}, more...)...)
	if status != 0 || !strings.Contains(out, " 0 broken") || strings.Contains(out, "say ") {
		t.Errorf("status %d\n%s%s", status, out, complaints)
	}
}

func TestTheExampleOfADocumentInTheWeb(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"1"`)
		_, _ = w.Write([]byte(`{"nodes": {"b@10.0.0.1": ["10.0.0.1:9100", "10.0.0.2:9100"]}}`))
	}))
	t.Cleanup(server.Close)
	keeps(t, buildExample(t, "plugin-discovery-http"), "discovery",
		"--settings", "{url: \""+server.URL+"\"}", "--knows", "b@10.0.0.1=10.0.0.1:9100,10.0.0.2:9100")
}

// The same program is the authority's office and the plugin.
func TestTheExampleOfAnAuthority(t *testing.T) {
	t.Parallel()
	command, dir := buildExample(t, "plugin-trust-ca"), t.TempDir()
	office := func(args ...string) string {
		t.Helper()
		out, err := in(t, dir, append([]string{command}, args...)...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return out
	}
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	authority := strings.TrimSpace(strings.TrimPrefix(office("init"), "authority: "))
	friend, other := strings.Repeat("5a", 32), strings.Repeat("5b", 32)
	certificates := filepath.Join(dir, "certificates")
	if err := os.Mkdir(certificates, 0o700); err != nil {
		t.Fatal(err)
	}
	write("certificates/friend@10.0.0.1.cert", office("sign", "-node", "friend@10.0.0.1", "-key", friend))
	write("certificates/former@10.0.0.1.cert", office("sign", "-node", "former@10.0.0.1", "-key", friend, "-days", "0"))
	keeps(t, command, "trust",
		"--settings", "{authority: \""+authority+"\", certificates: "+certificates+", revoked: "+write("revoked", office("revoke"))+"}",
		"--accepts", "friend@10.0.0.1="+friend, "--refuses", "friend@10.0.0.1="+other, "--refuses", "former@10.0.0.1="+friend)
}
