package offline_test

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// t0 is when everything in these tests begins.
var t0 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// answer is an HTTP answer that was no success, as the flow returns it: with
// the body, and without having looked into it.
func answer(status int, contentType, body string) error {
	header := http.Header{}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	return fmt.Errorf("refresh: %w", &oauth2.RetrieveError{
		Response: &http.Response{StatusCode: status, Status: http.StatusText(status), Header: header},
		Body:     []byte(body),
	})
}

// oauthError is an error of RFC 6749 §5.2.
func oauthError(status int, code string) error {
	return answer(status, "application/json", `{"error":"`+code+`"}`)
}

// proxyAnswer is a proxy's answer to CONNECT.
type proxyAnswer int

func (p proxyAnswer) Error() string    { return fmt.Sprintf("proxy: HTTP %d", int(p)) }
func (p proxyAnswer) ProxyStatus() int { return int(p) }

// policy is the default one with offline mode on.
func policy(change ...func(*offline.Policy)) offline.Policy {
	p := offline.DefaultPolicy()
	p.Enabled = true
	for _, c := range change {
		c(&p)
	}
	return p
}

func off(p *offline.Policy)  { p.Enabled = false }
func deny(p *offline.Policy) { p.OnLimit = offline.DenyOnLimit }

// token expires at t0 plus the given time and was good for an hour.
func token(expires time.Duration) offline.Token {
	return offline.Token{Present: true, Expiry: t0.Add(expires), Lifetime: time.Hour}
}

// session is signed in and can be refreshed.
func session(t offline.Token, change ...func(*offline.Facts)) offline.Facts {
	f := offline.Facts{SignedIn: true, Token: t, Refreshable: true}
	for _, c := range change {
		c(&f)
	}
	return f
}

func noRefreshToken(f *offline.Facts) { f.Refreshable = false }
func renewed(f *offline.Facts)        { f.Renewed = true }
func notRenewable(f *offline.Facts)   { f.NotRenewable = true }
func stale(f *offline.Facts)          { f.Token.Stale = true }

// synced is online, with the last sync at t0 plus the given time.
func synced(at time.Duration) offline.State { return offline.State{}.Synced(t0.Add(at)) }

var outage = offline.NewFailure(offline.StepRefresh, answer(503, "", ""), t0)

// after is the state after one more failure at t0 plus the given time, without
// jitter.
func after(s offline.State, at time.Duration, f offline.Failure) offline.State {
	s, _ = offline.Decide(s, t0.Add(at), policy(), offline.Call{}, session(token(day)),
		offline.Outcome{Stage: offline.Failed, Failure: f})
	return s
}

// failing is the state after n failures, the first at t0 plus the given time
// and each of the others when it was due.
func failing(s offline.State, at time.Duration, n int) offline.State {
	s = after(s, at, outage)
	for range n - 1 {
		s = after(s, s.NextRetry.Sub(t0), outage)
	}
	return s
}

func types(ws []offline.Warning) []offline.WarningType {
	var ts []offline.WarningType
	for _, w := range ws {
		ts = append(ts, w.Type)
	}
	return ts
}

func eventTypes(es []offline.Event) []offline.EventType {
	var ts []offline.EventType
	for _, e := range es {
		ts = append(ts, e.Type)
	}
	return ts
}

var errPlain = errors.New("something else")
