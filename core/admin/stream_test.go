package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// dial opens a raw connection to a socket.
func dial(t *testing.T, socket string) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// get asks as curl would and returns the body.
func get(t *testing.T, socket, path, accept string) string {
	t.Helper()
	conn := dial(t, socket)
	_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: barrel\r\nAccept: %s\r\nConnection: close\r\n\r\n", path, accept)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestEventStreamForms(t *testing.T) {
	e := Event{Kind: "member", Type: "up", Node: nodeNamed("b")}
	for accept, want := range map[string]string{
		"":        "event: member\ndata: {",
		typeLines: `{"kind":"member"`,
	} {
		// A server each: a reader that has gone may still take the next one's event.
		node, _, client := startServer(t, quiet())
		conn := dial(t, client.Socket())
		if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(conn, "GET /v1/events HTTP/1.1\r\nHost: barrel\r\nAccept: %s\r\n\r\n", accept)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		node.events <- e
		got := make([]byte, len(want))
		if _, err := io.ReadFull(response.Body, got); err != nil || string(got) != want {
			t.Errorf("Accept %q: got %q, %v, want %q", accept, got, err, want)
		}
		if kind := response.Header.Get("Content-Type"); accept == "" && kind != typeEvents {
			t.Errorf("content type %q", kind)
		}
		_ = conn.Close()
	}
}

func TestEventsAreFilteredAndEndByTheirReader(t *testing.T) {
	node, _, client := startServer(t, quiet())
	enough := errors.New("enough")
	got := make(chan Event, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- client.Events(within(t), Watch{Kinds: []string{"service"}}, func() {}, func(e Event) error {
			got <- e
			return enough
		})
	}()
	node.events <- Event{Kind: "peer", Type: "up"}
	node.events <- Event{Kind: "service", Type: "registered", Name: "x", Extra: map[string]string{"ref": "r"}}
	if e := <-got; e.Name != "x" || e.Extra["ref"] != "r" {
		t.Errorf("got %+v", e)
	}
	if err := <-ended; !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
	if err := client.Events(within(t), Watch{Kinds: []string{"weather"}}, nil, nil); asError(err).Kind != KindUsage {
		t.Errorf("unknown kind: %v", err)
	}
}

func TestEventsBeginWithWhatIsTheCase(t *testing.T) {
	_, _, client := startServer(t, quiet())
	enough := errors.New("enough")
	err := client.Events(within(t), Watch{Initial: true}, func() {}, func(e Event) error {
		if e.Kind != "member" || e.Extra["initial"] != "true" {
			t.Errorf("got %+v", e)
		}
		return enough
	})
	if !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

func TestSlowReaderDoesNotKeepTheServerFromStopping(t *testing.T) {
	node, server, client := startServer(t, quiet())
	conn := dial(t, client.Socket())
	_, _ = fmt.Fprint(conn, "GET /v1/events HTTP/1.1\r\nHost: barrel\r\n\r\n")
	var sent atomic.Int64
	done := make(chan struct{})
	stopFeeding := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case node.events <- Event{Kind: "node", Reason: strings.Repeat("x", 4<<20)}:
				sent.Add(1)
			case <-stopFeeding:
				return
			}
		}
	}()
	eventually(t, "the write of an event has begun", func() bool { return sent.Load() > 0 })
	if _, err := client.Status(within(t)); err != nil {
		t.Errorf("another reader: %v", err)
	}
	stop(t, server)
	close(stopFeeding)
	<-done
}

// register holds a service until it ends; the default handler shouts back.
func register(t *testing.T, client *Client, service string, handle func(context.Context, Delivery) ([]byte, error)) error {
	t.Helper()
	if handle == nil {
		handle = func(_ context.Context, d Delivery) ([]byte, error) {
			return []byte(strings.ToUpper(string(d.Payload))), nil
		}
	}
	return client.Register(within(t), name.MustService(service), map[string]string{"k": "v"}, func(Instance) {}, handle)
}

