package main

func Example() {
	main()
	// Output:
	// hello here, from there
	// packets went through the relay, there and back: true
	// hello here, from there
	// and through the other, when the first was gone: true
}
