// Package registryv1 is the registry contract on the wire, version 1: generated from registry.proto
// by `make gen`, which also says in comments what it means. interfaces/wire translates it;
// nothing else in Go has a reason to come here.
package registryv1
