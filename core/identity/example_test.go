package identity_test

import (
	"errors"
	"fmt"
	"os"

	"github.com/barrelp2p/barrel/core/identity"
	"github.com/barrelp2p/barrel/interfaces/name"
)

func Example() {
	dataDir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dataDir)

	lock, err := identity.Lock(dataDir)
	if err != nil {
		panic(err)
	}
	defer func() { _ = lock.Release() }()
	_, err = identity.Lock(dataDir)
	fmt.Println("a second node is refused:", errors.Is(err, identity.ErrInUse))

	id, err := identity.Open(dataDir)
	if err != nil {
		panic(err)
	}
	again, err := identity.Open(dataDir)
	if err != nil {
		panic(err)
	}
	fmt.Println("made at first:", id.Created(), "then:", again.Created())

	pins, err := identity.OpenPins(dataDir)
	if err != nil {
		panic(err)
	}
	peer := name.MustNode("a@10.0.0.1")
	if err := pins.Put(peer, id.Public(), "operator"); err != nil {
		panic(err)
	}
	pin, found, err := pins.Lookup(peer)
	fmt.Println(pin.Node, pin.Source, found, err)
	// Output:
	// a second node is refused: true
	// made at first: true then: false
	// a@10.0.0.1 operator true <nil>
}
