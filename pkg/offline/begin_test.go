package offline_test

import (
	"slices"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// TestBegin: a session without a person begins by itself, and asks a provider
// that is down no more often than any other.
func TestBegin(t *testing.T) {
	never := offline.State{}
	failed := after(never, 0, outage)
	refused := offline.NewFailure(offline.StepRefresh, oauthError(401, "invalid_client"), t0)
	subject := offline.NewFailure(offline.StepSubjectToken, oauthError(401, "invalid_client"), t0)
	for _, test := range []struct {
		name  string
		state offline.State
		at    time.Duration
		call  offline.Call
		out   offline.Outcome
		verb  offline.Verb
		cause offline.Cause
		wait  bool
		store bool
	}{
		{"at the start", never, 0, offline.Call{}, start, offline.Begin, "", true, false},
		{"under the lock", never, 0, offline.Call{}, offline.Outcome{Stage: offline.Locked}, offline.Begin, "", false, false},
		{"without the lock", never, 0, offline.Call{}, offline.Outcome{Stage: offline.LockBusy}, offline.Deny, offline.CauseNoToken, false, false},
		{"inside the backoff", failed, time.Second, offline.Call{}, start, offline.Deny, offline.CauseNoToken, false, false},
		{"inside the backoff, by force", failed, time.Second, offline.Call{Force: true}, start, offline.Begin, "", true, false},
		{"after the backoff", failed, time.Minute, offline.Call{}, start, offline.Begin, "", true, false},
		{"an outage", never, 0, offline.Call{}, offline.Outcome{Stage: offline.Failed, Failure: outage}, offline.Deny, offline.CauseNoToken, false, true},
		{"the provider's no", never, 0, offline.Call{}, offline.Outcome{Stage: offline.Failed, Failure: refused}, offline.SignIn, offline.CauseRejected, false, true},
		{"somebody else's no", never, 0, offline.Call{}, offline.Outcome{Stage: offline.Failed, Failure: subject}, offline.Deny, offline.CauseNoToken, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, a := offline.Decide(test.state, t0.Add(test.at), policy(), test.call, offline.Facts{Unattended: true}, test.out)
			if a.Verb != test.verb || a.Cause != test.cause || a.Wait != test.wait || a.Store != test.store {
				t.Errorf("%s because of %q, wait %v, store %v", a.Verb, a.Cause, a.Wait, a.Store)
			}
			if (test.store && a.Refused.At.IsZero()) != (s.Failures > test.state.Failures) {
				t.Errorf("%d failures", s.Failures)
			}
		})
	}
	_, a := offline.Decide(never, t0, policy(), offline.Call{}, offline.Facts{Unattended: true}, offline.Outcome{Stage: offline.Failed, Failure: outage})
	if a.Reason != outage.Reason() || !slices.ContainsFunc(a.Events, func(e offline.Event) bool { return e.Type == offline.EventOfflineEntered && !e.HasToken }) {
		t.Errorf("an outage: %+v", a)
	}
}

// TestSubjectToken: whoever vouches for a workload is not the provider, and its
// "no" is none to the session.
func TestSubjectToken(t *testing.T) {
	for name, test := range map[string]struct {
		err    error
		reason offline.Reason
	}{
		"refused":   {oauthError(401, "invalid_client"), offline.ReasonTokenRefreshFailed},
		"not found": {answer(404, "", ""), offline.ReasonTokenRefreshFailed},
		"down":      {answer(503, "", ""), offline.ReasonTokenRefreshFailed},
		"network":   {dial(timeoutError{}), offline.ReasonTokenRefreshFailed},
	} {
		f := offline.NewFailure(offline.StepSubjectToken, test.err, t0)
		if f.EndsSession() || f.Reason() != test.reason {
			t.Errorf("%s: ends the session: %v, reason %s", name, f.EndsSession(), f.Reason())
		}
		_, a := offline.Decide(online, t0.Add(time.Minute), policy(), offline.Call{}, session(token(0)), offline.Outcome{Stage: offline.Failed, Failure: f})
		if a.Verb != offline.Print || !a.Expired {
			t.Errorf("%s: %s", name, a.Verb)
		}
	}
}
