package main

// paint colours a text, on a terminal and if the user did not refuse (NO_COLOR).
type paint struct{ on bool }

func (a *app) paint() paint {
	return paint{on: a.terminal && a.variable("NO_COLOR") == "" && a.variable("TERM") != "dumb"}
}

func (p paint) good(s string) string  { return p.code("32", s) }
func (p paint) bad(s string) string   { return p.code("31", s) }
func (p paint) title(s string) string { return p.code("1", s) }
func (p paint) faint(s string) string { return p.code("2", s) }

func (p paint) code(code, s string) string {
	if !p.on {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
