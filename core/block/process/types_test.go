package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/barrelp2p/barrel/interfaces/name"
)

type shape interface{ area() int }

type square struct{ Side int }

func (s square) area() int { return s.Side * s.Side }

type canvas struct {
	Shape shape
	Any   any
	Of    name.Ref
	When  time.Time
}

// TestValuesTravel sends values of all sorts and gets them back.
func TestValuesTravel(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		for _, p := range []*Processes{from, at} {
			must(t, p.Types().Add("square", square{}))
			must(t, p.Types().Add("canvas", canvas{}))
		}
		proc := w.serve(at, "s", Spec{Handle: func(_ context.Context, m Message) (any, error) { return m.Value(), nil }})
		now := time.Now().UTC().Round(0)
		for _, v := range []any{
			nil, true, 42, -1.5, "text", []byte{0, 1}, []string{"a", ""}, map[string]any{"a": "b"}, time.Minute, now,
			proc.Ref(), at.cfg.Node, square{3}, canvas{Any: square{2}, Of: proc.Ref(), When: now},
			wrapperspb.String("proto"),
		} {
			out, err := from.Call(t.Context(), to(at, "s"), v)
			must(t, err)
			if e, ok := out.(*Encoded); ok {
				out, err = from.Types().value(e)
				must(t, err)
			}
			if fmt.Sprint(out) != fmt.Sprint(v) {
				t.Errorf("%T %v came back as %T %v", v, v, out, out)
			}
		}
		got, err := Call[canvas, canvas](t.Context(), from, to(at, "s"), canvas{Shape: square{4}})
		if err != nil || got.Shape == nil || got.Shape.area() != 16 {
			t.Errorf("what an interface holds came back as %#v, %v", got, err)
		}
	})
}

type question struct{ Words []string }

type reply struct{ Length int }

func TestTypedCallsNeedNoRegistration(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		w.serve(at, "s", Spec{Handle: Handle(func(_ context.Context, q *question) (reply, error) {
			return reply{len(strings.Join(q.Words, ""))}, nil
		})})
		got, err := Call[question, reply](t.Context(), from, to(at, "s"), question{[]string{"ab", "c"}})
		if err != nil || got.Length != 3 {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := Call[reply, reply](t.Context(), from, to(at, "s"), reply{}); !errors.Is(err, ErrBadPayload) {
			t.Errorf("a request of another type: %v", err)
		}
		if _, err := Call[question, string](t.Context(), from, to(at, "s"), question{}); !errors.Is(err, ErrBadPayload) {
			t.Errorf("an answer of another type: %v", err)
		}
		w.serve(at, "upper", Spec{Handle: Handle(func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil })})
		out, err := from.Call(t.Context(), to(at, "upper"), []byte("bytes are text to who wants text"))
		if err != nil || string(from.Types().Bytes(out)) != "BYTES ARE TEXT TO WHO WANTS TEXT" {
			t.Errorf("%q, %v", out, err)
		}
	})
}

func TestProtobufByName(t *testing.T) {
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		w.serve(at, "s", Spec{Handle: Handle(func(_ context.Context, v *structpb.Value) (*wrapperspb.StringValue, error) {
			return wrapperspb.String(v.GetStringValue() + "!"), nil
		})})
		out, err := Call[*structpb.Value, *wrapperspb.StringValue](t.Context(), from, to(at, "s"), structpb.NewStringValue("hi"))
		if err != nil || out.GetValue() != "hi!" {
			t.Errorf("%v, %v", out, err)
		}
	})
}

func TestWhatCannotTravelIsAnErrorToTheSender(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.node("a@h"), w.node("b@h")
		w.serve(b, "s", Spec{Handle: func(context.Context, Message) (any, error) { return make(chan int), nil }})
		for _, v := range []any{question{}, make(chan int), func() {}, struct{ A int }{1}} {
			for _, err := range []error{a.Send(t.Context(), to(b, "s"), v), a.Cast(to(b, "s"), v)} {
				if !errors.Is(err, ErrUnknownType) {
					t.Errorf("%T: %v", v, err)
				}
			}
		}
		if _, err := a.Call(t.Context(), to(b, "s"), nil); !errors.Is(err, ErrUnknownType) {
			t.Errorf("an answer that cannot travel: %v", err)
		}
		if err := a.Types().Add("q", question{}); err != nil {
			t.Error(err)
		}
		if err := a.Types().Add("q", reply{}); !errors.Is(err, ErrUnknownType) {
			t.Errorf("a name that is taken: %v", err)
		}
		if err := a.Types().Add("p", &question{}); !errors.Is(err, ErrUnknownType) {
			t.Errorf("a second name: %v", err)
		}
	})
}

func TestWhoDoesNotKnowATypeCanPassItOn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b, c := w.node("a@h"), w.node("b@h"), w.node("c@h")
		for _, p := range []*Processes{a, c} {
			must(t, p.Types().Add("q", question{}))
		}
		got := make(chan any, 1)
		w.serve(c, "s", Spec{Handle: func(_ context.Context, m Message) (any, error) { got <- m.Value(); return nil, nil }})
		w.serve(b, "s", Spec{Handle: func(ctx context.Context, m Message) (any, error) { return nil, b.Send(ctx, to(c, "s"), m.Value()) }})
		must(t, a.Send(t.Context(), to(b, "s"), question{[]string{"x"}}))
		if q, ok := (<-got).(question); !ok || q.Words[0] != "x" {
			t.Errorf("got %#v", q)
		}
	})
}

func TestErrorsIsWorksAcrossNodes(t *testing.T) {
	errMine := errors.New("mine")
	hereAndElsewhere(t, func(t *testing.T, w *world, from, at *Processes) {
		for _, p := range []*Processes{from, at} {
			must(t, p.Types().AddError("mine", errMine))
		}
		w.serve(at, "s", Spec{Handle: func(_ context.Context, m Message) (any, error) {
			return nil, fmt.Errorf("while %s: %w", m.Bytes(), errors.Join(errMine, io.EOF))
		}})
		_, err := from.Call(t.Context(), to(at, "s"), "testing")
		if !errors.Is(err, errMine) || !errors.Is(err, io.EOF) || errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "while testing") {
			t.Errorf("%v", err)
		}
	})
}
