package offline_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

const (
	usedExpired = offline.WarnUsingExpiredToken
	longOffline = offline.WarnExtendedOfflineDuration
	notChecked  = offline.WarnTokenValidationSkipped
	oldUserInfo = offline.WarnStaleUserInfo
	failsAgain  = offline.WarnRepeatRefreshFailure
	movedBack   = offline.WarnClockMovedBack
)

func TestWarnings(t *testing.T) {
	down := failing(online, time.Hour, 1)
	thrice := failing(online, time.Hour, 3)
	flagged := online
	flagged.ValidationSkipped, flagged.StaleUserInfo = true, true
	turned := failing(flagged, 3*day, 3)
	turned.Failures = 3
	longLived := session(token(10 * day))
	good, due, old := session(token(day)), session(token(time.Hour+time.Minute)), session(token(time.Hour))
	never := func(p *offline.Policy) { p.WarnAfter, p.RepeatFailureThreshold = 0, 0 }

	for _, test := range []struct {
		name   string
		state  offline.State
		at     time.Duration
		policy offline.Policy
		facts  offline.Facts
		out    offline.Outcome
		want   []offline.WarningType
	}{
		{"good token", online, time.Hour, policy(), good, start, nil},
		{"good token after a failure", down, time.Hour, policy(), good, start, nil},
		{"due, in the backoff", down, time.Hour + 1, policy(), due, start, []offline.WarningType{notChecked}},
		{"due, it just failed", online, time.Hour + time.Second, policy(), due, failure, []offline.WarningType{notChecked}},
		{"due, another process refreshes", online, time.Hour + time.Second, policy(), due, busy, nil},
		{"due, offline off", down, time.Hour + 1, policy(off), due, start, []offline.WarningType{notChecked}},
		{"expired", down, time.Hour + 1, policy(), old, start, []offline.WarningType{usedExpired, notChecked}},
		{"expired, refused", down, time.Hour + 1, policy(off), old, start, nil},
		{"from the threshold on", thrice, time.Hour + 2*time.Minute, policy(), good, start, []offline.WarningType{failsAgain}},
		{"before the threshold", failing(online, time.Hour, 2), time.Hour + time.Minute, policy(), good, start, nil},
		{"refused, from the threshold on", thrice, time.Hour + 2*time.Minute, policy(off), old, start, []offline.WarningType{failsAgain}},
		{"before a day", failing(online, day-time.Second, 1), day - 1, policy(), longLived, start, nil},
		{"from a day on", failing(online, day-time.Second, 1), day, policy(), longLived, start, []offline.WarningType{longOffline}},
		{"from a day on, due", failing(online, day-time.Second, 1), day, policy(), session(token(day + time.Second)), start, []offline.WarningType{longOffline, notChecked}},
		{"a day without a call", online, 3 * day, policy(), session(token(4 * day)), start, nil},
		{"unchecked", flagged, 0, policy(), good, start, []offline.WarningType{notChecked, oldUserInfo}},
		{"none wanted", failing(online, 2*day, 9), 2*day + 30*time.Minute, policy(never), session(token(day)), start, []offline.WarningType{usedExpired, notChecked}},
		{"all, one of each, in their order", turned, 2 * day, policy(), old, failure, []offline.WarningType{usedExpired, longOffline, notChecked, oldUserInfo, failsAgain, movedBack}},
		{"the limit, by a clock turned back", failing(online, 8*day, 1), 2 * day, policy(), old, failure, []offline.WarningType{longOffline, movedBack}},
		{"sign-in, by a clock turned back", failing(online, 3*day, 9), 2 * day, policy(off), session(token(0), noRefreshToken), start, []offline.WarningType{movedBack}},
		{"rejected", thrice, 2 * day, policy(), old, offline.Outcome{Stage: offline.Failed, Failure: offline.InvalidIDToken(nil)}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, a := offline.Decide(test.state, t0.Add(test.at), test.policy, offline.Call{}, test.facts, test.out)
			if !slices.Equal(types(a.Warnings), test.want) {
				t.Errorf("%s with %v\nwant %v", a.Verb, types(a.Warnings), test.want)
			}
			for _, w := range a.Warnings {
				checkText(t, w.Message)
				if (w.Type == usedExpired) != (w.ExpiredFor > 0) {
					t.Errorf("%s has expired for %s", w.Type, w.ExpiredFor)
				}
			}
			checkEvents(t, t0.Add(test.at), a)
		})
	}
}

