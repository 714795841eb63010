package offline

import (
	"math"
	"time"
)

// Retry is an exponential backoff. A field that is zero has its default, so
// that no policy hammers a provider in trouble by oversight; only a Jitter of
// zero means none.
type Retry struct {
	Initial time.Duration
	// Factor from one wait to the next; less than 1 is 1.
	Factor float64
	Max    time.Duration
	// Jitter spreads each wait by up to this part of it, either way.
	Jitter float64
}

// The defaults of a [Retry].
const (
	defaultInitial = 30 * time.Second
	defaultFactor  = 2
	defaultMax     = 5 * time.Minute
	defaultJitter  = 0.1
)

// Wait is the time between failure n (from 1) and the next try:
// min(Initial·Factor^(n−1), Max), spread by random, which is in [-1, 1].
// It holds for any n: the power is taken in floating point, where it becomes
// infinite and the minimum takes over, and never in integers, where it
// overflows.
func (r Retry) Wait(n int, random float64) time.Duration {
	initial, factor, limit := r.Initial, r.Factor, r.Max
	if initial <= 0 {
		initial = defaultInitial
	}
	if limit <= 0 {
		limit = defaultMax
	}
	switch {
	case factor == 0:
		factor = defaultFactor
	case factor < 1, math.IsNaN(factor):
		factor = 1
	}
	wait := float64(initial) * math.Pow(factor, float64(max(n, 1)-1))
	wait = min(wait, float64(limit))
	wait += wait * within(r.Jitter, 0, 1) * within(random, -1, 1)
	if wait >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(wait)
}

// within bounds x; what is no number becomes 0.
func within(x, low, high float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return max(low, min(x, high))
}
