package main

import (
	"fmt"
	"net/url"
	"time"

	"github.com/barrelp2p/barrel/interfaces/plugin"
)

// Settings is the section discovery.http.
type Settings struct {
	URL     string        `setting:"url" help:"where the document is; http or https"`
	Token   string        `setting:"token" help:"sent as a bearer token" secret:"true"`
	Poll    time.Duration `setting:"poll" help:"time between questions"`
	Timeout time.Duration `setting:"timeout" help:"for one question"`
}

func defaults() *Settings { return &Settings{Poll: 30 * time.Second, Timeout: 5 * time.Second} }

// Validate looks at the values only.
func (s *Settings) Validate() []plugin.Problem {
	var problems []plugin.Problem
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		problems = append(problems, plugin.Problem{
			Path: "url", Text: fmt.Sprintf("%q is no address of a document", s.URL), Hint: "write http://HOST/PATH or https://HOST/PATH",
		})
	}
	for _, d := range []struct {
		path string
		is   time.Duration
	}{{"poll", s.Poll}, {"timeout", s.Timeout}} {
		if d.is <= 0 {
			problems = append(problems, plugin.Problem{Path: d.path, Text: fmt.Sprintf("must be longer than nothing, got %s", d.is), Hint: "write 30s"})
		}
	}
	return problems
}
