package offline_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// row is one line of a table of decisions.
type row struct {
	name   string
	state  offline.State
	at     time.Duration // now, from t0
	policy offline.Policy
	call   offline.Call
	facts  offline.Facts
	out    offline.Outcome

	want offline.Action // Verb, Wait, Cause, Offline, Reason, Expired and Store are compared
}

func (r row) run(t *testing.T) {
	state, got := offline.Decide(r.state, t0.Add(r.at), r.policy, r.call, r.facts, r.out)
	compared := offline.Action{
		Verb: got.Verb, Wait: got.Wait, Cause: got.Cause, Offline: got.Offline,
		Reason: got.Reason, Expired: got.Expired, Store: got.Store,
	}
	if w := r.want; compared.Verb != w.Verb || compared.Wait != w.Wait || compared.Cause != w.Cause || compared.Offline != w.Offline ||
		compared.Reason != w.Reason || compared.Expired != w.Expired || compared.Store != w.Store {
		t.Errorf("got  %+v\nwant %+v", compared, w)
	}
	if got.Store == (state == r.state) {
		t.Errorf("store is %v, but the state went\nfrom %+v\nto   %+v", got.Store, r.state, state)
	}
	if got.Expired && got.ExpiredFor != t0.Add(r.at).Sub(r.facts.Token.Expiry) {
		t.Errorf("expired for %s", got.ExpiredFor)
	}
	checkEvents(t, t0.Add(r.at), got)
}

// checkEvents: each warning has its event, and all have the time.
func checkEvents(t *testing.T, now time.Time, a offline.Action) {
	t.Helper()
	var warned []offline.WarningType
	for _, e := range a.Events {
		if !e.Time.Equal(now) {
			t.Errorf("event %s at %s", e.Type, e.Time)
		}
		if e.Type == offline.EventWarning {
			warned = append(warned, e.Warning)
		}
	}
	if !slices.Equal(warned, types(a.Warnings)) {
		t.Errorf("warnings %v, events %v", types(a.Warnings), warned)
	}
}

func runRows(t *testing.T, rows []row) {
	for _, r := range rows {
		t.Run(r.name, r.run)
	}
}

var (
	online  = synced(0)
	forced  = offline.Call{Force: true}
	start   = offline.Outcome{Stage: offline.Start}
	locked  = offline.Outcome{Stage: offline.Locked}
	busy    = offline.Outcome{Stage: offline.LockBusy}
	success = offline.Outcome{Stage: offline.Succeeded}
	failure = offline.Outcome{Stage: offline.Failed, Failure: outage}

	fresh = offline.Action{Verb: offline.Print}
	cause = func(v offline.Verb, c offline.Cause) offline.Action { return offline.Action{Verb: v, Cause: c} }
)

// early is a token printed before its expiry though the provider is down.
func early(store bool) offline.Action {
	return offline.Action{Verb: offline.Print, Offline: true, Reason: offline.ReasonServerUnavailable, Store: store}
}

// expired is a token printed past its expiry by the offline policy.
func expired(store bool) offline.Action {
	a := early(store)
	a.Expired = true
	return a
}

// refused is what is kept back during an outage.
func refused(v offline.Verb, c offline.Cause, store bool) offline.Action {
	return offline.Action{Verb: v, Cause: c, Offline: true, Reason: offline.ReasonServerUnavailable, Store: store}
}

func TestStep1NoSession(t *testing.T) {
	for _, out := range []offline.Outcome{start, locked, busy, success, failure} {
		for _, call := range []offline.Call{{}, forced} {
			runRows(t, []row{{"", online, time.Hour, policy(), call, offline.Facts{Token: token(day)}, out, cause(offline.SignIn, offline.CauseNoSession)}})
		}
	}
}

