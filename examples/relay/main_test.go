package main

func Example() {
	main()
	// Output:
	// hello here, from there
	// packets went through the relay, there and back: true
}
