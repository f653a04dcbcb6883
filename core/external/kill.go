package external

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// errLeft: a process could not be killed, and is still there.
var errLeft = errors.New("cannot be killed and is left behind")

// killPatience is for how long the end of a process is waited for that was killed. One
// of another user cannot be killed, and one that waits for a broken disk does not end.
const killPatience = 2 * time.Second

// kill ends the process and its group at once and returns when they are gone. One that
// does not go is given up, and errLeft: nobody waits for it any longer.
func (c *child) kill(why string) error {
	if c.ended(why) {
		c.mu.Lock()
		c.byHost = true
		c.mu.Unlock()
	}
	if pid := c.pid.Load(); pid > 0 {
		select {
		case <-c.exited.open:
		default:
			c.strike()
			c.expectEnd(pid)
		}
	}
	return c.left()
}

func (c *child) expectEnd(pid int64) {
	select {
	case <-c.exited.open:
	case <-time.After(killPatience):
		c.giveUp(pid)
	}
}

// giveUp lets go of a process that cannot be ended. Its lifeline ends, so that one of
// good will ends by itself some time.
func (c *child) giveUp(pid int64) {
	c.mu.Lock()
	c.how = fmt.Sprintf("process %d %v", pid, errLeft)
	c.given = true
	c.mu.Unlock()
	c.log.log.Error("a process of the plugin cannot be killed and is left behind", slog.Int64("pid", pid))
	_ = c.lifeline.Close()
	c.greeting.end()
	c.exited.close()
	c.done.close()
}

// left is errLeft if the process was given up.
func (c *child) left() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.given {
		return fmt.Errorf("process %d %w", c.pid.Load(), errLeft)
	}
	return nil
}

// settle waits for the last words of a process that has been ended.
func (c *child) settle() {
	if c.begun.Load() {
		<-c.done.open
	}
}