func TestStep2GoodToken(t *testing.T) {
	five := token(5 * time.Minute)
	five.Lifetime = 5 * time.Minute
	unknown := offline.Token{Present: true}
	window := func(d time.Duration) offline.Policy {
		return policy(func(p *offline.Policy) { p.RefreshBefore = d })
	}
	part := func(f float64) offline.Policy {
		return policy(func(p *offline.Policy) { p.RefreshBeforeFraction = f })
	}
	refresh := offline.Action{Verb: offline.Refresh}
	runRows(t, []row{
		{"good", online, 0, policy(), offline.Call{}, session(token(time.Hour)), start, fresh},
		{"good, offline off", online, 0, policy(off), offline.Call{}, session(token(time.Hour)), start, fresh},
		{"good, and offline", failing(online, 0, 1), time.Minute, policy(), offline.Call{}, session(token(time.Hour)), start, fresh},
		{"just outside the window", online, 59*time.Minute - 1, policy(), offline.Call{}, session(token(time.Hour)), start, fresh},
		{"just inside the window", online, 59 * time.Minute, policy(), offline.Call{}, session(token(time.Hour)), start, refresh},
		{"window larger than the lifetime", online, 150*time.Second - 1, window(time.Hour), offline.Call{}, session(five), start, fresh},
		{"half of the lifetime", online, 150 * time.Second, window(time.Hour), offline.Call{}, session(five), start, refresh},
		{"a fifth, outside", online, 48*time.Minute - 1, part(0.2), offline.Call{}, session(token(time.Hour)), start, fresh},
		{"a fifth, inside", online, 48 * time.Minute, part(0.2), offline.Call{}, session(token(time.Hour)), start, refresh},
		{"nine tenths are half", online, 30*time.Minute - 1, part(0.9), offline.Call{}, session(token(time.Hour)), start, fresh},
		{"endless part", online, 30*time.Minute - 1, part(math.Inf(1)), offline.Call{}, session(token(time.Hour)), start, fresh},
		{"part that is no number", online, 59*time.Minute - 1, part(math.NaN()), offline.Call{}, session(token(time.Hour)), start, fresh},
		{"part of an unknown lifetime", online, 59 * time.Minute, part(0.2), offline.Call{}, session(offline.Token{Present: true, Expiry: t0.Add(time.Hour)}), start, refresh},
		{"negative window", online, 59 * time.Minute, window(-time.Hour), offline.Call{}, session(token(time.Hour)), start, fresh},
		{"min-valid met", online, 49 * time.Minute, policy(), offline.Call{MinValid: 10 * time.Minute}, session(token(time.Hour)), start, fresh},
		{"min-valid not met", online, 50 * time.Minute, policy(), offline.Call{MinValid: 10 * time.Minute}, session(token(time.Hour)), start, refresh},
		{"min-valid is not bounded by half", online, 0, policy(), offline.Call{MinValid: 2 * time.Hour}, session(token(time.Hour)), start, refresh},
		{"no expiry", online, 1000 * day, policy(), offline.Call{MinValid: day}, session(unknown), start, fresh},
		{"no expiry, refused by a server", online, 0, policy(), offline.Call{}, session(unknown, stale), start, offline.Action{Verb: offline.Refresh, Wait: true}},
		{"no expiry, forced", online, 0, policy(), forced, session(unknown), start, offline.Action{Verb: offline.Refresh, Wait: true}},
	})
}

