// Package config reads the configuration of a node: it merges the layers (defaults,
// file, environment, flags), decodes every section strictly and says all that is wrong
// at once, each problem with its place, the full key path and the nearest right
// spelling. It also writes samples and schemas from the same fields.
//
// It does not know the plugins: the caller describes them as Slots, and what Settings
// returns is the plugin's own settings type. It opens no file but the one it reads.
//
// The program comes here to run, check and show; an embedder to read a file of its own:
//
//	cfg, err := config.Load(config.Sources{File: "node.yaml", Environ: os.Environ()}, slots)
//	// err is a *config.Problems:
//	// node.yaml:4:5: discovery.static: unknown key "refersh"; did you mean "refresh"?
//
// # Layers
//
//	defaults     of the kernel's sections and of each plugin
//	file         YAML, or JSON or TOML by extension
//	environment  BARREL_TRANSPORT__QUIC__LISTEN: two underscores a level
//	flags        --set transport.quic.listen=:9100, and --name, --listen, --data-dir, --join
//
// A later layer wins. Sections and maps are merged, lists are replaced, and a section
// with nothing under it is nothing.
//
// # Keys with dots
//
// A node name as the key of a map has dots in it. In a file that needs no care. In
// --set a part in double quotes is one key; after the name of a map of plain values
// the quotes may be left out, as all that follows is the key:
//
//	--set 'discovery.static.nodes."seed1@10.0.0.1"=10.0.0.1:9100'
//	--set discovery.static.nodes.seed1@10.0.0.1=10.0.0.1:9100
//
// An environment variable cannot spell such a key; it takes the whole map:
//
//	BARREL_DISCOVERY__STATIC__NODES='{"seed1@10.0.0.1": ["10.0.0.1:9100"]}'
//
// Values from the environment and from flags are text and converted by the type of the
// setting: true or false, 5s, a list as a,b or [a, b], a section or map as {a: b}.
//
// Variables that start with BARREL_ but name no level, such as BARREL_SOCKET, are not
// settings and left alone.
package config
