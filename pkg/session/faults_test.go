package session_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// faultCase is one way in which a refresh can fail, and what is made of it.
type faultCase struct {
	name     string
	category offline.Category
	// set breaks the world; mend, if not nil, is what makes it whole again
	// beyond clearing the provider's faults.
	set  func(*world)
	mend func(*world)
	// wait until the next try; 0 is the first wait of the policy.
	wait time.Duration
	// nothingSent: not a byte of the request may reach the provider.
	nothingSent bool
}

// at is a fault of the token endpoint.
func at(name string, category offline.Category, f oidctest.Fault) faultCase {
	return faultCase{name: name, category: category, set: func(w *world) { w.provider.Set(oidctest.TokenEndpoint, f) }}
}

func (c faultCase) waiting(d time.Duration) faultCase {
	c.wait = d
	return c
}

// transport is a failure before anything reaches the provider.
func transport(name string, category offline.Category, err error) faultCase {
	return faultCase{name: name, category: category, nothingSent: true, set: func(w *world) {
		w.client = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, err })}
	}}
}

func dial(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }

func networkFaults() []faultCase {
	return []faultCase{
		{
			name: "refused port", category: offline.NetworkUnavailable, nothingSent: true,
			set: func(w *world) { w.provider.Down() }, mend: func(w *world) { w.provider.Up() },
		},
		{
			name: "black hole", category: offline.NetworkTimeout,
			set: func(w *world) {
				w.timeout = 150 * time.Millisecond
				w.provider.BlackHole()
			}, mend: func(w *world) { w.provider.Release() },
		},
		{
			name: "no answer", category: offline.NetworkTimeout,
			set: func(w *world) {
				w.timeout = 150 * time.Millisecond
				w.provider.Set(oidctest.TokenEndpoint, oidctest.Hold())
			},
		},
		{
			name: "half an answer, then silence", category: offline.NetworkTimeout,
			set: func(w *world) {
				w.timeout = 150 * time.Millisecond
				w.provider.Set(oidctest.TokenEndpoint, oidctest.Stall())
			},
		},
		transport("name not found", offline.NetworkUnavailable, dial(&net.DNSError{Err: "no such host", Name: "id.example.com", IsNotFound: true})),
		transport("name server silent", offline.NetworkUnavailable, dial(&net.DNSError{Err: "i/o timeout", Name: "id.example.com", IsTimeout: true})),
		transport("no route", offline.NetworkUnavailable, dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH))),
		transport("network down", offline.NetworkUnavailable, dial(os.NewSyscallError("connect", syscall.ENETUNREACH))),
		transport("proxy down", offline.NetworkUnavailable, &net.OpError{Op: "proxyconnect", Net: "tcp", Err: syscall.ECONNREFUSED}),
		transport("proxy can't reach it", offline.NetworkUnavailable, &oidcflow.ProxyError{Status: 502}),
		transport("proxy wants a password", offline.NotTheProvider, &oidcflow.ProxyError{Status: 407}),
		transport("something unheard of", offline.Unknown, errors.New("what nobody has seen yet")),
		at("reset", offline.NetworkUnavailable, oidctest.Reset()),
		at("reset in the body", offline.NetworkUnavailable, oidctest.ResetMidBody()),
		at("body cut off", offline.NetworkTimeout, oidctest.CutOff()),
	}
}

func serverFaults() []faultCase {
	cases := []faultCase{
		at("503 with a date", offline.ServerError, oidctest.Status(503).RetryAfter("Wed, 04 Mar 2026 10:10:00 GMT").Header("Date", "Wed, 04 Mar 2026 10:00:00 GMT")).waiting(10 * time.Minute),
		at("503 for a day", offline.ServerError, oidctest.Status(503).RetryAfter("86400")).waiting(time.Hour),
		at("503 for a moment", offline.ServerError, oidctest.Status(503).RetryAfter("5")),
		at("503 for nonsense", offline.ServerError, oidctest.Status(503).RetryAfter("soon")),
		at("502 page", offline.ServerError, oidctest.HTML(502)),
	}
	for _, status := range []int{500, 502, 503, 504, 429} {
		cases = append(cases,
			at(fmt.Sprint(status), offline.ServerError, oidctest.Status(status)),
			at(fmt.Sprint(status, " with Retry-After"), offline.ServerError, oidctest.Status(status).RetryAfter("120")).waiting(2*time.Minute))
	}
	for _, status := range []int{408, 425} {
		cases = append(cases, at(fmt.Sprint(status), offline.ServerError, oidctest.Status(status)))
	}
	for _, code := range []string{"server_error", "temporarily_unavailable", "service_unavailable", "slow_down"} {
		for _, status := range []int{200, 400, 401, 403} {
			cases = append(cases, at(fmt.Sprint(status, " ", code), offline.ServerError, oidctest.OAuthError(status, code, "later")))
		}
	}
	return cases
}