func TestStep3Refresh(t *testing.T) {
	down := failing(online, 59*time.Minute, 1) // next try at 59m30s
	wait := offline.Action{Verb: offline.Refresh, Wait: true}
	refresh := offline.Action{Verb: offline.Refresh}
	none := offline.Token{}
	runRows(t, []row{
		// a. the backoff
		{"due, in the backoff", down, 59*time.Minute + 29*time.Second, policy(), offline.Call{}, session(token(time.Hour)), start, early(false)},
		{"due, backoff over", down, 59*time.Minute + 30*time.Second, policy(), offline.Call{}, session(token(time.Hour)), start, refresh},
		{"due, in the backoff, under the lock", down, 59*time.Minute + 29*time.Second, policy(), offline.Call{}, session(token(time.Hour)), locked, early(false)},
		{"expired, another process just failed", failing(online, time.Hour, 1), time.Hour, policy(), offline.Call{}, session(token(time.Hour)), locked, expired(false)},
		{"forced in the backoff", down, 59*time.Minute + time.Second, policy(), forced, session(token(time.Hour)), start, wait},
		{"forced in the backoff, under the lock", down, 59*time.Minute + time.Second, policy(), forced, session(token(time.Hour)), locked, refresh},
		{"min-valid in the backoff", down, 59*time.Minute + time.Second, policy(), offline.Call{MinValid: day}, session(token(2 * time.Hour)), start, early(false)},
		{"refused by a server in the backoff", down, 59*time.Minute + time.Second, policy(), offline.Call{}, session(token(2*time.Hour), stale), start, early(false)},
		{"no such token in the backoff", down, 59*time.Minute + time.Second, policy(), offline.Call{}, session(none), start, refused(offline.Deny, offline.CauseNoToken, false)},

		// b. the lock, while the token is unexpired
		{"due: no waiting", online, 59*time.Minute + 1, policy(), offline.Call{}, session(token(time.Hour)), start, refresh},
		{"due, lock busy", online, 59*time.Minute + 1, policy(), offline.Call{}, session(token(time.Hour)), busy, fresh},
		{"due, lock busy, offline off", online, 59*time.Minute + 1, policy(off), offline.Call{}, session(token(time.Hour)), busy, fresh},
		{"due, lock busy, while offline", down, 59*time.Minute + 30*time.Second, policy(), offline.Call{}, session(token(time.Hour)), busy, early(false)},
		{"forced, lock busy", online, time.Minute, policy(), forced, session(token(time.Hour)), busy, fresh},
		{"refused by a server: waits", online, time.Minute, policy(), offline.Call{}, session(token(time.Hour), stale), start, wait},
		{"no such token: waits", online, time.Minute, policy(), offline.Call{}, session(none), start, wait},
		{"no such token, lock busy", online, time.Minute, policy(), offline.Call{}, session(none), busy,
			offline.Action{Verb: offline.Deny, Cause: offline.CauseNoToken, Offline: true, Reason: offline.ReasonTokenRefreshFailed}},

		// c. the lock, once it has expired
		{"expired: waits", online, time.Hour, policy(), offline.Call{}, session(token(time.Hour)), start, wait},
		{"expired: waits, offline off", online, time.Hour, policy(off), offline.Call{}, session(token(time.Hour)), start, wait},
		{"expired, under the lock", online, time.Hour, policy(), offline.Call{}, session(token(time.Hour)), locked, refresh},
		{"expired, another process refreshed", online, time.Hour, policy(), offline.Call{}, session(token(2*time.Hour), renewed), locked, fresh},
		{"forced, another process refreshed", online, time.Hour, policy(), forced, session(token(2*time.Hour), renewed), locked, fresh},
		{"forced, another's is refused too", online, time.Hour, policy(), forced, session(token(2*time.Hour), renewed, stale), locked, refresh},
		{"min-valid, another process refreshed", online, time.Minute, policy(), offline.Call{MinValid: day}, session(token(time.Hour), renewed), locked, fresh},
		{"min-valid, another's is old", online, 30 * time.Minute, policy(), offline.Call{MinValid: 50 * time.Minute}, session(token(time.Hour), renewed), locked, refresh},
		{"expired, lock busy too long", online, time.Hour, policy(), offline.Call{}, session(token(time.Hour)), busy,
			offline.Action{Verb: offline.Print, Offline: true, Expired: true, Reason: offline.ReasonTokenRefreshFailed}},
		{"expired, lock busy too long, offline off", online, time.Hour, policy(off), offline.Call{}, session(token(time.Hour)), busy,
			offline.Action{Verb: offline.Deny, Cause: offline.CauseOfflineOff, Offline: true, Reason: offline.ReasonTokenRefreshFailed}},
		{"past the limit, lock busy: who holds it may renew it", online, 8 * day, policy(), offline.Call{}, session(token(time.Hour)), busy,
			offline.Action{Verb: offline.Deny, Cause: offline.CauseLimitPassed, Offline: true, Reason: offline.ReasonTokenRefreshFailed}},
	})
}

