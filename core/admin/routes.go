package admin

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// route is one path and what its methods do.
type route struct {
	path    string
	methods map[string]http.HandlerFunc
}

func (s *Server) routes(open *sessions) []route {
	get := func(path string, h http.HandlerFunc) route {
		return route{path, map[string]http.HandlerFunc{http.MethodGet: h}}
	}
	post := func(path string, h http.HandlerFunc) route {
		return route{path, map[string]http.HandlerFunc{http.MethodPost: h}}
	}
	return []route{
		get("/v1/status", plain(s.status)),
		get("/v1/members", plain(s.members)),
		get("/v1/view", plain(s.view)),
		get("/v1/links", plain(s.links)),
		get("/v1/services", question(s.services)),
		get("/v1/lookup", question(s.lookup)),
		get("/v1/whereis", question(s.whereis)),
		get("/v1/plugins", plain(s.plugins)),
		get("/v1/discover", question(s.discover)),
		get("/v1/ping", question(s.ping)),
		get("/v1/doctor", question(s.doctor)),
		get("/v1/keys", plain(s.keys)),
		post("/v1/keys/rotate", action(maxBody, s.rotate)),
		{"/v1/trust", map[string]http.HandlerFunc{
			http.MethodGet:    plain(s.pins),
			http.MethodPost:   action(maxBody, s.addPin),
			http.MethodDelete: question(s.removePin),
		}},
		{"/v1/trust/mode", map[string]http.HandlerFunc{
			http.MethodGet: plain(s.mode),
			http.MethodPut: action(maxBody, s.setMode),
		}},
		post("/v1/join", action(maxBody, s.join)),
		post("/v1/leave", question(s.leave)),
		post("/v1/reload", question(s.reload)),
		post("/v1/plugins/reload", action(maxBody, s.replacePlugin)),
		post("/v1/call", action(maxPayloadBody, s.call)),
		post("/v1/send", action(maxPayloadBody, s.send)),
		get("/v1/events", s.events),
		get("/v1/streams", plain(s.streams)),
		post("/v1/stream", s.openStream),
		post("/v1/listen", s.acceptStream),
		post("/v1/migrate", action(maxBody, s.migrate)),
		post("/v1/register", s.register(open)),
		post("/v1/register/{session}/reply", reply(open)),
	}
}

func (s *Server) router(open *sessions) http.Handler {
	mux := http.NewServeMux()
	var paths []string
	for _, r := range s.routes(open) {
		mux.Handle(r.path, byMethod(r.methods))
		paths = append(paths, r.path)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, &statusError{http.StatusNotFound, &Error{Kind: KindUsage,
			Text: fmt.Sprintf("path %q: not known: use %s", clip(r.URL.Path), strings.Join(paths, " "))}})
	})
	return mux
}

func byMethod(methods map[string]http.HandlerFunc) http.HandlerFunc {
	allowed := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
	return func(w http.ResponseWriter, r *http.Request) {
		if handle, ok := methods[r.Method]; ok {
			handle(w, r)
			return
		}
		w.Header().Set("Allow", allowed)
		writeError(w, &statusError{http.StatusMethodNotAllowed, &Error{Kind: KindUsage,
			Text: fmt.Sprintf("path %q: no %s here: use %s", clip(r.URL.Path), clip(r.Method), allowed)}})
	}
}

// question is a handler that takes parameters and no body.
func question(answer func(context.Context, *query) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := newQuery(r)
		ctx, cancel := q.timeout(r.Context())
		defer cancel()
		document, err := answer(ctx, q)
		finish(ctx, w, r, document, err)
	}
}

// action is a handler that takes a body.
func action[B any, P interface {
	*B
	checked
}](limit int64, act func(context.Context, P) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := newQuery(r)
		ctx, cancel := q.timeout(r.Context())
		defer cancel()
		body := P(new(B))
		err := q.done()
		if err == nil {
			err = readBody(w, r, limit, body)
		}
		var document any
		if err == nil {
			document, err = act(ctx, body)
		}
		finish(ctx, w, r, document, err)
	}
}

// finish writes the answer. A failure after the time that the caller gave is a timeout,
// whichever way it was noticed first.
func finish(ctx context.Context, w http.ResponseWriter, r *http.Request, document any, err error) {
	switch {
	case err == nil:
		writeJSON(w, http.StatusOK, document)
		return
	case r.Context().Err() != nil: // the reader has gone, or the server stops
		err = errStopping()
	case ctx.Err() != nil && KindOf(err) == KindFailed:
		err = &Error{Kind: KindTimeout, Text: err.Error()}
	}
	writeError(w, err)
}
