package config

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// scalar reads a leaf. A date is text here, as no setting is one.
func (r *yamlReader) scalar(path string, n *yaml.Node) any {
	place := r.at(n.Line, n.Column)
	switch tag := n.ShortTag(); tag {
	case "!!null":
		return nil
	case "!!str", "!!timestamp":
		return n.Value
	case "!!bool", "!!int", "!!float":
		if looksOctal(n.Value) {
			r.add(place, path, fmt.Sprintf("%s starts with a zero, which some read as octal", n.Value), "leave out the zero, or put it in quotes if it is text")
			return nil
		}
		var v any
		if err := n.Decode(&v); err != nil {
			r.add(place, path, "the value does not fit its tag "+tag, "leave out the tag")
			return nil
		}
		return v
	default:
		r.add(place, path, fmt.Sprintf("the tag %s means nothing here", tag), "leave it out")
		return nil
	}
}

func looksOctal(s string) bool {
	digits := strings.TrimLeft(s, "+-")
	return len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "0123456789_") == ""
}

// readFlow reads [a, b] or {a: 1} out of an environment variable or a flag.
func readFlow(text string) (any, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("larger than %d bytes", maxFile)
	}
	root, err := yamlRoot([]byte(text))
	if err != nil || root == nil {
		return nil, flowTrouble(err)
	}
	r := &yamlReader{layer: newLayer(Origin{}), open: map[*yaml.Node]bool{}}
	v := r.value("", root)
	if len(r.problems) > 0 {
		return nil, errors.New(r.problems[0].String())
	}
	return v, nil
}

func flowTrouble(err error) error {
	var e *yaml.LoadError
	if errors.As(err, &e) {
		return errors.New(e.Message)
	}
	return errors.New("nothing in it")
}