func TestStep4ForcedLogout(t *testing.T) {
	out := cause(offline.SignOut, offline.CauseRejected)
	rejected := func(f offline.Failure) offline.Outcome {
		return offline.Outcome{Stage: offline.Failed, Failure: f}
	}
	grant := offline.NewFailure(offline.StepRefresh, oauthError(400, "invalid_grant"), t0)
	runRows(t, []row{
		{"unexpired", online, time.Minute, policy(), offline.Call{}, session(token(time.Hour)), rejected(grant), out},
		{"expired", online, 2 * time.Hour, policy(), offline.Call{}, session(token(time.Hour)), rejected(grant), out},
		{"while offline", failing(online, time.Hour, 3), 2 * time.Hour, policy(), offline.Call{}, session(token(time.Hour)), rejected(grant), out},
		{"deny is for the limit", online, time.Hour, policy(deny), offline.Call{}, session(token(time.Hour)), rejected(grant), out},
		{"configuration", online, time.Hour, policy(), offline.Call{}, session(token(time.Hour)),
			rejected(offline.NewFailure(offline.StepRefresh, oauthError(400, "invalid_scope"), t0)), out},
		{"wrong ID token", online, time.Hour, policy(), offline.Call{}, session(token(2*time.Hour), renewed), rejected(offline.InvalidIDToken(errPlain)), out},

		{"discovery answers 401", online, time.Hour, policy(), offline.Call{}, session(token(time.Hour)),
			rejected(offline.NewFailure(offline.StepDiscovery, answer(401, "", ""), t0)),
			offline.Action{Verb: offline.Print, Offline: true, Expired: true, Store: true, Reason: offline.ReasonDiscoveryUnavailable}},
		{"keys answer 404", online, time.Hour, policy(), offline.Call{}, session(token(time.Hour)),
			rejected(offline.NewFailure(offline.StepKeys, answer(404, "", ""), t0)),
			offline.Action{Verb: offline.Print, Offline: true, Expired: true, Store: true, Reason: offline.ReasonTokenRefreshFailed}},
		{"userinfo answers invalid_token", online, time.Minute, policy(), offline.Call{}, session(token(time.Hour)),
			rejected(offline.NewFailure(offline.StepUserInfo, oauthError(401, "invalid_token"), t0)),
			offline.Action{Verb: offline.Print, Offline: true, Store: true, Reason: offline.ReasonUserInfoUnavailable}},
		{"a probe sent nothing to reject", online, time.Hour, policy(), offline.Call{}, session(token(time.Hour), noRefreshToken),
			offline.Outcome{Stage: offline.Failed, Failure: grant, Probed: true},
			offline.Action{Verb: offline.Print, Offline: true, Expired: true, Store: true, Reason: offline.ReasonTokenRefreshFailed}},
	})
}

func TestStep5Outage(t *testing.T) {
	down := failing(online, time.Hour, 1)
	long := failing(failing(online, 7*day-time.Minute, 1), 7*day, 1) // next try at 7d1m
	limit := 7 * day
	garbage := func(p *offline.Policy) { p.OnLimit = "later" }
	unset := func(p *offline.Policy) { p.OnLimit = "" }
	runRows(t, []row{
		{"unexpired", online, 59 * time.Minute, policy(), offline.Call{}, session(token(time.Hour)), failure, early(true)},
		{"unexpired, offline off", online, 59 * time.Minute, policy(off), offline.Call{}, session(token(time.Hour)), failure, early(true)},
		{"unexpired, past the limit", online, 8 * day, policy(), offline.Call{}, session(token(9 * day)), failure, early(true)},
		{"unexpired, forced", online, time.Minute, policy(), forced, session(token(time.Hour)), failure, early(true)},
		{"no expiry, refused by a server", online, time.Minute, policy(), offline.Call{}, session(offline.Token{Present: true}, stale), failure, early(true)},
		{"expired", online, time.Hour, policy(), offline.Call{}, session(token(time.Hour)), failure, expired(true)},
		{"expired, staying offline", down, 2 * time.Hour, policy(), offline.Call{}, session(token(time.Hour)), failure, expired(true)},
		{"expired, not tried", down, time.Hour + time.Second, policy(), offline.Call{}, session(token(time.Hour)), start, expired(false)},
		{"expired, offline off", online, time.Hour, policy(off), offline.Call{}, session(token(time.Hour)), failure, refused(offline.Deny, offline.CauseOfflineOff, true)},
		{"expired, offline off, not tried", down, time.Hour + time.Second, policy(off), offline.Call{}, session(token(time.Hour)), start, refused(offline.Deny, offline.CauseOfflineOff, false)},
		{"past the limit, offline off", long, limit + time.Second, policy(off), offline.Call{}, session(token(time.Hour)), start, refused(offline.Deny, offline.CauseOfflineOff, false)},
		{"at the limit", online, limit, policy(), offline.Call{}, session(token(time.Hour)), failure, expired(true)},
		{"past the limit", online, limit + 1, policy(), offline.Call{}, session(token(time.Hour)), failure, refused(offline.SignOut, offline.CauseLimitPassed, true)},
		{"past the limit, unset", online, limit + 1, policy(unset), offline.Call{}, session(token(time.Hour)), failure, refused(offline.SignOut, offline.CauseLimitPassed, true)},
		{"past the limit, not tried", long, limit + time.Second, policy(), offline.Call{}, session(token(time.Hour)), start, refused(offline.SignOut, offline.CauseLimitPassed, false)},
		{"past the limit, deny", online, limit + 1, policy(deny), offline.Call{}, session(token(time.Hour)), failure, refused(offline.Deny, offline.CauseLimitPassed, true)},
		{"past the limit, neither", online, limit + 1, policy(garbage), offline.Call{}, session(token(time.Hour)), failure, refused(offline.Deny, offline.CauseLimitPassed, true)},
		{"past the limit, deny, not tried", long, limit + time.Second, policy(deny), offline.Call{}, session(token(time.Hour)), start, refused(offline.Deny, offline.CauseLimitPassed, false)},
		{"past the limit, deny: still tries when due", long, limit + 2*time.Minute, policy(deny), offline.Call{}, session(token(time.Hour)), start, offline.Action{Verb: offline.Refresh, Wait: true}},
		{"past the limit: still tries when due", long, limit + 2*time.Minute, policy(), offline.Call{}, session(token(time.Hour)), start, offline.Action{Verb: offline.Refresh, Wait: true}},
		{"no last sync known: nothing is removed", offline.State{}, time.Hour, policy(), offline.Call{}, session(token(0)), failure, refused(offline.Deny, offline.CauseLimitPassed, true)},
		{"no such token", online, time.Hour, policy(), offline.Call{}, session(offline.Token{}), failure, refused(offline.Deny, offline.CauseNoToken, true)},
		{"no such token, past the limit", online, 8 * day, policy(), offline.Call{}, session(offline.Token{}), failure, refused(offline.Deny, offline.CauseNoToken, true)},
	})
}

