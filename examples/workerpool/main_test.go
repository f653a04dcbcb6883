package main

func Example() {
	main()
	// Output:
	// workers: 3
	// w2@127.0.0.1 did a job
	// w3@127.0.0.1 did a job
	// workers: 2
	// w1@127.0.0.1 did a job
}
