package main

func Example() {
	main()
	// Output:
	// Nodes
	//   a has links to [b@h c@h], hidden ones to []
	//   node up c@h
	//   node down c@h
	//   node up c@h
	// Messages
	//   b got "hello" from a@h
	//   the process ended with "b@h: work done on b@h: 42"
	//   c may not start it: true
	//   12 squared is 144
	//   asked again after its end: noproc
	//   ten pieces of work make 90
	// Names
	//   c finds the leader on b@h
	//   a second leader: true
	//   after the cut the leader of c loses to that of b@h
	//   all find the same scheduler: true
	//   it ends with its process
	// Supervision
	//   the worker runs on c@h
	//   its node is gone, it runs on b@h
	//   3 of 3 members heard it
	//   they left the group with their end
	// Calls
	//   done in time; timed out: true, and the work was interrupted: true
	//   yielded: done
	//   3 answers, nothing of [whoami@nobody@h]
	//   mapped to [cba fed ihg lkj]
	// Partitions
	//   150: majority
	//   250: no majority
	//   missing [], majority here: true
	//   missing [c@h], majority here: true
	//   on the other side: majority false
	//   missing [], majority here: true
	//   healed
}
