package admin

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/barrelp2p/barrel/interfaces/name"
)

func TestHostileRequests(t *testing.T) {
	_, _, client := startServer(t, quiet())
	large := fmt.Sprintf(`{"node":%q}`, strings.Repeat("x", maxBody))
	for _, c := range []struct {
		method, path, body string
		status             int
		text               string
	}{
		{"GET", "/", "", 404, "not known"},
		{"GET", "/v2/status", "", 404, "not known"},
		{"GET", "/v1/" + strings.Repeat("x", 5000), "", 404, "not known"},
		{"POST", "/v1/status", "", 405, "use GET"},
		{"GET", "/v1/join", "", 405, "use POST"},
		{"PATCH", "/v1/trust", "", 405, "use DELETE, GET, POST"},
		{"GET", "/v1/status?verbose=1", "", 400, `"verbose": not known here`},
		{"GET", "/v1/status?timeout=5", "", 400, "write it with a unit"},
		{"GET", "/v1/status?timeout=-5s", "", 400, "timeout"},
		{"GET", "/v1/status?%zz", "", 400, "parameters"},
		{"GET", "/v1/ping", "", 400, "parameter node"},
		{"GET", "/v1/ping?node=b", "", 400, "write name@host"},
		{"GET", "/v1/lookup?name=", "", 400, "parameter name"},
		{"GET", "/v1/whereis?name=x&retries=-1", "", 400, "retries"},
		{"GET", "/v1/whereis?name=x&retries=99999", "", 400, "from 0 to 1000"},
		{"GET", "/v1/discover?node=b@h&explain=maybe", "", 400, "neither true nor false"},
		{"POST", "/v1/join", "", 400, "empty"},
		{"POST", "/v1/join", "{", 400, "body"},
		{"POST", "/v1/join", "[]", 400, "body"},
		{"POST", "/v1/join", "null", 400, "node: missing"},
		{"POST", "/v1/join", `{"nod":"b@h"}`, 400, "unknown field"},
		{"POST", "/v1/join", `{"node":"b@h"}{}`, 400, "more than one document"},
		{"POST", "/v1/join", `{"node":"b"}`, 400, "write name@host"},
		{"POST", "/v1/join", large, 413, "more than 1048576 bytes"},
		{"POST", "/v1/join?force=1", `{"node":"b@h"}`, 400, "force"},
		{"POST", "/v1/call", `{"target":"x","payload":"%%"}`, 400, "base64"},
		{"POST", "/v1/call", `{"payload":""}`, 400, "target: missing"},
		{"POST", "/v1/keys/rotate", `{"what":"everything"}`, 400, "neither identity nor cert"},
		{"POST", "/v1/trust", `{"node":"b@h","public_key":"00"}`, 400, "want 64 hex digits"},
		{"PUT", "/v1/trust/mode", `{}`, 400, "mode: missing"},
		{"POST", "/v1/register", `{}`, 400, "name: missing"},
		{"POST", "/v1/register/none/reply", `{"id":1}`, 404, "not held any more"},
	} {
		status, text := talk(t, client.Socket(), c.method, c.path, c.body)
		if status != c.status || !strings.Contains(text, c.text) {
			t.Errorf("%s %.40s %.40s: got %d %q, want %d %q", c.method, c.path, c.body, status, text, c.status, c.text)
		}
	}
}

// talk sends one request and returns the status and the text of the error document.
func talk(t *testing.T, socket, method, path, body string) (int, string) {
	t.Helper()
	conn := dial(t, socket)
	request := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: barrel\r\nContent-Length: %d\r\n\r\n%s", method, path, len(body), body)
	go func() { _, _ = io.WriteString(conn, request) }()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var document errorDocument
	if err := json.NewDecoder(response.Body).Decode(&document); err != nil || document.Error == nil {
		t.Errorf("%s %s: no error document: %v", method, path, err)
		return response.StatusCode, ""
	}
	return response.StatusCode, document.Error.Text
}

func TestLargestPayloadFitsIntoABody(t *testing.T) {
	around := len(`{"target":"","payload":""}`) + 2*name.MaxNode + name.MaxService
	if need := base64.StdEncoding.EncodedLen(MaxPayload) + around; need > maxPayloadBody {
		t.Errorf("a body needs %d bytes and may have %d", need, maxPayloadBody)
	}
	if err := checkPayload(make([]byte, MaxPayload)); err != nil {
		t.Error(err)
	}
	if err := checkPayload(make([]byte, MaxPayload+1)); err == nil {
		t.Error("one byte more gave no error")
	}
}

func FuzzRequestBodies(f *testing.F) {
	for _, seed := range []string{
		`{"node":"b@h"}`, `{"target":"x","payload":"aGk="}`, `{"what":"cert"}`, `{"id":1,"payload":"","error":"e"}`,
		`{"node":"b@h","public_key":"` + strings.Repeat("0", 64) + `"}`, `{"name":"x","meta":{"a":"b"}}`, `{"mode":"tofu"}`,
		`null`, `[]`, `{`, `{}{}`, "\x00", `{"meta":{"a":1}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, into := range []checked{
			&joinRequest{}, &messageRequest{}, &Reply{}, &rotateRequest{}, &pinRequest{}, &modeDocument{}, &registerRequest{},
		} {
			err := decodeBody(bytes.NewReader(data), into)
			if err != nil && asError(err).Kind != KindUsage {
				t.Errorf("%T: %v", into, err)
			}
		}
	})
}

func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"node=b@h&explain=true", "name=x&retries=3", "timeout=5s", "kinds=peer,member&initial=true", "%zz", "a;b", "node=&name=/",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.RawQuery = raw
		q := newQuery(r)
		_, cancel := q.timeout(t.Context())
		defer cancel()
		node, service := q.node(true), q.service("name")
		n := q.number("retries", maxRetries)
		_, kinds := q.flag("explain"), q.words("kinds")
		q.checkKinds(kinds)
		err := q.done()
		if err == nil && (node.IsZero() || service.IsZero() || n < 0 || n > maxRetries) {
			t.Errorf("%q: accepted as node %q, service %q, %d", raw, node, service, n)
		}
		if err != nil && asError(err).Kind != KindUsage {
			t.Errorf("%q: %v", raw, err)
		}
	})
}

func FuzzStreamLines(f *testing.F) {
	f.Add([]byte(`{"time":"2024-01-01T00:00:00Z","kind":"peer","type":"up","node":"b@h","name":"","reason":"","count":3}`))
	f.Add([]byte(`{"delivery":{"id":1,"call":true,"from":"a@h/1/2","payload":"aGk="}}`))
	f.Add([]byte(`{"node":7}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var e Event
		if json.Unmarshal(data, &e) == nil {
			if _, err := json.Marshal(e); err != nil && e.Time.Year() < 10000 {
				t.Errorf("event %+v cannot be written again: %v", e, err)
			}
		}
		var line registrationLine
		_ = json.Unmarshal(data, &line)
	})
}
