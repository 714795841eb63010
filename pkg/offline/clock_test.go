package offline_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

const tolerance = 5 * time.Minute

// epoch is where a machine without a battery starts.
var epoch = time.Date(1970, 1, 1, 0, 1, 0, 0, time.UTC)

// failsAt is one more failure with the clock at now.
func failsAt(s offline.State, now time.Time) (offline.State, offline.Action) {
	return offline.Decide(s, now, policy(), offline.Call{}, session(token(0)), failure)
}

// effective checks what the limits go by.
func effective(t *testing.T, s offline.State, now, want time.Time, wantBack bool) {
	t.Helper()
	if got, back := s.EffectiveNow(now); !got.Equal(want) || back != wantBack {
		t.Errorf("at %s: %s, moved back %v; want %s, %v", now, got, back, want, wantBack)
	}
}

func TestEffectiveNow(t *testing.T) {
	at := func(d time.Duration) time.Time { return t0.Add(d) }
	effective(t, offline.State{}, at(0), at(0), false)
	effective(t, online, at(time.Hour), at(time.Hour), false)
	effective(t, online, at(-tolerance), at(-tolerance), false) // as time servers correct
	effective(t, online, at(-tolerance-1), at(0), true)
	effective(t, online, at(-100*day), at(0), true)
	effective(t, online, epoch, at(0), true)
	// Stored by something that knew no Seen: nothing is known to have passed.
	effective(t, offline.State{High: at(0)}, at(-time.Hour), at(0), true)
}

// Turning the clock back extends nothing: what passes afterwards counts.
func TestClockTurnedBack(t *testing.T) {
	s, _ := failsAt(online, t0.Add(6*day))

	// Back by five days. The time that is shown does not count, what passes does.
	now := t0.Add(day)
	effective(t, s, now, t0.Add(6*day), true)
	s, a := failsAt(s, now)
	if a.Verb != offline.Print || a.ExpiredFor != 6*day || !slices.Contains(types(a.Warnings), offline.WarnClockMovedBack) {
		t.Errorf("%+v", a)
	}
	for range 4 {
		now = now.Add(6 * time.Hour)
		if s, a = failsAt(s, now); a.Verb != offline.Print {
			t.Fatalf("at %s: %s", now, a.Verb)
		}
	}
	effective(t, s, now, t0.Add(7*day), true)
	if _, a = failsAt(s, now.Add(time.Second)); a.Verb != offline.SignOut || a.Cause != offline.CauseLimitPassed {
		t.Errorf("past the limit: %+v", a)
	}
	// Turned back again and again it gains nothing either.
	for range 50 {
		now = now.Add(-time.Hour)
		if s, a = failsAt(s, now); a.Verb != offline.Print || a.ExpiredFor < 7*day {
			t.Fatalf("%+v", a)
		}
	}
	if _, a = failsAt(s, now.Add(time.Second)); a.Verb != offline.SignOut {
		t.Errorf("past the limit: %s", a.Verb)
	}
}

// The expiry of a token goes by the same time, so an expired token does not
// come to life again, with offline mode off above all.
func TestClockTurnedBackBeforeExpiry(t *testing.T) {
	s, _ := failsAt(online, t0.Add(2*time.Hour))
	_, a := offline.Decide(s, t0.Add(time.Minute), policy(off), offline.Call{}, session(token(time.Hour)), failure)
	if a.Verb != offline.Deny || a.Cause != offline.CauseOfflineOff || !slices.Contains(types(a.Warnings), offline.WarnClockMovedBack) {
		t.Errorf("%+v", a)
	}
}

// A clock that is set right again is believed at once. A machine that starts
// in 1970 and finds its time server only later has not been without its
// provider for half a century.
func TestClockSetRight(t *testing.T) {
	s, _ := failsAt(online, t0.Add(day))
	s, a := failsAt(s, epoch)
	if a.Verb != offline.Print || a.ExpiredFor != day {
		t.Fatalf("in 1970: %+v", a)
	}
	effective(t, s, epoch.Add(time.Hour), t0.Add(day+time.Hour), true)

	now := t0.Add(day + 2*time.Hour)
	effective(t, s, now, now, false)
	if s, a = failsAt(s, now); a.Verb != offline.Print || a.ExpiredFor != day+2*time.Hour || slices.Contains(types(a.Warnings), offline.WarnClockMovedBack) {
		t.Errorf("set right: %+v", a)
	}
	effective(t, s, now, now, false)

	// Even if the clock had run ahead before: High is too high then, but the
	// years since 1970 are no part of it.
	s, _ = failsAt(online, t0.Add(2*day))
	s, _ = failsAt(s, epoch)
	effective(t, s, t0.Add(day), t0.Add(3*day), true)
	if _, a = failsAt(s, t0.Add(day)); a.Verb != offline.Print {
		t.Errorf("set right, behind a clock that ran ahead: %s", a.Verb)
	}
}

