// Package pluginv1 is what every plugin process can be asked on the wire, version 1: generated from plugin.proto
// by `make gen`, which also says in comments what it means. interfaces/wire translates it;
// nothing else in Go has a reason to come here.
package pluginv1
