package offline

import (
	"math"
	"time"
)

// State is what is remembered between calls. It has no secret, but the limits
// depend on it, so it is sealed with the session.
type State struct {
	// LastSync is when the provider itself last answered sensibly.
	LastSync time.Time `json:"last_sync,omitzero"`
	// Since is when the session went offline; zero while online.
	Since time.Time `json:"since,omitzero"`
	// Failures in a row; 0 while online.
	Failures int `json:"failures,omitempty"`
	// Reason of the last failure.
	Reason Reason `json:"reason,omitempty"`
	// Category of the last failure.
	Category Category `json:"category,omitempty"`
	// LastError is the last failure in a few words.
	LastError string `json:"last_error,omitempty"`
	// Advice is what can be done about it on this machine, see [Advice].
	Advice string `json:"advice,omitempty"`
	// LastFailure is when it happened, by the machine's clock.
	LastFailure time.Time `json:"last_failure,omitzero"`
	// NextRetry is when the provider may be tried again, by the machine's
	// clock.
	NextRetry time.Time `json:"next_retry,omitzero"`
	// High is the highest time ever reached, and Seen what the machine's
	// clock said when High was last brought up to date. While the clock is
	// not turned back they are equal.
	High time.Time `json:"high,omitzero"`
	Seen time.Time `json:"seen,omitzero"`
	// ValidationSkipped: new tokens came but the keys to check the ID token
	// could not be had.
	ValidationSkipped bool `json:"validation_skipped,omitempty"`
	// StaleUserInfo: the user's claims could not be read at the last refresh.
	StaleUserInfo bool `json:"stale_user_info,omitempty"`
}

// Offline says whether the last exchange with the provider failed.
func (s State) Offline() bool { return s.Failures > 0 }

// MustSignInBy is when the offline limit passes under the policy; zero while
// online, where offline mode is off and where the last sync is not known. It
// is to be compared with [State.EffectiveNow].
func (s State) MustSignInBy(p Policy) time.Time {
	if !s.Offline() || !p.Enabled || s.LastSync.IsZero() {
		return time.Time{}
	}
	return s.LastSync.Add(p.MaxDuration)
}

// failed is the state after one more failure. random, in [-1, 1], is the
// jitter's.
func (s State) failed(f Failure, now time.Time, p Policy, random float64) State {
	now = wall(now)
	waited := s.waiting(now)
	effective, _ := s.EffectiveNow(now)
	s.tick(now)
	if !s.Offline() {
		s.Since, s.Failures = effective, 0
	}
	if s.Failures < math.MaxInt {
		s.Failures++
	}
	s.Reason, s.Category, s.LastError, s.Advice = f.Reason(), f.Category, clean(f.Detail), clean(f.Advice)
	s.LastFailure = now
	next := now.Add(max(p.Retry.Wait(s.Failures, random), min(f.RetryAfter, maxRetryAfter)))
	// A forced try inside the wait shortens nothing: the server may have asked
	// for more time than this failure would cost.
	if !waited || next.After(s.NextRetry) {
		s.NextRetry = next
	}
	return s
}

// online is the state after a success.
func (s State) online(now time.Time) State {
	s = s.Synced(now)
	s.Since, s.LastFailure, s.NextRetry = time.Time{}, time.Time{}, time.Time{}
	s.Failures, s.Reason, s.Category, s.LastError, s.Advice = 0, ReasonNone, "", "", ""
	s.ValidationSkipped, s.StaleUserInfo = false, false
	return s
}
