package session_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

func TestOutage(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	first := w.mustToken(session.Request{})
	w.provider.Down()
	w.clock.Add(2 * time.Hour)
	stale := w.mustToken(session.Request{})
	if !stale.Value.Equal(first.Value) || !stale.Expired || !stale.Offline || stale.Reason != offline.ReasonNetworkUnavailable {
		t.Errorf("in the outage the token is %+v", stale)
	}
	w.wantWarnings(stale, offline.WarnUsingExpiredToken, offline.WarnTokenValidationSkipped)
	if d := stale.Warnings[0].ExpiredFor; d != time.Hour {
		t.Errorf("it expired %s ago", d)
	}
	off := false
	_, err := w.token(session.Request{Offline: &off})
	w.wantKind(err, session.Unreachable)
	w.wantEvents("offline_mode_entered", "warning using_expired_token", "warning token_validation_skipped")
	since := w.clock.Now()

	w.provider.Up()
	w.clock.Add(time.Minute)
	if back := w.mustToken(session.Request{}); back.Offline || back.Expired || back.Value.Equal(first.Value) {
		t.Errorf("after the outage the token is %+v", back)
	}
	w.mu.Lock()
	exited := w.events[0]
	w.mu.Unlock()
	if exited.Lasted != w.clock.Now().Sub(since) || !exited.NetworkRestored || !exited.LastSync.Equal(w.clock.Now()) || exited.Profile != "work" {
		t.Errorf("the event is %+v", exited)
	}
	w.wantEvents("offline_mode_exited", "token_refreshed")
	if s := w.status(); s.State != session.StateOnline || s.Offline != nil || len(s.Warnings) != 0 {
		t.Errorf("status is %+v", s)
	}
}

func TestRejectionSignsOut(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.provider.RevokeAll()
	w.clock.Add(2 * time.Hour)
	_, err := w.token(session.Request{})
	if e := w.wantKind(err, session.SignInRequired); e.Cause != offline.CauseRejected || !strings.Contains(e.Message, "invalid_grant") {
		t.Errorf("the error is %+v", e)
	}
	w.wantGone(offline.CauseRejected)
	_, err = w.token(session.Request{})
	if e := w.wantKind(err, session.SignInRequired); e.Cause != offline.CauseNoSession {
		t.Errorf("the second call says %+v", e)
	}
}

// TestRejectedAfterOutage: a session that was offline is not shown an expired
// token again once the provider said no.
func TestRejectedAfterOutage(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.provider.Down()
	w.clock.Add(2 * time.Hour)
	w.mustToken(session.Request{})
	w.provider.Up()
	w.provider.RevokeAll()
	w.clock.Add(time.Minute)
	_, err := w.token(session.Request{})
	w.wantKind(err, session.SignInRequired)
	w.wantGone(offline.CauseRejected)
}

// TestBackoff: the waits grow, whichever process calls, and nobody tries
// inside of one.
func TestBackoff(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.provider.Set(oidctest.TokenEndpoint, oidctest.Status(503))
	w.clock.Add(2 * time.Hour)
	for i, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute} {
		tries := w.provider.Count(oidctest.TokenEndpoint)
		w.mustToken(session.Request{})
		w.clock.Add(wait - time.Second)
		for range 5 {
			w.mustToken(session.Request{})
		}
		if n := w.provider.Count(oidctest.TokenEndpoint) - tries; n != 1 {
			t.Errorf("failure %d: %d tries", i+1, n)
		}
		w.clock.Add(time.Second)
	}
	// A forced call tries, and does not shorten what a server asked for.
	w.provider.Set(oidctest.TokenEndpoint, oidctest.Status(503).RetryAfter("3000").Times(1), oidctest.Status(503))
	w.mustToken(session.Request{})
	next := w.status().Offline.NextRetry
	tries := w.provider.Count(oidctest.TokenEndpoint)
	w.mustToken(session.Request{ForceRefresh: true})
	if n := w.provider.Count(oidctest.TokenEndpoint) - tries; n != 1 || w.status().Offline.NextRetry.Before(next) {
		t.Errorf("forced: %d tries, the next one at %s instead of %s", n, w.status().Offline.NextRetry, next)
	}
	w.provider.Clear()
	if tok := w.mustToken(session.Request{ForceRefresh: true}); tok.Offline {
		t.Errorf("forced, with the provider back: %+v", tok)
	}
}

// TestLongOutage goes through an outage of more than a week in steps.
func TestLongOutage(t *testing.T) {
	for _, limit := range []offline.OnLimit{offline.SignOutOnLimit, offline.DenyOnLimit} {
		t.Run(string(limit), func(t *testing.T) {
			w := signedIn(t, oidctest.Settings{})
			w.policy.OnLimit = limit
			first := w.mustToken(session.Request{})
			start := w.clock.Now()
			w.provider.Down()
			var warned []offline.WarningType // in the order of their first time
			const step = 20 * time.Minute
			w.clock.Add(time.Hour)
			for ; w.clock.Now().Sub(start) <= w.policy.MaxDuration; w.clock.Add(step) {
				tok := w.mustToken(session.Request{})
				if !tok.Value.Equal(first.Value) || !tok.LastSync.Equal(start) {
					t.Fatalf("after %s: %+v", w.clock.Now().Sub(start), tok)
				}
				for _, warning := range warnings(tok.Warnings) {
					if !slices.Contains(warned, warning) {
						warned = append(warned, warning)
					}
				}
				days := w.clock.Now().Sub(start) >= w.policy.WarnAfter
				if slices.Contains(warnings(tok.Warnings), offline.WarnExtendedOfflineDuration) != days {
					t.Fatalf("after %s the warnings are %v", w.clock.Now().Sub(start), tok.Warnings)
				}
			}
			want := []offline.WarningType{
				offline.WarnUsingExpiredToken, offline.WarnTokenValidationSkipped, offline.WarnRepeatRefreshFailure, offline.WarnExtendedOfflineDuration,
			}
			if !slices.Equal(warned, want) {
				t.Errorf("the warnings came in the order %v", warned)
			}
			entered := 0
			for _, e := range w.eventTypes() {
				if e == "offline_mode_entered" {
					entered++
				}
			}
			if entered != 1 {
				t.Errorf("offline mode was entered %d times", entered)
			}
			_, err := w.token(session.Request{})
			if limit == offline.SignOutOnLimit {
				w.wantKind(err, session.SignInRequired)
				w.wantGone(offline.CauseLimitPassed)
				return
			}
			w.wantKind(err, session.Unreachable)
			if s := w.status(); !s.Offline.LimitPassed || s.Offline.Usable {
				t.Errorf("status is %+v", s.Offline)
			}
			// Kept, so that a later refresh can still succeed.
			w.provider.Up()
			w.clock.Add(step)
			if tok := w.mustToken(session.Request{}); tok.Offline || tok.Value.Equal(first.Value) {
				t.Errorf("after the outage the token is %+v", tok)
			}
		})
	}
}

