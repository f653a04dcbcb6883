package config

import (
	"encoding/json"
	"math"

	"github.com/barrelp2p/barrel/interfaces/settings"
)

// Schema is a JSON Schema, draft 2020-12, of a configuration file, for editors. It
// knows every key, the types, the defaults and the choices; what stands between keys,
// such as that a cookie is needed, only Load checks.
func Schema(slots []Slot) []byte {
	root := schemaOf(describe(fresh(slots)))
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Configuration of a Barrel node"
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return []byte("{}") // maps of plain values always marshal
	}
	return append(text, '\n')
}

func schemaOf(f settings.Field) map[string]any {
	s := map[string]any{}
	if f.Help != "" {
		s["description"] = f.Help
	}
	switch f.Kind {
	case settings.KindSection:
		properties := map[string]any{}
		for _, child := range f.Fields {
			properties[child.Name] = schemaOf(child)
		}
		s["type"], s["properties"], s["additionalProperties"] = orNothing("object"), properties, false
	case settings.KindMap:
		s["type"], s["additionalProperties"] = orNothing("object"), schemaOf(*f.Item)
	case settings.KindList:
		s["type"], s["items"] = orNothing("array"), schemaOf(*f.Item)
		addDefault(s, f)
	default:
		schemaScalar(s, f)
		addDefault(s, f)
	}
	return s
}

// orNothing allows a key with nothing under it, which means the default.
func orNothing(kind string) any { return []string{kind, "null"} }

func addDefault(s map[string]any, f settings.Field) {
	if f.Name != "" && !f.Secret {
		s["default"] = f.Value
	}
}

func schemaScalar(s map[string]any, f settings.Field) {
	switch f.Kind {
	case settings.KindBoolean:
		s["type"] = "boolean"
	case settings.KindInteger:
		s["type"] = "integer"
		schemaBounds(s, f)
	case settings.KindNumber:
		s["type"] = "number"
	case settings.KindDuration:
		s["type"], s["pattern"] = "string", `^[+-]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+$`
	default:
		s["type"] = "string"
		if len(f.Choices) > 0 {
			s["enum"] = f.Choices
		}
	}
}

// schemaBounds leaves out the bounds that a JSON number cannot tell apart.
func schemaBounds(s map[string]any, f settings.Field) {
	if f.Natural {
		s["minimum"] = 0
	}
	if f.Bits >= 53 || f.Bits == 0 {
		return
	}
	if f.Natural {
		s["maximum"] = math.Pow(2, float64(f.Bits)) - 1
		return
	}
	s["minimum"], s["maximum"] = -math.Pow(2, float64(f.Bits-1)), math.Pow(2, float64(f.Bits-1))-1
}
