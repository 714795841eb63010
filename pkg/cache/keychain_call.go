package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/99designs/keyring"
)

// opener opens a ring for one call. Nothing stays open between two: most
// processes make one.
type opener func(*call) (keyring.Keyring, error)

// keychain makes a [Keychain] of a [keyring.Keyring]: with contexts and a time
// limit, which the rings of libraries don't know, and with the same errors for
// all.
type keychain struct {
	name    string
	service string
	limit   time.Duration
	open    opener
	// direct: the ring asks nobody but the kernel, so it needs no time limit,
	// and the goroutine that would watch it costs more than the call.
	direct bool
}

// call is one use of a keychain.
type call struct {
	// ctx ends when the call is given up.
	ctx context.Context
	// caller is the caller's own, without the time limit.
	caller context.Context

	limit time.Duration
	timer *time.Timer

	mu      sync.Mutex
	closers []func()
}

// whilePerson runs f, which waits for a person, outside the time limit.
func (c *call) whilePerson(f func(context.Context) error) error {
	if c.timer == nil {
		return f(c.caller)
	}
	if !c.timer.Stop() {
		return context.Cause(c.ctx)
	}
	defer c.timer.Reset(c.limit)
	return f(c.caller)
}

func (c *call) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.closers {
		f()
	}
	c.closers = nil
}

// Name implements [Keychain].
func (k *keychain) Name() string { return k.name }

// Get implements [Keychain].
func (k *keychain) Get(ctx context.Context, name string) ([]byte, error) {
	return k.do(ctx, "get", func(r keyring.Keyring) ([]byte, error) {
		item, err := r.Get(name)
		return item.Data, err
	})
}

// Set implements [Keychain].
func (k *keychain) Set(ctx context.Context, name string, secret []byte) error {
	item := keyring.Item{Key: name, Data: secret, Label: k.service + ": " + name, Description: "session key"}
	_, err := k.do(ctx, "set", func(r keyring.Keyring) ([]byte, error) { return nil, r.Set(item) })
	if errors.Is(err, ErrNotFound) {
		// Something vanished meanwhile; to callers the sentinel means an item.
		return k.failure("set", errorText("the keyring is gone"))
	}
	return err
}

// Remove implements [Keychain].
func (k *keychain) Remove(ctx context.Context, name string) error {
	_, err := k.do(ctx, "remove", func(r keyring.Keyring) ([]byte, error) { return nil, r.Remove(name) })
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// do runs f in a goroutine and gives up at the limit, or with the caller. A
// ring of a library then goes on in vain until it or the process ends.
func (k *keychain) do(ctx context.Context, op string, f func(keyring.Keyring) ([]byte, error)) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, k.failure(op, err)
	}
	if k.direct {
		data, err := k.use(&call{ctx: ctx, caller: ctx}, f)
		if err != nil {
			return nil, k.failure(op, err)
		}
		return data, nil
	}
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &call{ctx: limited, caller: ctx, limit: k.limit}
	c.timer = time.AfterFunc(k.limit, func() { cancel(errLimit) })
	defer c.timer.Stop()

	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, err := k.use(c, f)
		done <- result{data, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-limited.Done():
		r.err = context.Cause(limited)
	}
	if r.err == nil {
		return r.data, nil
	}
	if limited.Err() != nil && !errors.Is(r.err, keyring.ErrKeyNotFound) {
		// Whatever failed, it failed because the call was given up.
		r.err = context.Cause(limited)
	}
	return nil, k.failure(op, r.err)
}

// use opens the ring for one call.
func (k *keychain) use(c *call, f func(keyring.Keyring) ([]byte, error)) ([]byte, error) {
	defer c.close()
	ring, err := k.open(c)
	if err != nil {
		return nil, err
	}
	return f(ring)
}

// errLimit is the cause when the keychain took too long.
var errLimit error = limitError{}

type limitError struct{}

func (limitError) Error() string { return "it did not answer in time" }
func (limitError) Unwrap() error { return context.DeadlineExceeded }

// failure gives every ring's errors one form.
func (k *keychain) failure(op string, err error) error {
	if errors.Is(err, keyring.ErrKeyNotFound) || errors.Is(err, ErrNotFound) {
		return ErrNotFound
	}
	if errors.Is(err, context.Canceled) {
		// The caller's wish, and no fault of the keychain.
		return fmt.Errorf("%s: %s: %w", k.name, op, err)
	}
	failed := &KeychainError{Problem: problemOf(err), Err: err}
	var known *KeychainError
	if errors.As(err, &known) {
		*failed = *known
	}
	failed.Backend, failed.Op = k.name, op
	return failed
}

func problemOf(err error) Problem {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return ProblemTimeout
	case errors.Is(err, fs.ErrPermission):
		return ProblemDenied
	default:
		return systemProblem(err)
	}
}
