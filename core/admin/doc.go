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
package admin
