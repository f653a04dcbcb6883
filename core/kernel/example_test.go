package kernel_test

import (
	"context"
	"fmt"

	"github.com/barrelp2p/barrel/core/kernel"
)

// lamp is the smallest part there is.
type lamp string

func (l lamp) Start(context.Context) error { fmt.Println("on: ", l); return nil }
func (l lamp) Stop(context.Context) error  { fmt.Println("off:", l); return nil }

func Example() {
	ctx := context.Background()
	k := kernel.New(kernel.Options{})
	err := k.Assemble(
		kernel.Unit{Name: "link", Needs: []string{"transport"}, Part: lamp("link")},
		kernel.Unit{Name: "transport", Part: lamp("transport")},
	)
	fmt.Println(err, k.Order())
	fmt.Println(k.Start(ctx))
	fmt.Println(k.Stop(ctx))
	// Output:
	// <nil> [transport link]
	// on:  transport
	// on:  link
	// <nil>
	// off: link
	// off: transport
	// <nil>
}

func ExampleBus() {
	ctx := context.Background()
	var bus kernel.Bus[string]
	reader := bus.Subscribe(2)
	defer reader.Close()
	for _, event := range []string{"one", "two", "three"} {
		bus.Publish(event) // never waits
	}
	bus.Close()
	for {
		event, gap, err := reader.Next(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(event, "after a gap of", gap)
	}
	// Output:
	// two after a gap of 1
	// three after a gap of 0
	// event bus closed
}
