package offline

import (
	"fmt"
	"time"
)

// WarningType names a warning, on stderr, in status, in JSON and in events.
type WarningType string

// The warnings, in the order in which they are given.
const (
	WarnUsingExpiredToken       WarningType = "using_expired_token"
	WarnExtendedOfflineDuration WarningType = "extended_offline_duration"
	WarnTokenValidationSkipped  WarningType = "token_validation_skipped"
	WarnStaleUserInfo           WarningType = "stale_user_info"
	WarnRepeatRefreshFailure    WarningType = "repeat_refresh_failure"
	WarnClockMovedBack          WarningType = "clock_moved_back"
)

// Warning is something that the user should know, though the call succeeds.
type Warning struct {
	Type    WarningType
	Message string
	// ExpiredFor is set with using_expired_token.
	ExpiredFor time.Duration
}

// Event is the event of giving the warning.
func (w Warning) Event() Event {
	return Event{Type: EventWarning, Warning: w.Type, Message: w.Message, ExpiredFor: w.ExpiredFor}
}

// Warnings are those that a call for the token would give at now, for status.
func (s State) Warnings(now time.Time, p Policy, t Token) []Warning {
	l := look{state: s, now: wall(now), policy: p, facts: Facts{SignedIn: true, Token: t}}
	l.facts.Token.Expiry = wall(t.Expiry)
	l.effective, l.movedBack = s.EffectiveNow(now)
	var a Action
	if served := t.Present && (!l.expired() || p.Enabled && !l.limitPassed()); served && s.Offline() && l.due() {
		a.Offline = true
		if l.expired() {
			a.Expired, a.ExpiredFor = true, l.effective.Sub(l.facts.Token.Expiry)
		}
	}
	return l.warnings(a)
}

// warnings are those of an action, in the order of their types. A refusal has
// those that explain it.
func (l look) warnings(a Action) []Warning {
	var ws []Warning
	add := func(t WarningType, format string, args ...any) {
		ws = append(ws, Warning{Type: t, Message: fmt.Sprintf(format, args...)})
	}
	s, p := l.state, l.policy
	if a.Verb == Print && a.Offline && a.Expired {
		add(WarnUsingExpiredToken, "the token expired %s ago; %s", Short(a.ExpiredFor), why(l.reason(), s.LastError))
		ws[0].ExpiredFor = a.ExpiredFor
	}
	if without := l.effective.Sub(s.LastSync); l.extended(without) && a.Verb != SignIn {
		left := ""
		if by := s.MustSignInBy(p); !by.IsZero() && by.After(l.effective) {
			left = "; the session can go on for another " + Short(by.Sub(l.effective))
		}
		add(WarnExtendedOfflineDuration, "no contact with the provider for %s%s", Short(without), left)
	}
	switch {
	case a.Verb != Print:
	case a.Offline && !a.Expired && l.forcedAlone():
		add(WarnTokenValidationSkipped, "the token was not renewed, and is good for another %s; %s", Short(l.facts.Token.Expiry.Sub(l.effective)), why(l.reason(), s.LastError))
	case a.Offline && !a.Expired:
		add(WarnTokenValidationSkipped, "the token is due for renewal, and the provider has not validated it since; %s", why(l.reason(), s.LastError))
	case a.Offline:
		add(WarnTokenValidationSkipped, "the token is due for renewal, and the provider has not validated it since")
	case l.heldUp:
		add(WarnTokenValidationSkipped, "it was not renewed: another process is renewing the session and does not finish")
	case s.ValidationSkipped:
		add(WarnTokenValidationSkipped, "the new ID token could not be checked (the provider's keys can't be had, or this clock and the provider's disagree); the former one is kept")
	}
	if a.Verb == Print && s.StaleUserInfo {
		add(WarnStaleUserInfo, "the user's details could not be read again and may be out of date")
	}
	if p.RepeatFailureThreshold > 0 && s.Failures >= p.RepeatFailureThreshold && a.Verb != SignIn {
		add(WarnRepeatRefreshFailure, "the refresh failed %s in a row; next try %s", count(s.Failures, "time"), l.nextTry())
	}
	if l.movedBack {
		add(WarnClockMovedBack, "the clock stands %s behind the latest time seen, which is used for the limits", Short(l.effective.Sub(l.now)))
	}
	return ws
}

// extended says whether the provider has been out of reach for long.
func (l look) extended(without time.Duration) bool {
	return l.state.Offline() && l.policy.WarnAfter > 0 && !l.state.LastSync.IsZero() && without >= l.policy.WarnAfter
}

func (l look) nextTry() string {
	if !l.state.waiting(l.now) {
		return "now"
	}
	return "in " + Short(l.state.NextRetry.Sub(l.now))
}

func why(r Reason, detail string) string {
	text := r.Text()
	if detail = clean(detail); detail != "" {
		text += " (" + detail + ")"
	}
	return text
}

// Short is a duration for people, in its two largest units: "3 days 4 hours",
// "12 minutes", "45 seconds".
func Short(d time.Duration) string {
	if d < time.Second {
		return "less than a second"
	}
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}}
	for i, u := range units {
		n := d / u.size
		if n == 0 {
			continue
		}
		text := count(n, u.name)
		// A second unit only for days and hours: nobody needs "12 minutes 4 seconds".
		if i < 2 {
			if m := d % u.size / units[i+1].size; m > 0 {
				text += " " + count(m, units[i+1].name)
			}
		}
		return text
	}
	return ""
}

func count[N int | time.Duration](n N, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
