package main

func Example() {
	main()
	// Output:
	// a@house alive
	// b@house alive
}
