// Command barrel runs a node of a secure peer-to-peer cluster, and talks to a running
// one: flags and printing, one file for each noun.
//
// It decides nothing about nodes. `run` assembles one from a configuration and the
// list of built-in plugins; every other command asks a node over its admin socket, or
// looks at files when there is no node to ask.
//
//	barrel run                            # a node, from nothing
//	barrel status                         # in another terminal
//	barrel register echo --exec cat       # a service
//	barrel call echo hello
//	barrel demo                           # three nodes, narrated
//
// Results go to stdout, everything else to stderr. Exit status: 0 done; 1 it failed;
// 2 wrong usage or configuration; 3 no running node found; 4 timed out; 5 refused by
// trust or cookie; 6 not found.
package main