// portalFaults are answers that something else than the provider wrote.
func portalFaults() []faultCase {
	cases := []faultCase{
		at("{}", offline.NotTheProvider, oidctest.EmptyObject()),
		at("204", offline.NotTheProvider, oidctest.NoContent()),
		at("empty", offline.NotTheProvider, oidctest.Empty()),
		at("truncated JSON", offline.NotTheProvider, oidctest.Truncated()),
		at("oversized JSON", offline.NotTheProvider, oidctest.Oversized(2<<20)),
		at("a list", offline.NotTheProvider, oidctest.Answer(200, "application/json", `[{"access_token":"a","token_type":"Bearer"}]`)),
		at("no token type", offline.NotTheProvider, oidctest.Answer(200, "application/json", `{"access_token":"a"}`)),
		at("plain 407", offline.NotTheProvider, oidctest.Status(407)),
		at("plain 511", offline.NotTheProvider, oidctest.Status(511)),
		at("redirect", offline.NotTheProvider, oidctest.Redirect("https://portal.invalid/")),
	}
	for _, status := range []int{200, 302, 303, 307, 401, 403, 404, 407, 511} {
		cases = append(cases, at(fmt.Sprint(status, " page"), offline.NotTheProvider, oidctest.HTML(status)))
	}
	return cases
}

// rejections are the provider's "no".
func rejections() []faultCase {
	cases := []faultCase{
		at("401", offline.AuthenticationError, oidctest.Status(401)),
		at("403", offline.AuthenticationError, oidctest.Status(403)),
		at("401 without body", offline.AuthenticationError, oidctest.Answer(401, "", "")),
		at("404 without body", offline.ClientError, oidctest.Answer(404, "", "")),
		at("400 without body", offline.ClientError, oidctest.Answer(400, "", "")),
		at("405", offline.ClientError, oidctest.Status(405)),
		at("422", offline.ClientError, oidctest.Status(422)),
	}
	for code, category := range map[string]offline.Category{
		"invalid_grant": offline.AuthenticationError, "invalid_token": offline.AuthenticationError, "invalid_client": offline.AuthenticationError,
		"unauthorized_client": offline.AuthenticationError, "access_denied": offline.AuthenticationError,
		"interaction_required": offline.AuthenticationError, "login_required": offline.AuthenticationError, "consent_required": offline.AuthenticationError,
		"invalid_request": offline.ClientError, "invalid_scope": offline.ClientError, "unsupported_grant_type": offline.ClientError,
		"a_code_of_its_own": offline.ClientError,
	} {
		cases = append(cases,
			at("400 "+code, category, oidctest.OAuthError(400, code, "no")),
			at("200 "+code, category, oidctest.OAuthError(200, code, "no")),
			at("401 "+code, offline.AuthenticationError, oidctest.OAuthError(401, code, "no")))
	}
	return cases
}

func tlsFaults() []faultCase {
	var cases []faultCase
	for _, mode := range []oidctest.TLSMode{oidctest.TLSWrongHost, oidctest.TLSExpired, oidctest.TLSUnknownCA} {
		cases = append(cases, faultCase{
			name: string(mode), category: offline.TLSError, nothingSent: true,
			set:  func(w *world) { w.provider.SetTLS(mode) },
			mend: func(w *world) { w.provider.SetTLS(oidctest.TLSValid) },
		})
	}
	return cases
}

// faultState is the state of the session when the refresh fails.
type faultState struct {
	name  string
	after time.Duration // since the sign-in, with tokens that live for an hour
	set   func(*offline.Policy)
	// What becomes of it if the category allows to go on.
	printed bool
	kind    session.Kind
	cause   offline.Cause
}

const faultLimit = 6 * time.Hour

func faultStates() []faultState {
	nothing := func(*offline.Policy) {}
	off := func(p *offline.Policy) { p.Enabled = false }
	deny := func(p *offline.Policy) { p.OnLimit = offline.DenyOnLimit }
	const window, expired, past = 59*time.Minute + 30*time.Second, 2 * time.Hour, faultLimit + time.Minute
	return []faultState{
		{name: "in the window", after: window, set: nothing, printed: true},
		{name: "in the window, offline off", after: window, set: off, printed: true},
		{name: "expired", after: expired, set: nothing, printed: true},
		{name: "expired, offline off", after: expired, set: off, kind: session.Unreachable, cause: offline.CauseOfflineOff},
		{name: "past the limit", after: past, set: nothing, kind: session.SignInRequired, cause: offline.CauseLimitPassed},
		{name: "past the limit, deny", after: past, set: deny, kind: session.Unreachable, cause: offline.CauseLimitPassed},
	}
}

func TestFaults(t *testing.T) {
	var cases []faultCase
	for _, more := range [][]faultCase{networkFaults(), serverFaults(), portalFaults(), rejections()} {
		cases = append(cases, more...)
	}
	runFaults(t, oidctest.Options{}, cases)
}

