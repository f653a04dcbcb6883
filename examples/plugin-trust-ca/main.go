// Plugin-trust-ca is a trust plugin in a process of its own: a node is trusted if an
// authority that is kept offline has signed its key, the signature has not expired, and
// it is not on the list of revoked ones.
//
//	offline:  plugin-trust-ca init    -dir authority                 authority.key, authority.pub
//	          plugin-trust-ca sign    -dir authority -node b@10.0.0.2 -key HEX -days 90 > b@10.0.0.2.cert
//	          plugin-trust-ca revoke  -dir authority -serials 17,23 > revoked
//	on nodes: the folder of *.cert files, the file revoked, and
//
//	trust:
//	  use: ca
//	  ca: {authority: HEX, certificates: /etc/barrel/certificates, revoked: /etc/barrel/revoked}
//	plugins:
//	  trust/ca: {command: /usr/libexec/barrel/trust-ca, sha256: [...]}
//
// Whatever it cannot read or verify means no. Certificates and the list are read anew for
// each handshake, so that a copied file counts at once.
package main

import (
	"fmt"
	"os"

	"github.com/barrelp2p/barrel/interfaces/sdk"
)

func main() {
	if len(os.Args) < 2 {
		sdk.Serve(Factory(), sdk.Version("1.0.0"))
	}
	if err := office(os.Args[1], os.Args[2:], os.Stdout); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "plugin-trust-ca: "+err.Error())
		os.Exit(1)
	}
}