func TestStep5EnteringAndStaying(t *testing.T) {
	out := offline.Outcome{Stage: offline.Failed, Failure: outage}
	s, a := offline.Decide(online, t0.Add(time.Hour), policy(), offline.Call{}, session(token(time.Hour)), out)
	want := []offline.EventType{offline.EventOfflineEntered, offline.EventWarning, offline.EventWarning}
	if got := eventTypes(a.Events); !slices.Equal(got, want) {
		t.Fatalf("entering: %v, want %v", got, want)
	}
	if e := a.Events[0]; e.Reason != offline.ReasonServerUnavailable || !e.HasToken || !e.LastSync.Equal(t0) {
		t.Errorf("entering: %+v", e)
	}
	if !s.Offline() || s.Failures != 1 || !s.Since.Equal(t0.Add(time.Hour)) || s.LastError != "HTTP 503" ||
		s.Category != offline.ServerError || !s.LastSync.Equal(t0) || !s.NextRetry.Equal(t0.Add(time.Hour+30*time.Second)) {
		t.Errorf("state %+v", s)
	}

	out.Failure = offline.NewFailure(offline.StepRefresh, &timeoutError{}, t0)
	s, a = offline.Decide(s, t0.Add(2*time.Hour), policy(), offline.Call{}, session(token(time.Hour)), out)
	if slices.Contains(eventTypes(a.Events), offline.EventOfflineEntered) {
		t.Error("staying is an event")
	}
	if s.Failures != 2 || !s.Since.Equal(t0.Add(time.Hour)) || s.Reason != offline.ReasonNetworkUnavailable || s.LastError != "timed out" {
		t.Errorf("state %+v", s)
	}
	// Without any cached token it is entered all the same, and says so.
	_, a = offline.Decide(online, t0, policy(), offline.Call{}, session(offline.Token{}), out)
	if len(a.Events) == 0 || a.Events[0].Type != offline.EventOfflineEntered || a.Events[0].HasToken {
		t.Errorf("%+v", a.Events)
	}
}