// TestLimitPassedWhileNobodyCalled: at the first call after the limit the
// provider is asked first.
func TestLimitPassedWhileNobodyCalled(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.clock.Add(30 * 24 * time.Hour)
	if tok := w.mustToken(session.Request{}); tok.Offline || tok.Expired {
		t.Errorf("with the provider there, the token is %+v", tok)
	}
	w.clock.Add(30 * 24 * time.Hour)
	w.provider.Down()
	_, err := w.token(session.Request{})
	w.wantKind(err, session.SignInRequired)
	w.wantGone(offline.CauseLimitPassed)
}

// TestClockTurnedBack: it extends nothing, and it is said.
func TestClockTurnedBack(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.policy.OnLimit = offline.DenyOnLimit
	w.provider.Down()
	w.clock.Add(6 * 24 * time.Hour)
	w.mustToken(session.Request{})
	w.clock.Add(-4 * 24 * time.Hour)
	tok := w.mustToken(session.Request{})
	if !slices.Contains(warnings(tok.Warnings), offline.WarnClockMovedBack) || !tok.Expired {
		t.Errorf("with the clock turned back the token is %+v", tok)
	}
	s := w.status()
	if !slices.Contains(warnings(s.Warnings), offline.WarnClockMovedBack) || !s.Token.Expired {
		t.Errorf("status is %+v", s)
	}
	// Time goes on from the latest one seen.
	for range 30 {
		w.clock.Add(time.Hour)
		_, err := w.token(session.Request{})
		if err == nil {
			continue
		}
		w.wantKind(err, session.Unreachable)
		if passed := w.clock.Now().Sub(s.LastSync); passed > 4*24*time.Hour {
			t.Errorf("by the wrong clock the limit passed after %s", passed)
		}
		// The provider's word sets it right.
		w.provider.Up()
		back := w.mustToken(session.Request{ForceRefresh: true})
		w.wantWarnings(back)
		return
	}
	t.Error("the limit never passed")
}

// TestSmallCorrection: time servers move clocks by a little.
func TestSmallCorrection(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.provider.Down()
	w.clock.Add(2 * time.Hour)
	w.mustToken(session.Request{})
	w.clock.Add(-4 * time.Minute)
	w.wantWarnings(w.mustToken(session.Request{}), offline.WarnUsingExpiredToken, offline.WarnTokenValidationSkipped)
}

// TestClockJumpsAhead: a clock that ran ahead for a while while the provider
// was there leaves nothing behind.
func TestClockJumpsAhead(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	start := w.clock.Now()
	w.clock.Add(365 * 24 * time.Hour)
	w.mustToken(session.Request{})
	w.clock.Set(start.Add(time.Minute))
	tok := w.mustToken(session.Request{})
	if tok.Offline {
		t.Errorf("with the clock set right the token is %+v", tok)
	}
	w.clock.Add(2 * time.Hour)
	if tok := w.mustToken(session.Request{}); tok.Offline || len(tok.Warnings) != 0 {
		t.Errorf("later the token is %+v", tok)
	}
}

// TestClockTurnedBackAndMisconfigured: a token that has expired by the latest
// time seen is not given out as good.
func TestClockTurnedBackOffline(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.policy.Enabled = false
	w.provider.Down()
	w.clock.Add(2 * time.Hour)
	_, err := w.token(session.Request{})
	w.wantKind(err, session.Unreachable)
	w.clock.Add(-90 * time.Minute) // by this clock the token would be good
	for _, req := range []session.Request{{}, {ForceRefresh: true}} {
		_, err = w.token(req)
		w.wantKind(err, session.Unreachable)
	}
}

// TestThousandFailures: the state of a long outage stays small and sound.
func TestThousandFailures(t *testing.T) {
	w := signedIn(t, oidctest.Settings{})
	w.policy.MaxDuration = 365 * 24 * time.Hour
	w.provider.Set(oidctest.AnyEndpoint, oidctest.Status(503))
	w.clock.Add(2 * time.Hour)
	for i := range 300 {
		tok := w.mustToken(session.Request{})
		s := w.status()
		if s.Offline.Failures != i+1 || s.Offline.NextRetry.Sub(w.clock.Now()) > 5*time.Minute {
			t.Fatalf("failure %d: %+v", i+1, s.Offline)
		}
		if i >= 2 && !strings.Contains(fmt.Sprint(tok.Warnings), fmt.Sprintf("failed %d times", i+1)) {
			t.Fatalf("failure %d: %v", i+1, tok.Warnings)
		}
		w.clock.Add(5 * time.Minute)
	}
}
