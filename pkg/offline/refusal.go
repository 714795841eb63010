package offline

import "time"

// Refusal is the provider's "no" to a session without a person. It is
// remembered for a short while in which nobody asks again: a build with thirty
// jobs that all have a wrong secret would otherwise ask thirty times at once,
// and providers lock a client out for less. What would make it a "yes" (another
// secret, a setting at the provider) can't be seen from here, so the while is
// no longer than the first wait in an outage.
type Refusal struct {
	At    time.Time `json:"at,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Category, Detail and Code are the [Failure]'s.
	Category Category `json:"category,omitempty"`
	Detail   string   `json:"detail,omitempty"`
	Code     string   `json:"code,omitempty"`
}

// NewRefusal remembers a failure that was a "no". random, in [-1, 1], is the
// jitter's. An ID token that proves wrong is none: the provider has given one.
func NewRefusal(f Failure, now time.Time, p Policy, random float64) Refusal {
	if f.Step != StepRefresh {
		return Refusal{}
	}
	now = wall(now)
	return Refusal{
		At: now, Until: now.Add(min(p.Retry.Wait(1, random), maxRetryAfter)),
		Category: f.Category, Detail: clean(f.Detail), Code: clean(f.Code),
	}
}

// Stands says whether nobody asks again yet. The text comes from a place that
// anybody may have written to, so no time in it holds for long.
func (r Refusal) Stands(now time.Time) bool {
	now = wall(now)
	return !r.At.IsZero() && now.Before(r.Until) && !now.Before(r.At.Add(-clockTolerance)) && now.Before(r.At.Add(maxRetryAfter))
}

// Failure is what was refused, for its text.
func (r Refusal) Failure() Failure {
	return Failure{Step: StepRefresh, Category: r.Category, Detail: clean(r.Detail), Code: clean(r.Code)}
}