func TestStep6Success(t *testing.T) {
	down := failing(online, time.Hour, 5)
	fresh := offline.Action{Verb: offline.Print, Store: true}
	runRows(t, []row{
		{"online", online, time.Hour, policy(), offline.Call{}, session(token(2*time.Hour), renewed), success, fresh},
		{"offline off", online, time.Hour, policy(off), offline.Call{}, session(token(2*time.Hour), renewed), success, fresh},
		{"while offline", down, 2 * time.Hour, policy(), offline.Call{}, session(token(3*time.Hour), renewed), success, fresh},
		{"past the limit, deny", down, 9 * day, policy(deny), offline.Call{}, session(token(9*day+time.Hour), renewed), success, fresh},
		{"lives for less than min-valid", online, time.Hour, policy(), offline.Call{MinValid: day}, session(token(2*time.Hour), renewed), success, fresh},
		{"no expiry", online, time.Hour, policy(), offline.Call{}, session(offline.Token{Present: true}, renewed), success, fresh},
		{"this clock runs ahead of its whole life", online, time.Hour, policy(off), offline.Call{}, session(token(30*time.Minute), renewed), success,
			offline.Action{Verb: offline.Print, Store: true, Expired: true}},
		{"not renewed, still good", online, time.Minute, policy(), offline.Call{}, session(token(time.Hour), notRenewable), success, fresh},
		{"not renewed, expired", online, time.Hour, policy(), offline.Call{}, session(token(time.Hour), notRenewable), success,
			offline.Action{Verb: offline.SignIn, Cause: offline.CauseNotRenewed, Store: true}},
		{"no such token came", online, time.Hour, policy(), offline.Call{}, session(offline.Token{}), success,
			offline.Action{Verb: offline.SignIn, Cause: offline.CauseNotRenewed, Store: true}},
	})

	s, a := offline.Decide(down, t0.Add(3*time.Hour), policy(), offline.Call{}, session(token(4*time.Hour), renewed), success)
	if s != synced(3*time.Hour) {
		t.Errorf("state %+v", s)
	}
	if got, want := eventTypes(a.Events), []offline.EventType{offline.EventOfflineExited, offline.EventTokenRefreshed}; !slices.Equal(got, want) {
		t.Fatalf("events %v, want %v", got, want)
	}
	if e := a.Events[0]; e.Lasted != 2*time.Hour || !e.NetworkRestored || !e.LastSync.Equal(t0.Add(3*time.Hour)) {
		t.Errorf("event %+v", e)
	}
	if len(a.Warnings) != 0 {
		t.Errorf("warnings %v", a.Warnings)
	}

	// What could not be checked is warned of in the same call, and no longer
	// once it could.
	partly := offline.Outcome{Stage: offline.Succeeded, ValidationSkipped: true, StaleUserInfo: true}
	s, a = offline.Decide(online, t0.Add(time.Hour), policy(), offline.Call{}, session(token(2*time.Hour), renewed), partly)
	want := []offline.WarningType{offline.WarnTokenValidationSkipped, offline.WarnStaleUserInfo}
	if !s.ValidationSkipped || !s.StaleUserInfo || !slices.Equal(types(a.Warnings), want) {
		t.Errorf("%+v\n%v", s, a.Warnings)
	}
	if s, a = offline.Decide(s, t0.Add(2*time.Hour), policy(), offline.Call{}, session(token(3*time.Hour), renewed), success); s.ValidationSkipped || s.StaleUserInfo || a.Warnings != nil {
		t.Errorf("%+v\n%v", s, a.Warnings)
	}
}

