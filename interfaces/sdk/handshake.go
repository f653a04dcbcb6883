package sdk

import (
	goplugin "github.com/hashicorp/go-plugin"
)

// What the host and the plugin greet each other with. The cookie is no secret: it tells
// that the program was started by a host and not by a person.
const (
	CookieName  = "BARREL_PLUGIN"
	CookieValue = "barrel.plugin.v1"
	// Protocol is the version of the greeting and of barrel.plugin.v1.
	Protocol = 1
	// LifelineVariable holds the number of a file that ends when the host does.
	LifelineVariable = "BARREL_PLUGIN_LIFELINE"
	// socketsVariable holds the directory for the sockets of the process. It is go-plugin's.
	socketsVariable = "PLUGIN_UNIX_SOCKET_DIR"
	// Served is what go-plugin calls that which a process serves.
	Served = "barrel"
)

// Handshake is the greeting as go-plugin wants it.
func Handshake() goplugin.HandshakeConfig {
	return goplugin.HandshakeConfig{MagicCookieKey: CookieName, MagicCookieValue: CookieValue}
}