// hold registers in the background and returns when the service is there.
func hold(t *testing.T, node *fakeNode, client *Client, service string, handle func(context.Context, Delivery) ([]byte, error)) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = register(t, client, service, handle)
	}()
	t.Cleanup(func() { <-ended }) // the context of the test ends before
	eventually(t, "registration", func() bool { return len(node.Services(service)) == 1 })
}

func TestRegisterAnswersCalls(t *testing.T) {
	node, _, client := startServer(t, quiet())
	hold(t, node, client, "shout", nil)
	found, err := client.Whereis(within(t), name.MustService("shout"), 0)
	if err != nil || found.Meta["k"] != "v" || found.Ref.IsZero() {
		t.Errorf("whereis: %+v, %v", found, err)
	}
	answer, err := client.Call(within(t), "shout", []byte("hello"))
	if string(answer) != "HELLO" || err != nil {
		t.Errorf("got %q, %v", answer, err)
	}
	large := []byte(strings.Repeat("a", 1<<20))
	if answer, err = client.Call(within(t), "shout", large); len(answer) != len(large) || err != nil {
		t.Errorf("large payload: %d bytes, %v", len(answer), err)
	}
	if err := register(t, client, "shout", nil); asError(err).Kind != KindUsage {
		t.Errorf("registered twice: %v", err)
	}
}

func TestRegisterFailuresReachTheCaller(t *testing.T) {
	node, _, client := startServer(t, quiet())
	hold(t, node, client, "fails", func(context.Context, Delivery) ([]byte, error) { return nil, errors.New("no paper") })
	if _, err := client.Call(within(t), "fails", nil); err == nil || err.Error() != "no paper" {
		t.Errorf("got %v", err)
	}
}

func TestMessagesKeepTheirOrder(t *testing.T) {
	node, _, client := startServer(t, quiet())
	got := make(chan string, 200)
	hold(t, node, client, "sink", func(_ context.Context, d Delivery) ([]byte, error) {
		got <- string(d.Payload)
		return nil, nil
	})
	for i := range 200 {
		if err := client.Send(within(t), "sink", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 200 {
		if text := <-got; text != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, text)
		}
	}
}

func TestHolderLearnsThatTheCallerGaveUp(t *testing.T) {
	node, _, client := startServer(t, quiet())
	begun, gaveUp := make(chan struct{}), make(chan struct{})
	hold(t, node, client, "slow", func(ctx context.Context, _ Delivery) ([]byte, error) {
		close(begun)
		<-ctx.Done()
		close(gaveUp)
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(within(t))
	called := make(chan error, 1)
	go func() {
		_, err := client.Call(ctx, "slow", nil)
		called <- err
	}()
	<-begun
	cancel()
	if err := <-called; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-gaveUp
}

func TestAbruptDisconnectEndsTheRegistration(t *testing.T) {
	node, _, client := startServer(t, quiet())
	conn := dial(t, client.Socket())
	body := `{"name":"brief"}`
	_, _ = fmt.Fprintf(conn, "POST /v1/register HTTP/1.1\r\nHost: barrel\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	eventually(t, "registration", func() bool { return len(node.Services("brief")) == 1 })
	called := make(chan error, 1)
	go func() {
		_, err := client.Call(within(t), "brief", nil)
		called <- err
	}()
	_, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	eventually(t, "the end of the registration", func() bool { return len(node.Services("brief")) == 0 })
	if err := <-called; err == nil {
		t.Error("the call that waited got no error")
	}
}

func TestReplyToNobody(t *testing.T) {
	open := newSessions()
	one := open.begin()
	if err := one.answer(&Reply{ID: 9}); asError(err).Kind != KindNotFound {
		t.Errorf("unknown call: %v", err)
	}
	open.end(one)
	if _, ok := open.find(one.id); ok {
		t.Error("an ended registration is still found")
	}
}