func TestStep7NoRefreshToken(t *testing.T) {
	signIn := cause(offline.SignIn, offline.CauseNoRefreshToken)
	probe := offline.Action{Verb: offline.Probe}
	down := failing(online, time.Hour, 1) // next try at 1h30s
	probed := func(o offline.Outcome) offline.Outcome { o.Probed = true; return o }
	exp := session(token(time.Hour), noRefreshToken)
	runRows(t, []row{
		{"good", online, 0, policy(), offline.Call{}, exp, start, fresh},
		{"due", online, 59*time.Minute + 1, policy(), offline.Call{}, exp, start, fresh},
		{"min-valid", online, time.Minute, policy(), offline.Call{MinValid: day}, exp, start, fresh},
		{"forced", online, time.Minute, policy(), forced, exp, start, signIn},
		{"refused by a server", online, time.Minute, policy(), offline.Call{}, session(token(time.Hour), noRefreshToken, stale), start, signIn},
		{"no such token", online, time.Minute, policy(), offline.Call{}, session(offline.Token{}, noRefreshToken), start, signIn},
		{"expired, offline off", online, time.Hour, policy(off), offline.Call{}, exp, start, signIn},
		{"expired, offline off, in the backoff", down, time.Hour + 1, policy(off), offline.Call{}, exp, start, signIn},
		{"expired: is it an outage?", online, time.Hour, policy(), offline.Call{}, exp, start, offline.Action{Verb: offline.Probe, Wait: true}},
		{"expired, under the lock", online, time.Hour, policy(), offline.Call{}, exp, locked, probe},
		{"expired, in the backoff", down, time.Hour + 1, policy(), offline.Call{}, exp, start, expired(false)},
		{"expired, backoff over", down, time.Hour + time.Minute, policy(), offline.Call{}, exp, locked, probe},
		{"expired, forced in the backoff", down, time.Hour + 1, policy(), forced, exp, locked, probe},
		{"expired, lock busy", down, time.Hour + time.Minute, policy(), offline.Call{}, exp, busy, expired(false)},
		{"expired, past the limit", online, 8 * day, policy(), offline.Call{}, exp, start, signIn},
		{"expired, past the limit, deny", failing(online, 8*day, 1), 8*day + 1, policy(deny), offline.Call{}, exp, start, signIn},
		{"it is an outage", online, time.Hour, policy(), offline.Call{}, exp, probed(failure), expired(true)},
		{"it is none", online, time.Hour, policy(), offline.Call{}, exp, probed(success), offline.Action{Verb: offline.SignIn, Cause: offline.CauseNoRefreshToken, Store: true}},
		{"the outage is over", down, 2 * time.Hour, policy(), offline.Call{}, exp, probed(success), offline.Action{Verb: offline.SignIn, Cause: offline.CauseNoRefreshToken, Store: true}},
	})

	// A probe brings no tokens and reads no claims.
	s := online
	s.StaleUserInfo = true
	s, a := offline.Decide(s, t0.Add(time.Hour), policy(), offline.Call{}, exp, probed(success))
	if slices.Contains(eventTypes(a.Events), offline.EventTokenRefreshed) || !s.StaleUserInfo {
		t.Errorf("%v %+v", eventTypes(a.Events), s)
	}
}

// A token that only a sign-in renews (an ID token at some providers) is not
// asked for again and again, and an outage still prompts for no sign-in.
func TestNotRenewable(t *testing.T) {
	down := failing(online, time.Hour, 1) // next try at 1h30s
	wait := offline.Action{Verb: offline.Refresh, Wait: true}
	id := session(token(time.Hour), notRenewable)
	probed := func(o offline.Outcome) offline.Outcome { o.Probed = true; return o }
	runRows(t, []row{
		{"due", online, 59*time.Minute + 1, policy(), offline.Call{}, id, start, fresh},
		{"min-valid", online, time.Minute, policy(), offline.Call{MinValid: day}, id, start, fresh},
		{"forced", online, time.Minute, policy(), forced, id, start, wait},
		{"expired: is it an outage?", online, time.Hour, policy(), offline.Call{}, id, start, offline.Action{Verb: offline.Probe, Wait: true}},
		{"expired, offline off", online, time.Hour, policy(off), offline.Call{}, id, locked, offline.Action{Verb: offline.Probe}},
		{"expired, lock busy", online, time.Hour, policy(off), offline.Call{}, id, busy,
			offline.Action{Verb: offline.Deny, Cause: offline.CauseOfflineOff, Offline: true, Reason: offline.ReasonTokenRefreshFailed}},
		{"it is an outage", online, time.Hour, policy(), offline.Call{}, id, probed(failure), expired(true)},
		{"it is an outage, offline off", online, time.Hour, policy(off), offline.Call{}, id, probed(failure), refused(offline.Deny, offline.CauseOfflineOff, true)},
		{"it is none", online, time.Hour, policy(), offline.Call{}, id, probed(success), offline.Action{Verb: offline.SignIn, Cause: offline.CauseNotRenewed, Store: true}},
		{"in the backoff", down, time.Hour + 1, policy(), offline.Call{}, id, start, expired(false)},
		{"in the backoff, offline off", down, time.Hour + 1, policy(off), offline.Call{}, id, start, refused(offline.Deny, offline.CauseOfflineOff, false)},
		{"backoff over", down, time.Hour + time.Minute, policy(), offline.Call{}, id, start, wait},
		{"no such token", online, time.Hour, policy(), offline.Call{}, session(offline.Token{}, notRenewable), start, offline.Action{Verb: offline.Probe, Wait: true}},
	})
}

func TestVerbString(t *testing.T) {
	for v, want := range map[offline.Verb]string{offline.Print: "print", offline.Deny: "deny", -1: "no verb", 99: "no verb"} {
		if v.String() != want {
			t.Errorf("%d: %s", v, v)
		}
	}
}
