package oidcflow

import (
	"context"
	"errors"
	"net/http/httptrace"
	"sync"
)

// untilSent gives a context for one request. It is cancelled with ctx only
// until there is a connection to send on; from then on only ctx's deadline
// ends it.
func untilSent(ctx context.Context) (context.Context, context.CancelFunc) {
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	release := cancel
	if deadline, ok := ctx.Deadline(); ok {
		var end context.CancelFunc
		sending, end = context.WithDeadline(sending, deadline)
		release = func() { end(); cancel() }
	}
	var mu sync.Mutex
	var sent, cancelled bool
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if !sent && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			cancelled = true
			cancel()
		}
	})
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		mu.Lock()
		defer mu.Unlock()
		if cancelled {
			_ = info.Conn.Close() // too late to tell the transport in any other way
			return
		}
		sent = true
	}}
	return httptrace.WithClientTrace(sending, trace), func() { stop(); release() }
}
