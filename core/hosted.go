package core

import (
	"time"

	"github.com/barrelp2p/barrel/core/admin"
	"github.com/barrelp2p/barrel/core/catalog"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// This file is what a node knows of plugins in processes of their own. It learns it by
// small interfaces and starts no process: the factories that do come with the catalog.

// listen tells of changes of a plugin's health as they happen, with what they mean for
// the node.
func (l *life) listen(part string, kind plugin.Kind, p plugin.Part) {
	teller, ok := p.(plugin.HealthTeller)
	if !ok {
		return
	}
	teller.OnHealth(func(h plugin.Health) {
		var extra map[string]string
		if slot, known := catalog.SlotOf(kind); known && h.State != plugin.Healthy {
			extra = map[string]string{"policy": string(slot.Absence.Policy), "stops": slot.Absence.Stops}
		}
		l.events.Publish(partEvent(part, h, extra))
	})
}

// absence is what the failure of a plugin means, for the warning about it; "" if it is
// built in or works.
func (l *life) absence(part string) string {
	hosted := l.hosted(part)
	if hosted == nil || hosted.Process().PID != 0 {
		return ""
	}
	kind, _ := splitID(part)
	slot, _ := catalog.SlotOf(plugin.Kind(kind))
	return "; " + string(slot.Absence.Policy) + ": " + slot.Absence.Stops
}

// hosted is the plugin of a part, if it runs in a process of its own; else nil.
func (l *life) hosted(part string) plugin.Hosted {
	hosted, _ := l.plugin(part).(plugin.Hosted)
	return hosted
}

// describeProcess completes the entry of a plugin that is configured as a process.
func (l *life) describeProcess(entry *admin.Plugin, part string) {
	if _, entry.External = l.configNow().Plugins[entry.Kind+"/"+entry.Name]; !entry.External {
		return
	}
	entry.Version = ""
	if hosted := l.hosted(part); hosted != nil && entry.Health != unused {
		process := hosted.Process()
		entry.Version, entry.PID, entry.Sandbox = process.Version, process.PID, process.Sandbox
		entry.Restarts += process.Restarts
		if process.Contract != "" {
			entry.Contract = process.Contract
		}
	}
}

// unused is the health of a plugin that the node does not use.
const unused = "unused"

func partEvent(part string, h plugin.Health, extra map[string]string) Event {
	return Event{Time: time.Now().UTC(), Kind: "plugin", Type: string(h.State), Name: part, Reason: h.Detail, Extra: extra}
}
