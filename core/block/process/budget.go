package process

import "sync"

// budget bounds the bytes that wait somewhere. One message may always wait, however
// large it is.
type budget struct {
	limit int

	mu    sync.Mutex
	used  int
	freed chan struct{} // closed when it is worth trying again; nil while nobody waits
}

// take reserves n bytes and returns nil, or returns a channel to wait for.
func (b *budget) take(n int) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used > 0 && b.used+n > b.limit {
		if b.freed == nil {
			b.freed = make(chan struct{})
		}
		return b.freed
	}
	b.used += n
	return nil
}

// give returns n bytes.
func (b *budget) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	if b.freed != nil {
		close(b.freed)
		b.freed = nil
	}
}
