package resolve

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
)

// Resolution is where a node is and who said so; as JSON it is the document of
// `barrel discover -o json`.
type Resolution struct {
	Node   name.Node `json:"node"`
	Answer Answer    `json:"answer"`
	Steps  []Step    `json:"steps"` // one for each backend, in the order of the chain
}

// Answer is what a dial would use. Backend is "" when nobody knew.
type Answer struct {
	Backend   string         `json:"backend"`
	Endpoints []name.Address `json:"endpoints"` // best first; never nil
	Age       Duration       `json:"age"`       // of the fact
	Stale     bool           `json:"stale"`     // remembered, because no backend could tell now
}

// Outcome is what came of asking a backend.
type Outcome string

// The outcomes. Skipped: a backend before it knew the node.
const (
	Hit     Outcome = "hit"
	Miss    Outcome = "miss"
	Failed  Outcome = "error"
	Skipped Outcome = "skipped"
)

// Step is what one backend said.
type Step struct {
	Backend   string         `json:"backend"`
	Outcome   Outcome        `json:"outcome"`
	Endpoints []name.Address `json:"endpoints"` // never nil
	Error     string         `json:"error"`     // of an error, and of a miss that has more to say
	Took      Duration       `json:"took"`

	err     error         // why it is no hit
	asOf    time.Time     // of a hit: when the fact was written
	ttl     time.Duration // of a hit
	hurried bool          // it had less than a fair time, so an error says nothing about it
}

// Duration is a time.Duration that is written as text, as "1.5s".
type Duration time.Duration

// String is the text of time.Duration.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText makes Duration usable in JSON.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("duration %q: %w", text, err)
	}
	*d = Duration(v)
	return nil
}

// NotFound is the error when no backend knows a node: errors.Is(err,
// discovery.ErrNotFound) tells whether all of them said so, or whether some could not
// tell, in which case their errors are found in it instead.
type NotFound struct {
	Node  name.Node
	Steps []Step
}

// Error lists what each backend said, in one line.
func (e *NotFound) Error() string {
	if len(e.Steps) == 0 {
		return fmt.Sprintf("discovery of %q: there is no backend: name one in discovery.use", e.Node)
	}
	said := make([]string, len(e.Steps))
	for i, step := range e.Steps {
		said[i] = step.Backend + ": " + step.text()
	}
	fact := "not found"
	if e.failures() != nil {
		fact = "could not be told"
	}
	return fmt.Sprintf("discovery of %q: %s (%s)", e.Node, fact, strings.Join(said, "; "))
}

// Unwrap is discovery.ErrNotFound if every backend said so, and otherwise the errors.
func (e *NotFound) Unwrap() []error {
	if failures := e.failures(); failures != nil {
		return failures
	}
	return []error{discovery.ErrNotFound}
}

func (e *NotFound) failures() []error {
	var errs []error
	for _, step := range e.Steps {
		if step.Outcome == Failed {
			errs = append(errs, step.err)
		}
	}
	return errs
}

func (s Step) text() string {
	if s.Error == "" {
		return discovery.ErrNotFound.Error()
	}
	return strings.ReplaceAll(s.Error, "\n", " ")
}

// verdict is the end of a walk along the chain: an answer, or a *NotFound.
type verdict struct {
	res  Resolution
	asOf time.Time
	ttl  time.Duration // of a fresh hit
	err  error
}

func (v verdict) fresh() bool { return v.err == nil && !v.res.Answer.Stale }

// tell is the verdict as somebody gets it now, whose slices are his own.
func (v verdict) tell(now time.Time) (Resolution, error) {
	res := v.res
	res.Answer.Endpoints = owned(res.Answer.Endpoints)
	res.Steps = slices.Clone(res.Steps)
	for i := range res.Steps {
		res.Steps[i].Endpoints = owned(res.Steps[i].Endpoints)
	}
	if !v.asOf.IsZero() {
		res.Answer.Age = Duration(max(now.Sub(v.asOf), 0)) // another clock may be ahead
	}
	return res, v.err
}

// owned copies endpoints; the copy is never nil, so that JSON says [].
func owned(endpoints []name.Address) []name.Address {
	return append(make([]name.Address, 0, len(endpoints)), endpoints...)
}

// conclude makes a verdict of what the backends said and of the last good answer: the
// first hit, else what is remembered if anybody could not tell, else not found.
func conclude(node name.Node, steps []Step, good *verdict) verdict {
	res := Resolution{Node: node, Steps: steps}
	if i := slices.IndexFunc(steps, func(s Step) bool { return s.Outcome == Hit }); i >= 0 {
		hit := steps[i]
		res.Answer = Answer{Backend: hit.Backend, Endpoints: hit.Endpoints}
		return verdict{res: res, asOf: hit.asOf, ttl: hit.ttl}
	}
	notFound := &NotFound{Node: node, Steps: steps}
	if good != nil && !errors.Is(notFound, discovery.ErrNotFound) {
		res.Answer = good.res.Answer
		res.Answer.Stale = true
		return verdict{res: res, asOf: good.asOf}
	}
	return verdict{res: res, err: notFound}
}
