package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
)

const help = `create ROOM    open a room on this node     close ROOM   close it
rooms          the rooms of all nodes       who ROOM     who is in it
join ROOM      get what is said there       leave ROOM   and no more
say ROOM TEXT  say something                quit         stop this node`

// prompted reports whether somebody types.
func prompted(in io.Reader) bool {
	f, ok := in.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// obey does what the lines of in say, until quit, the end of in or of ctx.
func (c *chat) obey(ctx context.Context, in io.Reader) error {
	lines := make(chan string)
	go func() { // ends with in, or with the program: nothing interrupts a read
		defer close(lines)
		for s := bufio.NewScanner(in); s.Scan(); {
			lines <- s.Text()
		}
	}()
	prompt := prompted(in)
	for {
		if prompt {
			c.show("chat> ")
		}
		select {
		case <-ctx.Done():
			return nil
		case line, more := <-lines:
			if !more || strings.TrimSpace(line) == "quit" {
				return nil
			}
			if err := c.do(line); err != nil {
				c.print("error: %v", err)
			}
		}
	}
}

func (c *chat) do(line string) error {
	words := strings.SplitN(strings.TrimSpace(line), " ", 3)
	words = append(words, "", "")
	command, title, text := words[0], words[1], words[2]
	switch command {
	case "":
		return nil
	case "create":
		return c.create(title)
	case "close":
		return c.shut(title)
	case "join":
		err := c.join(title)
		if err == nil {
			c.print("you are in %s", title)
		}
		return err
	case "leave":
		return c.leave(title)
	case "say":
		return c.say(title, text)
	case "rooms":
		c.print("rooms: %s", strings.Join(c.titles(), " "))
		return nil
	case "who":
		nodes, err := c.who(title)
		if err == nil {
			c.print("in %s: %s", title, strings.Join(nodes, " "))
		}
		return err
	case "help":
		c.print("%s", help)
		return nil
	}
	return fmt.Errorf("no command %q; type help", command)
}