// The corrections of a time server, each within the tolerance, do not add up.
func TestSmallCorrections(t *testing.T) {
	s, now := online, t0
	for range 100 {
		now = now.Add(time.Hour)
		s, _ = failsAt(s, now)
		now = now.Add(-time.Minute)
		s, _ = failsAt(s, now)
		effective(t, s, now, now, false)
	}
}

// A clock that ran ahead makes the limits come early until the provider has
// answered; then it is forgotten.
func TestClockRanAhead(t *testing.T) {
	s, a := failsAt(online, t0.Add(3*day)) // in truth an hour after t0
	if a.ExpiredFor != 3*day {
		t.Fatalf("%+v", a)
	}
	now := t0.Add(time.Hour)
	effective(t, s, now, t0.Add(3*day), true)

	s, a = offline.Decide(s, now, policy(), offline.Call{}, session(token(2*time.Hour), renewed), success)
	if a.Verb != offline.Print || a.Expired || a.Warnings != nil || s != synced(time.Hour) {
		t.Errorf("%+v\n%+v", s, a)
	}
	effective(t, s, now.Add(time.Hour), now.Add(time.Hour), false)

	// That the provider answered to something else than a refresh is enough.
	if s, _ = failsAt(online, t0.Add(3*day)); s.Synced(now).High != now || !s.Synced(now).Offline() {
		t.Errorf("%+v", s.Synced(now))
	}

	// A probe that finds the provider vouches for the clock too: the token that
	// seemed to have expired has not.
	s, _ = failsAt(online, t0.Add(3*day))
	f := session(token(2*time.Hour), noRefreshToken)
	if _, a = offline.Decide(s, now, policy(), offline.Call{}, f, offline.Outcome{Stage: offline.Succeeded, Probed: true}); a.Verb != offline.Print || a.Expired {
		t.Errorf("%+v", a)
	}

	// A clock past the limit can't be told from time that has passed.
	if _, a = failsAt(online, t0.Add(100*day)); a.Verb != offline.SignOut {
		t.Errorf("%s", a.Verb)
	}
}

// A token obtained while the clock ran ahead seems to live for longer than it
// does, so it is due; but nobody knows it to be expired.
func TestTokenOfAClockThatRanAhead(t *testing.T) {
	s := synced(day) // in truth t0
	tok := token(day + time.Hour)
	now := t0.Add(time.Minute)
	if _, a := offline.Decide(s, now, policy(), offline.Call{}, session(tok), start); a.Verb != offline.Refresh || a.Wait {
		t.Errorf("%+v", a)
	}
	if _, a := offline.Decide(s, now, policy(off), offline.Call{}, session(tok), failure); a.Verb != offline.Print || a.Expired {
		t.Errorf("%+v", a)
	}
	// Not where the clocks merely differ: the provider's may run ahead of ours
	// for ever, and a refresh at every call helps nobody.
	if _, a := offline.Decide(synced(0), now, policy(), offline.Call{}, session(tok), start); a.Verb != offline.Print {
		t.Errorf("%+v", a)
	}
}

// The backoff goes by the machine's clock, and a clock turned back does not
// make it wait for days.
func TestBackoffAndTheClock(t *testing.T) {
	asked := outage
	asked.RetryAfter = time.Hour
	s := after(online, 10*day, asked) // next try an hour later
	look := func(at time.Duration) offline.Verb {
		_, a := offline.Decide(s, t0.Add(at), policy(func(p *offline.Policy) { p.MaxDuration = 100 * day }), offline.Call{}, session(token(0)), start)
		return a.Verb
	}
	for at, want := range map[time.Duration]offline.Verb{
		10 * day:                            offline.Print,
		10*day + time.Hour - 1:              offline.Print,
		10*day + time.Hour:                  offline.Refresh,
		20 * day:                            offline.Refresh, // moved ahead, or slept
		10*day - tolerance:                  offline.Print,   // corrected
		10*day - tolerance - 1:              offline.Refresh, // turned back
		-100 * day:                          offline.Refresh,
		10*day + time.Hour - 30*time.Minute: offline.Print,
	} {
		if got := look(at); got != want {
			t.Errorf("at %s: %s, want %s", at, got, want)
		}
	}
	// A failure after that sets a wait by the clock as it is now.
	s = after(s, day, outage)
	if !s.NextRetry.Equal(t0.Add(day + time.Minute)) {
		t.Errorf("next try at %s", s.NextRetry)
	}
	if look(day) != offline.Print || look(day+time.Minute) != offline.Refresh {
		t.Error("the new wait does not hold")
	}
}

