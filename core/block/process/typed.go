package process

import (
	"context"
	"reflect"
)

// Handle makes a Handler of a function with types of its own. A payload that is no Req
// is answered with ErrBadPayload.
func Handle[Req, Resp any](f func(ctx context.Context, req Req) (Resp, error)) Handler {
	return func(ctx context.Context, m Message) (any, error) {
		req, err := As[Req](m)
		if err != nil {
			return nil, err
		}
		if err := m.types.learn(reflect.TypeFor[Resp]()); err != nil {
			return nil, err
		}
		return f(ctx, req)
	}
}

// Call is Processes.Call with types: the one of the request need not have been added to
// the types of the node. An answer that is no Resp is ErrBadPayload.
func Call[Req, Resp any](ctx context.Context, p *Processes, to Target, req Req) (Resp, error) {
	var resp Resp
	if err := Learn[Req](p.types); err != nil {
		return resp, err
	}
	out, err := p.Call(ctx, to, req)
	if err != nil {
		return resp, err
	}
	return Convert[Resp](p.types, out)
}

// Convert is what came of a call as a T.
func Convert[T any](types *Types, value any) (T, error) {
	if v, ok := value.(T); ok {
		return v, nil
	}
	var v T
	err := types.convert(value, &v)
	return v, err
}

// Learn makes T known under the name that the compiler has for it, unless it is known.
func Learn[T any](types *Types) error { return types.learn(reflect.TypeFor[T]()) }

// Bytes is what came of a call for those who know bytes only: bytes and text as they are,
// other values of known types as text, and the rest as it was encoded.
func (t *Types) Bytes(value any) []byte {
	if e, ok := value.(*Encoded); ok {
		if v, err := t.value(e); err == nil {
			value = v
		}
	}
	return bytesOf(value)
}
