package offline_test

import (
	"slices"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// TestRefusal: a "no" holds for a short while, for everybody who does not force
// a try, and whatever stands in the copy that anybody can write to.
func TestRefusal(t *testing.T) {
	no := offline.NewFailure(offline.StepRefresh, oauthError(401, "invalid_client"), t0)
	was := after(offline.State{}, 0, outage)
	s, a := offline.Decide(was, t0, policy(), offline.Call{}, offline.Facts{Unattended: true}, offline.Outcome{Stage: offline.Failed, Failure: no})
	if s.Offline() || !s.LastSync.Equal(t0) || a.Refused.Detail != "HTTP 401, invalid_client" || !a.Refused.Until.Equal(t0.Add(30*time.Second)) {
		t.Fatalf("%+v\n%+v", s, a)
	}
	if !slices.ContainsFunc(a.Events, func(e offline.Event) bool { return e.Type == offline.EventOfflineExited }) {
		t.Errorf("the provider has answered, and the events are %+v", a.Events)
	}
	if f := a.Refused.Failure(); f.Detail != no.Detail || f.Code != no.Code || f.Category != no.Category || !f.EndsSession() {
		t.Errorf("it is told as %+v", f)
	}
	forever, future := a.Refused, a.Refused
	forever.Until = t0.AddDate(100, 0, 0)
	future.At, future.Until = t0.Add(time.Hour), t0.Add(2*time.Hour)
	for _, test := range []struct {
		name string
		no   offline.Refusal
		at   time.Duration
		call offline.Call
		out  offline.Outcome
		want offline.Verb
	}{
		{"at once", a.Refused, 0, offline.Call{}, start, offline.SignIn},
		{"behind the lock", a.Refused, time.Second, offline.Call{}, offline.Outcome{Stage: offline.Locked}, offline.SignIn},
		{"without the lock", a.Refused, time.Second, offline.Call{}, offline.Outcome{Stage: offline.LockBusy}, offline.SignIn},
		{"by force", a.Refused, time.Second, offline.Call{Force: true}, start, offline.Begin},
		{"later", a.Refused, 30 * time.Second, offline.Call{}, start, offline.Begin},
		{"with the clock a little back", a.Refused, -time.Minute, offline.Call{}, start, offline.SignIn},
		{"with the clock far back", a.Refused, -time.Hour, offline.Call{}, start, offline.Begin},
		{"for ever", forever, 2 * time.Hour, offline.Call{}, start, offline.Begin},
		{"in the future", future, 0, offline.Call{}, start, offline.Begin},
		{"none", offline.Refusal{}, 0, offline.Call{}, start, offline.Begin},
	} {
		facts := offline.Facts{Unattended: true, Refused: test.no}
		if _, a := offline.Decide(offline.State{}, t0.Add(test.at), policy(), test.call, facts, test.out); a.Verb != test.want {
			t.Errorf("%s: %s", test.name, a.Verb)
		}
	}
}
