// Package admin is the local control socket of a node and the client that talks to
// it: the documents of `-o json`, served as HTTP/JSON on a unix socket of mode 0600.
//
// It knows the shape of the questions and answers and nothing of how a node works:
// the node is handed in as the Node interface. The command line is its first user;
// `curl --unix-socket data/run/admin.sock http://barrel/v1/status` is the second.
//
//	server := admin.NewServer(socket, node, log)
//	client := admin.NewClient(socket)
//	status, err := client.Status(ctx)
//
// # Paths
//
// Questions are GET with parameters, actions are POST, PUT or DELETE with a JSON body.
// Every one of them takes timeout=5s, the time that its caller waits. A parameter or
// field that is not known is an error; so is a path or method, and the text says which
// there are. An error is {"error": {"kind", "text"}}, and its kind an HTTP status.
//
//	GET    /v1/status /v1/members /v1/view /v1/links /v1/plugins /v1/keys
//	GET    /v1/services?prefix=  /v1/lookup?name=  /v1/whereis?name=&retries=
//	GET    /v1/discover?node=&explain=  /v1/ping?node=  /v1/doctor?node=
//	GET    /v1/trust  /v1/trust/mode    PUT /v1/trust/mode {mode}
//	POST   /v1/trust {node, public_key}      DELETE /v1/trust?node=
//	POST   /v1/join {node}  /v1/leave  /v1/reload  /v1/keys/rotate {what}
//	POST   /v1/plugins/reload {kind,name}
//	POST   /v1/call {target, payload}   /v1/send {target, payload}   payload in base64
//	GET    /v1/events?kinds=&initial=  text/event-stream, or a document a line if the
//	                             request accepts application/x-ndjson
//
// # Registrations
//
// POST /v1/register {name, meta} registers a service for as long as its answer is
// being read: a stream of documents, one a line. The first is {registered, session};
// then come {delivery} for each message and call, {cancel} with the id of a call that
// nobody waits for any more, and {error} at the end. A call is answered by POST
// /v1/register/SESSION/reply {id, payload} or {id, error}.
package admin
