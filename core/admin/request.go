package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
)

// MaxPayload is the largest payload of a message, call or answer, in bytes.
const MaxPayload = 16 << 20

const (
	maxBody        = 1 << 20                     // of a request without payload
	maxPayloadBody = MaxPayload/3*4 + (64 << 10) // base64, and what stands around it
)

// query reads the parameters of a question. The first thing wrong with them is kept
// and told by done; values read after it are zero.
type query struct {
	values url.Values
	seen   []string
	err    error
}

func newQuery(r *http.Request) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.wrong("parameters: %v", err)
	}
	return q
}

func (q *query) wrong(format string, args ...any) {
	if q.err == nil {
		q.err = &Error{Kind: KindUsage, Text: fmt.Sprintf(format, args...)}
	}
}

func (q *query) text(key string) string {
	q.seen = append(q.seen, key)
	return q.values.Get(key)
}

// node reads the parameter node; a missing one is wrong only if it is required.
func (q *query) node(required bool) name.Node {
	var node name.Node
	if text := q.text("node"); text != "" || required {
		var err error
		if node, err = name.ParseNode(text); err != nil {
			q.wrong("parameter node: %v", err)
		}
	}
	return node
}

func (q *query) service(key string) name.Service {
	service, err := name.ParseService(q.text(key))
	if err != nil {
		q.wrong("parameter %s: %v", key, err)
	}
	return service
}

func (q *query) number(key string, most int) int {
	text := q.text(key)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		q.wrong("parameter %s: %q is no number from 0 to %d", key, clip(text), most)
		return 0
	}
	return n
}

func (q *query) flag(key string) bool {
	text := q.text(key)
	if text == "" {
		return false
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		q.wrong("parameter %s: %q is neither true nor false", key, clip(text))
	}
	return v
}

func (q *query) words(key string) []string {
	text := q.text(key)
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// timeout bounds ctx if the caller said how long it will wait.
func (q *query) timeout(ctx context.Context) (context.Context, context.CancelFunc) {
	text := q.text("timeout")
	if text == "" {
		return context.WithCancel(ctx)
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		q.wrong("parameter timeout: %q is no duration above zero: write it with a unit, as 5s", clip(text))
		d = 0
	}
	return context.WithTimeout(ctx, d)
}

// done says what is wrong with the parameters, one that nobody asked for included.
func (q *query) done() error {
	for _, key := range sortedKeys(q.values) {
		if !slices.Contains(q.seen, key) {
			q.wrong("parameter %q: not known here: use %s", clip(key), strings.Join(q.seen, ", "))
		}
	}
	return q.err
}

func sortedKeys(values url.Values) []string {
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// checked is a request body that can be wrong beyond its syntax.
type checked interface{ check() error }

// readBody decodes the one JSON document of a request body of at most limit bytes.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, into checked) error {
	control := http.NewResponseController(w)
	// The deadline is for the body only: the same connection may carry a stream next.
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	defer breakOffWith(r.Context(), control)()
	return decodeBody(http.MaxBytesReader(w, r.Body, limit), into)
}

// breakOffWith ends a read of the body when ctx ends.
func breakOffWith(ctx context.Context, control *http.ResponseController) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = control.SetReadDeadline(time.Unix(1, 0)) })
}

func decodeBody(body io.Reader, into checked) error {
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			return into.check()
		}
		err = errors.Join(err, errors.New("more than one document"))
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return &statusError{http.StatusRequestEntityTooLarge, &Error{Kind: KindUsage,
			Text: fmt.Sprintf("body: more than %d bytes", large.Limit)}}
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("empty: send one JSON document")
	}
	return &Error{Kind: KindUsage, Text: fmt.Sprintf("body: %s", clip(err.Error()))}
}

func clip(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "..."
	}
	return s
}
