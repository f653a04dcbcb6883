package process

import (
	"context"
	"sync"
)

// localCall answers a caller of this node.
type localCall struct {
	callContext
	procs *Processes
	done  chan result
	once  sync.Once
}

func (c *localCall) answer(value any, err error) {
	c.once.Do(func() {
		if err == nil {
			_, err = c.procs.measure(value)
		}
		if err != nil {
			value, err = nil, localError(c.procs.cfg.Node, err)
		}
		c.end(context.Canceled)
		done := c.done
		c.done = nil // a context that is kept keeps its neighbours, and not their answers
		done <- result{value, err}
	})
}

func (c *localCall) context(proc *Process) *callContext {
	c.begin(proc.life)
	return &c.callContext
}

// callSheet is room for calls of this node that are made one after the other: memory is
// asked for once for all of them. None is used twice, because a handler may keep the
// context and the message of a call for as long as it likes.
type callSheet struct {
	calls [8]localCall
	used  int
}

func (p *Processes) newLocalCall(ctx context.Context) *localCall {
	sheet, _ := p.sheets.Get().(*callSheet)
	if sheet == nil {
		sheet = &callSheet{}
	}
	c := &sheet.calls[sheet.used]
	if sheet.used++; sheet.used < len(sheet.calls) {
		p.sheets.Put(sheet)
	}
	c.procs, c.caller = p, ctx
	c.deadline, _ = ctx.Deadline()
	if c.done, _ = p.answers.Get().(chan result); c.done == nil {
		c.done = make(chan result, 1)
	}
	return c
}
