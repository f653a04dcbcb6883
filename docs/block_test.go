package docs_test

import (
	"fmt"
	"slices"
	"strings"
)

// block is one fenced block of a page. Its first line says what it is and how the test
// uses it:
//
//	text                    nothing is done with it
//	console                 commands after "$ ", each with what it prints
//	console terminal=a      the same in a terminal of that name, where the last command may go on running;
//	                        what stands after the prompt of the chat is typed into it
//	console dir=repository  the same in the root of this repository
//	console needs=python3-grpcio  the same, where Python has what that package of Debian has
//	yaml [file=x.yaml]      a configuration that `barrel config check` accepts
//	yaml wrong file=x.yaml  one that it refuses
//	go file=x/main.go       Go that is vetted, as a file of a module of the page's own
type block struct {
	line  int // of the opening fence, from 1
	kind  string
	words []string
	body  []string
}

func (b block) has(word string) bool { return slices.Contains(b.words, word) }

func (b block) value(key string) string {
	for _, word := range b.words {
		if value, ok := strings.CutPrefix(word, key+"="); ok {
			return value
		}
	}
	return ""
}

func (b block) text() string { return strings.Join(b.body, "\n") + "\n" }

// wrong says what is wrong with the first line, or "".
func (b block) wrong() string {
	known := map[string][]string{
		"text": {}, "console": {"terminal=", "dir=repository", "needs="}, "yaml": {"file=", "wrong"}, "go": {"file="},
	}
	words, ok := known[b.kind]
	if !ok {
		return fmt.Sprintf("a block of kind %q: mark it as console, yaml, go or text", b.kind)
	}
	for _, word := range b.words {
		if !slices.ContainsFunc(words, func(w string) bool { return w == word || strings.HasSuffix(w, "=") && strings.HasPrefix(word, w) }) {
			return fmt.Sprintf("a %s block does not know %q", b.kind, word)
		}
	}
	if b.kind == "go" && b.value("file") == "" {
		return "a go block needs file="
	}
	return ""
}

// parseBlocks finds the fenced blocks of a page.
func parseBlocks(page string) ([]block, error) {
	var blocks []block
	var open *block
	fence := ""
	for i, line := range strings.Split(page, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		ticks := len(trimmed) - len(strings.TrimLeft(trimmed, "`"))
		switch {
		case open == nil && ticks >= 3:
			words := strings.Fields(trimmed[ticks:])
			open = &block{line: i + 1}
			if len(words) > 0 {
				open.kind, open.words = words[0], words[1:]
			}
			fence = trimmed[:ticks]
		case open != nil && trimmed == fence:
			blocks, open = append(blocks, *open), nil
		case open != nil:
			open.body = append(open.body, line)
		}
	}
	if open != nil {
		return nil, fmt.Errorf("line %d: the block has no end", open.line)
	}
	return blocks, nil
}

// command is one line after "$ " and what it prints.
type command struct {
	text  string // empty: more output of the command that runs
	typed string // a line typed into the command that runs, after its prompt
	want  []string
}

// commands takes a console block apart. Lines after "> " go on with the command.
func (b block) commands() []command {
	all := []command{{}}
	for _, line := range b.body {
		last := &all[len(all)-1]
		if text, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, command{text: text})
		} else if more, ok := strings.CutPrefix(line, "> "); ok && last.text != "" && len(last.want) == 0 {
			last.text += "\n" + more
		} else if typed, ok := strings.CutPrefix(line, prompt); ok {
			all = append(all, command{typed: typed})
		} else if line == interrupt {
			all = append(all, command{text: interrupt})
		} else {
			last.want = append(last.want, line)
		}
	}
	if len(all[0].want) == 0 {
		all = all[1:]
	}
	return all
}

// prompt is that of examples/chat; a page shows it before what is typed there.
const prompt = "chat> "

// interrupt is how a page writes that Ctrl-C is pressed.
const interrupt = "^C"
