// Package membershipv1 is the membership contract on the wire, version 1: generated from membership.proto
// by `make gen`, which also says in comments what it means. interfaces/wire translates it;
// nothing else in Go has a reason to come here.
package membershipv1
