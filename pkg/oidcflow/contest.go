package oidcflow

import "sync/atomic"

// response is the answer to the authorization request.
type response struct {
	code Secret
	// verdict is why there is no code that may be used.
	verdict error
}

// How a contest stands.
const (
	isOpen int32 = iota
	byBrowser
	byPaste
	isOver
)

// contest is what the browser and the pasted text compete for: the first
// right answer takes it, everything later is too late.
type contest struct {
	expected  expected
	taken     atomic.Int32
	responses chan response
}

func newContest(x expected) *contest {
	return &contest{expected: x, responses: make(chan response, 1)}
}

// offer hands in an answer and says whether it was the first.
func (c *contest) offer(r response, by int32) bool {
	if !c.taken.CompareAndSwap(isOpen, by) {
		return false
	}
	c.responses <- r
	return true
}

// end lets no more answers in, and says who brought one.
func (c *contest) end() int32 {
	c.taken.CompareAndSwap(isOpen, isOver)
	return c.taken.Load()
}
