// Package trustv1 is the trust contract on the wire, version 1: generated from trust.proto
// by `make gen`, which also says in comments what it means. interfaces/wire translates it;
// nothing else in Go has a reason to come here.
package trustv1
