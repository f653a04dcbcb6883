// Plugin-discovery-http is a discovery backend in a process of its own: a JSON document
// on a web server says where all nodes are.
//
//	{"nodes": {"b@10.0.0.1": ["10.0.0.1:9100"], "c@10.0.0.2": ["10.0.0.2:9100"]}}
//
// It asks again every so often, with the ETag of what it has, tells the node what has
// changed, and goes on with the last document when the server is away.
//
//	go build -o discovery-http ./examples/plugin-discovery-http
//	barrel plugin pin ./discovery-http
//
//	discovery:
//	  use: [http]
//	  http: {url: "https://inventory.example.com/barrel.json", poll: 30s}
//	plugins:
//	  discovery/http: {command: /usr/libexec/barrel/discovery-http, sha256: [...]}
package main

import "github.com/barrelp2p/barrel/interfaces/sdk"

func main() { sdk.Serve(Factory(), sdk.Version("1.0.0")) }
