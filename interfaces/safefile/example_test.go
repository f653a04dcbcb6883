package safefile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/barrelp2p/barrel/interfaces/safefile"
)

func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	path, err := safefile.Join(dir, "peer.pin")
	if err != nil {
		panic(err)
	}
	fmt.Println("first:", safefile.Create(path, []byte("one"), 0o600))
	err = safefile.Create(path, []byte("two"), 0o600)
	fmt.Println("second refused:", errors.Is(err, fs.ErrExist))

	fmt.Println("replaced:", safefile.Write(path, []byte("three"), 0o600))
	data, err := safefile.Read(path, 16)
	fmt.Println(string(data), err)

	_, err = safefile.Join(dir, "../elsewhere")
	fmt.Println("outside refused:", errors.Is(err, safefile.ErrElement))
	// Output:
	// first: <nil>
	// second refused: true
	// replaced: <nil>
	// three <nil>
	// outside refused: true
}
