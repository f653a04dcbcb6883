package discoverydns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	udpSize = 1232 // bytes, what passes everywhere unfragmented
	rounds  = 2    // times that each server is asked before giving up
)

// questioner asks the servers of one lookup. It is used by one goroutine.
type questioner struct {
	servers []string // host:port
	first   int      // the one that answered last
}

// exchange asks the servers one after the other, twice, until one answers. The reply
// has the code success or name error. An error tells what the last of them said.
func (q *questioner) exchange(ctx context.Context, owner string, kind uint16) (*dns.Msg, error) {
	attempts := rounds * len(q.servers)
	var last error
	for i := range attempts {
		if ctx.Err() != nil {
			break
		}
		attempt, cancel := share(ctx, attempts-i)
		server := (q.first + i) % len(q.servers)
		reply, err := askServer(attempt, q.servers[server], owner, kind)
		cancel()
		if err == nil {
			q.first = server
			return reply, nil
		}
		last = err
	}
	if last == nil {
		last = fmt.Errorf("%s %s: not asked: %w", owner, dns.TypeToString[kind], context.Cause(ctx))
	}
	return nil, last
}

// share gives an attempt its part of the time that is left.
func share(ctx context.Context, attemptsLeft int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(attemptsLeft))
}

// askServer asks one server over UDP, and over TCP if the answer does not fit.
func askServer(ctx context.Context, server, owner string, kind uint16) (*dns.Msg, error) {
	question := new(dns.Msg).SetQuestion(dns.Fqdn(owner), kind)
	question.SetEdns0(udpSize, false)
	reply, err := roundTrip(ctx, "udp", server, question)
	if err == nil && reply.Truncated {
		reply, err = roundTrip(ctx, "tcp", server, question)
	}
	if err == nil {
		err = judge(reply)
	}
	if err != nil {
		return nil, fmt.Errorf("server %s: %s %s: %w", server, question.Question[0].Name, dns.TypeToString[kind], err)
	}
	return reply, nil
}

func judge(reply *dns.Msg) error {
	switch {
	case reply.Rcode == dns.RcodeSuccess, reply.Rcode == dns.RcodeNameError:
		return nil
	case dns.RcodeToString[reply.Rcode] != "":
		return errors.New(dns.RcodeToString[reply.Rcode])
	}
	return fmt.Errorf("response code %d", reply.Rcode)
}

func roundTrip(ctx context.Context, network, server string, question *dns.Msg) (*dns.Msg, error) {
	client := dns.Client{Net: network, UDPSize: udpSize}
	conn, err := client.DialContext(ctx, server)
	if err != nil {
		return nil, bare(err)
	}
	defer func() { _ = conn.Close() }() // nothing is lost: the reply is read
	wake := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer wake()
	if err := conn.WriteMsg(question); err != nil {
		return nil, told(ctx, err)
	}
	for {
		reply, err := conn.ReadMsg()
		if err == nil && matches(question, reply) {
			return reply, nil
		}
		if network == "tcp" && err == nil {
			return nil, errors.New("answers another question")
		}
		if _, broken := errors.AsType[net.Error](err); broken || network == "tcp" {
			return nil, told(ctx, err)
		}
		// A datagram that is no answer to this question may be somebody else's: go
		// on listening until the time is up.
	}
}

// matches reports whether reply answers question: number, direction and question must
// be the same (RFC 5452, 9.1). The source address is seen to by the connected socket.
func matches(question, reply *dns.Msg) bool {
	if reply == nil || !reply.Response || reply.Id != question.Id || len(reply.Question) != 1 {
		return false
	}
	asked, answered := question.Question[0], reply.Question[0]
	return asked.Qtype == answered.Qtype && asked.Qclass == answered.Qclass && strings.EqualFold(asked.Name, answered.Name)
}

// told prefers the end of the context over the error that it causes on the socket.
func told(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer in time: %w", ctx.Err())
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return bare(err)
}

// bare strips the addresses that net puts into its errors: the server is named already.
func bare(err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("%s: %w", e.Op, e.Err)
	}
	return err
}