func TestTLSFaults(t *testing.T) {
	runFaults(t, oidctest.Options{TLS: oidctest.TLSValid}, tlsFaults())
}

// runFaults has each fault in each state. A fault spends no refresh token, so
// all of them go on from copies of one session.
func runFaults(t *testing.T, o oidctest.Options, cases []faultCase) {
	base := newWorldAt(t, o)
	base.policy.MaxDuration = faultLimit
	base.login()
	first := base.mustToken(session.Request{})
	start := base.clock.Now()
	for _, c := range cases {
		for _, s := range faultStates() {
			t.Run(c.name+"/"+s.name, func(t *testing.T) {
				base.clock.Set(start.Add(s.after))
				w := base.copyTo(t)
				s.set(&w.policy)
				sent := w.provider.Count(oidctest.AnyEndpoint)
				c.set(w)
				defer func() {
					w.provider.Clear()
					if c.mend != nil {
						c.mend(w)
					}
				}()
				tok, err := w.token(session.Request{})
				if n := w.provider.Count(oidctest.AnyEndpoint) - sent; c.nothingSent && n != 0 {
					t.Errorf("%d requests reached the provider", n)
				}
				switch {
				case c.category.Rejection():
					c.wantRejected(w, err)
				case s.printed:
					c.wantPrinted(w, s, tok, err, first)
				default:
					c.wantRefused(w, s, err)
				}
			})
		}
	}
}

func (c faultCase) wantRejected(w *world, err error) {
	w.t.Helper()
	e := w.wantKind(err, session.SignInRequired)
	if e.Cause != offline.CauseRejected {
		w.t.Errorf("the cause is %s", e.Cause)
	}
	if c.category == offline.ClientError && !strings.Contains(e.Hint, "client_id") && !strings.Contains(e.Hint, "scopes") {
		w.t.Errorf("the hint does not point at the configuration: %s", e.Hint)
	}
	w.wantGone(offline.CauseRejected)
	w.wantEvents("signed_out")
}

func (c faultCase) wantPrinted(w *world, s faultState, tok *session.Token, err error, first *session.Token) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	expired := s.after >= time.Hour
	if !tok.Value.Equal(first.Value) || !tok.Offline || tok.Expired != expired || tok.Reason != c.reason() {
		w.t.Errorf("the token is %+v, want reason %s", tok, c.reason())
	}
	if expired {
		w.wantWarnings(tok, offline.WarnUsingExpiredToken, offline.WarnTokenValidationSkipped)
		w.wantEvents("offline_mode_entered", "warning using_expired_token", "warning token_validation_skipped")
	} else {
		w.wantWarnings(tok, offline.WarnTokenValidationSkipped)
		w.wantEvents("offline_mode_entered", "warning token_validation_skipped")
	}
	w.wantKept()
	c.wantOffline(w)
}

func (c faultCase) wantRefused(w *world, s faultState, err error) {
	w.t.Helper()
	e := w.wantKind(err, s.kind)
	if e.Cause != s.cause {
		w.t.Errorf("the cause is %s, want %s", e.Cause, s.cause)
	}
	if s.kind == session.SignInRequired {
		w.wantGone(s.cause)
		w.wantEvents("offline_mode_entered", "signed_out")
		return
	}
	w.wantKept()
	c.wantOffline(w)
	w.wantEvents("offline_mode_entered")
}

// wantOffline looks at what is kept of the failure.
func (c faultCase) wantOffline(w *world) {
	w.t.Helper()
	s := w.status()
	if s.State != session.StateOffline || s.Offline.Failures != 1 || s.Offline.Reason != c.reason() || s.Offline.LastError == "" {
		w.t.Errorf("status is %+v, %+v, want reason %s", s, s.Offline, c.reason())
	}
	wait := c.wait
	if wait == 0 {
		wait = w.policy.Retry.Initial
	}
	if have := s.Offline.NextRetry.Sub(w.clock.Now()); have != wait {
		w.t.Errorf("the next try is in %s, want %s", have, wait)
	}
	if category := w.category(); category != c.category {
		w.t.Errorf("the category is %s, want %s", category, c.category)
	}
}

func (c faultCase) reason() offline.Reason {
	switch c.category {
	case offline.NetworkUnavailable, offline.NetworkTimeout:
		return offline.ReasonNetworkUnavailable
	case offline.TLSError, offline.ServerError, offline.NotTheProvider:
		return offline.ReasonServerUnavailable
	default:
		return offline.ReasonTokenRefreshFailed
	}
}

// category is that of the last failure, from the public copy.
func (w *world) category() offline.Category {
	w.t.Helper()
	data, err := os.ReadFile(w.file(".json"))
	if err != nil {
		w.t.Fatal(err)
	}
	var p struct {
		State offline.State `json:"state"`
	}
	if err := json.Unmarshal(data, &p); err != nil {
		w.t.Fatal(err)
	}
	return p.State.Category
}