func TestWarningMessages(t *testing.T) {
	s := failing(online, 2*day, 3)
	s.LastError = "HTTP 503\n\x1b[31m" // from a file
	_, a := offline.Decide(s, s.NextRetry.Add(-30*time.Second), policy(), offline.Call{}, session(token(time.Hour)), start)
	want := []string{
		"the token expired 1 day 23 hours ago; identity provider unavailable (HTTP 503 [31m)",
		"no contact with the provider for 2 days; the session can go on for another 4 days 23 hours",
		"the token is due for renewal, and the provider has not validated it since",
		"the refresh failed 3 times in a row; next try in 30 seconds",
	}
	var got []string
	for _, w := range a.Warnings {
		got = append(got, w.Message)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// A clock turned back does not promise a next try in days.
	ws := s.Warnings(t0, policy(), token(time.Hour))
	if got := ws[len(ws)-2].Message; got != "the refresh failed 3 times in a row; next try now" {
		t.Errorf("%q", got)
	}
	if got := ws[len(ws)-1].Message; got != "the clock stands 2 days behind the latest time seen, which is used for the limits" {
		t.Errorf("%q", got)
	}
}

// What status says is what the next call would warn of.
func TestWarningsForStatus(t *testing.T) {
	down := failing(online, 2*day, 4)
	at := down.LastFailure.Add(time.Second)
	flagged := online
	flagged.ValidationSkipped, flagged.StaleUserInfo = true, true
	for _, test := range []struct {
		name   string
		state  offline.State
		now    time.Time
		policy offline.Policy
		token  offline.Token
		want   []offline.WarningType
	}{
		{"online", online, t0, policy(), token(time.Hour), nil},
		{"online, expired", online, t0.Add(day), policy(), token(time.Hour), nil},
		{"offline, good", down, at, policy(), token(3 * day), []offline.WarningType{longOffline, failsAgain}},
		{"offline, expired", down, at, policy(), token(time.Hour), []offline.WarningType{usedExpired, longOffline, notChecked, failsAgain}},
		{"offline, expired, offline off", down, at, policy(off), token(time.Hour), []offline.WarningType{longOffline, failsAgain}},
		{"offline, past the limit", failing(online, 8*day, 1), t0.Add(8 * day), policy(), token(0), []offline.WarningType{longOffline}},
		{"offline, no token", down, at, policy(), offline.Token{}, []offline.WarningType{longOffline, failsAgain}},
		{"unchecked", flagged, t0, policy(), token(time.Hour), []offline.WarningType{notChecked, oldUserInfo}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := types(test.state.Warnings(test.now, test.policy, test.token)); !slices.Equal(got, test.want) {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour:                              "less than a second",
		0:                                       "less than a second",
		999 * time.Millisecond:                  "less than a second",
		time.Second:                             "1 second",
		59 * time.Second:                        "59 seconds",
		time.Minute:                             "1 minute",
		time.Minute + 59*time.Second:            "1 minute",
		59 * time.Minute:                        "59 minutes",
		time.Hour:                               "1 hour",
		time.Hour + time.Minute:                 "1 hour 1 minute",
		23*time.Hour + 59*time.Minute:           "23 hours 59 minutes",
		day:                                     "1 day",
		day + 59*time.Minute:                    "1 day",
		3*day + 4*time.Hour + 5*time.Minute:     "3 days 4 hours",
		time.Duration(1<<63 - 1):                "106751 days 23 hours",
		2*time.Hour + 1*time.Minute + 999999999: "2 hours 1 minute",
	} {
		if got := offline.Short(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

// TestHeldUp: a forced refresh that another process kept from happening gives
// the current token, and says so, once.
func TestHeldUp(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	facts := offline.Facts{SignedIn: true, Refreshable: true, Token: offline.Token{Present: true, Expiry: now.Add(time.Hour), Lifetime: time.Hour}}
	online := offline.State{}.Synced(now)
	down := online
	down.Failures, down.Reason, down.LastFailure = 1, offline.ReasonServerUnavailable, now
	for name, test := range map[string]struct {
		state offline.State
		call  offline.Call
		want  int
	}{
		"forced":              {online, offline.Call{Force: true}, 1},
		"forced, and offline": {down, offline.Call{Force: true}, 1},
		"early":               {online, offline.Call{MinValid: 2 * time.Hour}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			_, act := offline.Decide(test.state, now, offline.DefaultPolicy(), test.call, facts, offline.Outcome{Stage: offline.LockBusy})
			n := 0
			for _, w := range act.Warnings {
				if w.Type == offline.WarnTokenValidationSkipped {
					n++
				}
			}
			if act.Verb != offline.Print || n != test.want {
				t.Errorf("%s with %v, expected %d of %s", act.Verb, act.Warnings, test.want, offline.WarnTokenValidationSkipped)
			}
		})
	}
}