// While a machine sleeps the monotonic clock stands still. The times must not
// carry it, or a token lives on through a suspended night.
func TestMonotonicClockIsNotUsed(t *testing.T) {
	ticking := time.Now() // has a monotonic reading, as in a long-lived program
	s := offline.State{}.Synced(ticking)
	s, _ = offline.Decide(s, ticking, policy(), offline.Call{}, session(offline.Token{Present: true, Expiry: ticking}), failure)
	for name, got := range map[string]time.Time{
		"LastSync": s.LastSync, "Since": s.Since, "LastFailure": s.LastFailure, "NextRetry": s.NextRetry, "High": s.High, "Seen": s.Seen,
	} {
		if got != got.Round(0) || got.Location() != time.UTC {
			t.Errorf("%s is %v", name, got)
		}
	}
	if got, _ := s.EffectiveNow(ticking); got != got.Round(0) {
		t.Errorf("effective now is %v", got)
	}
}

// The limit counts from the last sync, not from when the session went offline.
func TestLimitCountsFromLastSync(t *testing.T) {
	s := failing(synced(0), 6*day, 2)
	if got := s.MustSignInBy(policy()); !got.Equal(t0.Add(7 * day)) {
		t.Errorf("must sign in by %s", got)
	}
	verb := func(s offline.State, at time.Duration) offline.Verb {
		_, a := offline.Decide(s, t0.Add(at), policy(), offline.Call{}, session(token(0)), failure)
		return a.Verb
	}
	if verb(s, 7*day) != offline.Print || verb(s, 7*day+1) != offline.SignOut {
		t.Error("the limit does not count from the last sync")
	}
	// Any sensible answer of the provider counts, though the refresh failed.
	s = s.Synced(t0.Add(6*day + time.Hour))
	if !s.Offline() || s.Failures != 2 {
		t.Errorf("%+v", s)
	}
	if got := s.MustSignInBy(policy()); !got.Equal(t0.Add(13*day + time.Hour)) {
		t.Errorf("must sign in by %s", got)
	}
	if verb(s, 13*day+time.Hour) != offline.Print || verb(s, 13*day+time.Hour+1) != offline.SignOut {
		t.Error("the limit does not count from the new sync")
	}

	for name, got := range map[string]time.Time{
		"online":             synced(0).MustSignInBy(policy()),
		"offline mode off":   s.MustSignInBy(policy(off)),
		"no known last sync": failing(offline.State{}, 0, 1).MustSignInBy(policy()),
	} {
		if !got.IsZero() {
			t.Errorf("%s: must sign in by %s", name, got)
		}
	}
	// A clock far out of order breaks no arithmetic.
	for _, last := range []time.Time{time.Unix(1<<40, 0), time.Unix(-1<<40, 0)} {
		s := failing(offline.State{}.Synced(last), 0, 1)
		_ = s.MustSignInBy(policy())
		_ = s.Warnings(t0, policy(), token(0))
		if verb(s, 0) == offline.Refresh {
			t.Error("a failure is tried again at once")
		}
	}
}

// An outage across a clock turned back lasted as long as it did.
func TestLastedAcrossAClockTurnedBack(t *testing.T) {
	s, _ := failsAt(online, t0.Add(time.Hour))
	s, _ = failsAt(s, t0.Add(-10*day))
	s, _ = failsAt(s, t0.Add(-10*day+time.Hour))
	_, a := offline.Decide(s, t0.Add(-10*day+2*time.Hour), policy(), offline.Call{}, session(token(0), renewed), success)
	if len(a.Events) == 0 || a.Events[0].Type != offline.EventOfflineExited || a.Events[0].Lasted != 2*time.Hour {
		t.Errorf("%+v", a.Events)
	}
	// Nor is it ever less than nothing.
	s.Since = t0.Add(1000 * day)
	_, a = offline.Decide(s, t0, policy(), offline.Call{}, session(token(0), renewed), success)
	if a.Events[0].Lasted != 0 {
		t.Errorf("%s", a.Events[0].Lasted)
	}
}

func TestStateJSON(t *testing.T) {
	s := failing(online, time.Hour, 3)
	s.ValidationSkipped, s.StaleUserInfo = true, true
	for _, want := range []offline.State{{}, online, s} {
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got offline.State
		if err := json.Unmarshal(data, &got); err != nil || got != want {
			t.Errorf("%s\ngave %+v (%v)\nwant %+v", data, got, err, want)
		}
	}
	if data, _ := json.Marshal(offline.State{}); string(data) != "{}" {
		t.Errorf("%s", data)
	}
}
