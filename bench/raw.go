package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// What a stream of the raw side is for: its first byte.
const (
	rawSink   = 's' // frames to be counted
	rawEcho   = 'e' // frames to be answered
	rawBare   = 'b' // frames of one size to be answered, with nothing in between
	rawStream = 'g' // bytes to be counted
)

const protocol = "bench"

func certificate() (tls.Certificate, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, err
}

// rawConfig has the windows that nodes use.
func rawConfig() *quic.Config {
	return &quic.Config{
		InitialStreamReceiveWindow: 128 << 10, MaxStreamReceiveWindow: 512 << 10,
		InitialConnectionReceiveWindow: 4 << 20, MaxConnectionReceiveWindow: 32 << 20, EnableDatagrams: true,
	}
}

func serveRaw(ctx context.Context) (string, error) {
	cert, err := certificate()
	if err != nil {
		return "", err
	}
	l, err := quic.ListenAddr("127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{protocol}}, rawConfig())
	if err != nil {
		return "", err
	}
	go func() {
		for {
			conn, err := l.Accept(ctx)
			if err != nil {
				return
			}
			go serveRawConn(ctx, conn)
		}
	}()
	return l.Addr().String(), nil
}

func serveRawConn(ctx context.Context, conn *quic.Conn) {
	for {
		s, err := conn.AcceptStream(ctx)
		if err != nil {
			return
		}
		go func() {
			var kind [1]byte
			if _, err := io.ReadFull(s, kind[:]); err != nil {
				return
			}
			switch kind[0] {
			case rawSink:
				rawSinkServe(s)
			case rawEcho:
				rawEchoServe(s)
			case rawBare:
				rawBareServe(s)
			case rawStream:
				n, _ := io.Copy(io.Discard, s)
				_, _ = fmt.Fprintf(s, "%d", n)
				_ = s.Close()
			}
		}()
	}
}

// outbox is what any program would put in front of a stream: messages that are sent at
// the same time are written together.
type outbox struct {
	mu   sync.Mutex
	buf  []byte
	wake chan struct{}
	room *sync.Cond
}

func newOutbox(w io.Writer) *outbox {
	o := &outbox{wake: make(chan struct{}, 1)}
	o.room = sync.NewCond(&o.mu)
	go o.write(w)
	return o
}

func (o *outbox) send(id uint64, payload []byte) {
	o.mu.Lock()
	for len(o.buf) > 1<<20 {
		o.room.Wait()
	}
	o.buf = binary.BigEndian.AppendUint32(o.buf, uint32(8+len(payload)))
	o.buf = append(binary.BigEndian.AppendUint64(o.buf, id), payload...)
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outbox) write(w io.Writer) {
	var spare []byte
	for range o.wake {
		for {
			o.mu.Lock()
			batch := o.buf
			o.buf = spare[:0]
			o.room.Broadcast()
			o.mu.Unlock()
			if len(batch) == 0 {
				spare = batch
				break
			}
			if _, err := w.Write(batch); err != nil {
				return
			}
			spare = batch
		}
	}
}

type rawMessage struct {
	id      uint64
	payload []byte
}

func readRaw(r *bufio.Reader) (m rawMessage, err error) {
	var head [12]byte
	if _, err = io.ReadFull(r, head[:]); err != nil {
		return m, err
	}
	m.id = binary.BigEndian.Uint64(head[4:])
	m.payload = make([]byte, binary.BigEndian.Uint32(head[:])-8)
	_, err = io.ReadFull(r, m.payload)
	return m, err
}

// mailbox passes what comes on to a goroutine of the receiver.
func mailbox(s io.Reader, handle func(rawMessage)) {
	box := make(chan rawMessage, 1024)
	defer close(box)
	go func() {
		for m := range box {
			handle(m)
		}
	}()
	r := bufio.NewReaderSize(s, 64<<10)
	for {
		m, err := readRaw(r)
		if err != nil {
			return
		}
		box <- m
	}
}

// rawSinkServe answers the message with the id 1, which is the last.
func rawSinkServe(s *quic.Stream) {
	mailbox(s, func(m rawMessage) {
		if m.id == 1 {
			_, _ = s.Write([]byte{1})
		}
	})
}

func rawEchoServe(s *quic.Stream) {
	out := newOutbox(s)
	mailbox(s, func(m rawMessage) { out.send(m.id, m.payload) })
}

func rawBareServe(s *quic.Stream) {
	buf := make([]byte, 64)
	for {
		if _, err := io.ReadFull(s, buf); err != nil {
			return
		}
		if _, err := s.Write(buf); err != nil {
			return
		}
	}
}

// rawClient is one connection.
type rawClient struct{ conn *quic.Conn }

func dialRaw(ctx context.Context, addr string) (*rawClient, error) {
	conn, err := quic.DialAddr(ctx, addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}}, rawConfig())
	return &rawClient{conn}, err
}

func (c *rawClient) open(ctx context.Context, kind byte) (*quic.Stream, error) {
	s, err := c.conn.OpenStreamSync(ctx)
	if err == nil {
		_, err = s.Write([]byte{kind})
	}
	return s, err
}

func (c *rawClient) oneWay(ctx context.Context, size int, each time.Duration) (float64, error) {
	s, err := c.open(ctx, rawSink)
	if err != nil {
		return 0, err
	}
	out := newOutbox(s)
	payload := make([]byte, size)
	begin, n := time.Now(), 0
	for time.Since(begin) < each {
		for range 1000 {
			out.send(0, payload)
		}
		n += 1000
	}
	out.send(1, payload)
	_, err = io.ReadFull(s, make([]byte, 1))
	return rate(n, time.Since(begin)), err
}

func (c *rawClient) bare(ctx context.Context, each time.Duration) (float64, error) {
	s, err := c.open(ctx, rawBare)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 64)
	return sample(each, func() error {
		if _, err := s.Write(buf); err != nil {
			return err
		}
		_, err := io.ReadFull(s, buf)
		return err
	})
}

func (c *rawClient) calls(ctx context.Context, inFlight int, each time.Duration) (float64, error) {
	s, err := c.open(ctx, rawEcho)
	if err != nil {
		return 0, err
	}
	out := newOutbox(s)
	waiting := make([]chan []byte, inFlight)
	for i := range waiting {
		waiting[i] = make(chan []byte, 1)
	}
	go func() {
		r := bufio.NewReaderSize(s, 64<<10)
		for {
			m, err := readRaw(r)
			if err != nil {
				return
			}
			waiting[m.id] <- m.payload
		}
	}()
	return many(inFlight, each, func(i int) error {
		out.send(uint64(i), make([]byte, 64))
		<-waiting[i]
		return nil
	})
}

func (c *rawClient) stream(ctx context.Context, size int64) (float64, error) {
	s, err := c.open(ctx, rawStream)
	if err != nil {
		return 0, err
	}
	return pump(s, s.Close, size)
}

// pump writes size bytes and waits until the other end has counted them.
func pump(s io.ReadWriter, closeWrite func() error, size int64) (float64, error) {
	begin := time.Now()
	chunk := make([]byte, 256<<10)
	for left := size; left > 0; left -= int64(len(chunk)) {
		if _, err := s.Write(chunk); err != nil {
			return 0, err
		}
	}
	if err := closeWrite(); err != nil {
		return 0, err
	}
	said, err := io.ReadAll(s)
	if err == nil && string(said) != fmt.Sprint(size) {
		err = errors.New("the other end counted " + string(said))
	}
	return float64(size) / (1 << 20) / time.Since(begin).Seconds(), err
}
