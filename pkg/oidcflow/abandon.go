package oidcflow

import "context"

// abandon runs an exchange whose answer nobody needs once ctx has ended: a
// request that is on its way goes on to its end (see [untilSent]), and the
// person who pressed Ctrl-C does not wait for it.
func abandon[T any](ctx context.Context, exchange func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		value, err := exchange()
		done <- outcome{value, err}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
