package offline

import "time"

// OnLimit says what happens to a session that has been without the provider
// for longer than [Policy.MaxDuration].
type OnLimit string

// The two ways.
const (
	// SignOutOnLimit removes the session. It is the default.
	SignOutOnLimit OnLimit = "sign_out"
	// DenyOnLimit keeps it, so that a later refresh can still succeed, but
	// gives out nothing.
	DenyOnLimit OnLimit = "deny"
)

// Policy is what the user allows. The zero value allows nothing offline;
// [DefaultPolicy] has the defaults.
type Policy struct {
	// Enabled lets an expired token be used while the provider is down.
	Enabled bool
	// MaxDuration is the longest time without the provider, from the last sync.
	MaxDuration time.Duration
	// OnLimit applies when MaxDuration has passed; "" is [SignOutOnLimit].
	OnLimit OnLimit
	// WarnAfter is when the extended_offline_duration warning starts, from the
	// last sync; 0 never.
	WarnAfter time.Duration
	// Retry spaces the tries while the provider is down.
	Retry Retry
	// RepeatFailureThreshold is the number of failures in a row from which
	// repeat_refresh_failure is warned of; 0 never.
	RepeatFailureThreshold int
	// RefreshBefore is how long before its expiry a token is refreshed.
	RefreshBefore time.Duration
	// RefreshBeforeFraction, if not 0, replaces RefreshBefore by this part of
	// the token's lifetime (0.2 is a fifth), where the lifetime is known.
	RefreshBeforeFraction float64
}

// DefaultPolicy is the policy of a profile that sets nothing.
func DefaultPolicy() Policy {
	return Policy{
		MaxDuration:            7 * 24 * time.Hour,
		OnLimit:                SignOutOnLimit,
		WarnAfter:              24 * time.Hour,
		Retry:                  Retry{Initial: defaultInitial, Factor: defaultFactor, Max: defaultMax, Jitter: defaultJitter},
		RepeatFailureThreshold: 3,
		RefreshBefore:          time.Minute,
	}
}

// refreshWindow is how long before its expiry the token is due. Never more
// than half of its lifetime, or a token that lives for five minutes would be
// refreshed at every call with a window of five.
func (p Policy) refreshWindow(lifetime time.Duration) time.Duration {
	window := p.RefreshBefore
	if lifetime > 0 {
		if p.RefreshBeforeFraction > 0 {
			window = time.Duration(float64(lifetime) * min(p.RefreshBeforeFraction, 0.5))
		}
		window = min(window, lifetime/2)
	}
	return max(window, 0)
}
