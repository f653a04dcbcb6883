package process

// Credit. A receiver elsewhere must not fill the node with what it does not take, and
// must not keep others waiting either. So whoever opens an account for it, which is
// done for each target on each stream, may send so much in all; the receiver raises the
// limits as messages leave its mailbox.
const (
	firstMessages = 64
	firstBytes    = 256 << 10
	mostMessages  = 8 << 10 // that the receiver gives in advance, less if its mailbox is small
	leastMessages = 32
	aheadTimes    = 8 // as many messages as the mailbox holds are given in advance
	aheadBytes    = 4 << 20
	reportBytes   = 64 << 10 // are told of together; the bytes given in advance exceed it
	maxAccounts   = 64 << 10 // on one stream
)

// account is a receiver elsewhere, as its sender sees it. Guarded by outlet.mu.
type account struct {
	target          Target
	number          uint64
	messages, bytes uint64 // sent
	messagesLimit   uint64
	bytesLimit      uint64
	room            chan struct{} // closed when it is worth trying again; nil: nobody waits
}

// may reports whether there is credit for one more message; the last one may go beyond
// the limit in bytes, so that a message of any size is sent in the end.
func (a *account) may() bool { return a.messages < a.messagesLimit && a.bytes < a.bytesLimit }

func (a *account) wait() <-chan struct{} {
	if a.room == nil {
		a.room = make(chan struct{})
	}
	return a.room
}

func (a *account) release() {
	if a.room != nil {
		close(a.room)
		a.room = nil
	}
}

// account returns that of a target, opened on demand. Callers hold o.mu.
func (o *outlet) account(to Target) *account {
	if o.latest != nil && o.latest.target == to {
		return o.latest
	}
	key := to.key()
	if a := o.accounts[key]; a != nil {
		o.latest = a
		return a
	}
	o.lastAccount++
	a := &account{target: to, number: o.lastAccount, messagesLimit: firstMessages, bytesLimit: firstBytes}
	o.accounts[key] = a
	o.numbers[a.number] = a
	begin := len(o.buf)
	o.buf = appendTarget(appendNumber(beginFrame(o.buf, frameOpen), a.number), to)
	o.buf = endFrame(o.buf, begin)
	return a
}

// credited raises the limits of an account of a stream.
func (o *outlet) credited(generation, number, messages, bytes uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	a := o.numbers[number]
	if generation != o.generation || a == nil {
		return // of a stream that is no longer used
	}
	a.messagesLimit, a.bytesLimit = max(a.messagesLimit, messages), max(a.bytesLimit, bytes)
	if a.may() {
		a.release()
	}
}

// settle ends all accounts: the next stream has its own. Callers hold o.mu.
func (o *outlet) settle() {
	for _, a := range o.accounts {
		a.release()
	}
	o.latest, o.ledger = nil, &ledger{}
	o.accounts, o.numbers, o.lastAccount = map[targetKey]*account{}, map[uint64]*account{}, 0
}
