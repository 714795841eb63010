package e2e

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// timeout is the profile's, and margin what a call may take beyond it.
const (
	timeout = 2 * time.Second
	margin  = 1500 * time.Millisecond
)

// firstWait is the wait after the first failure, by the matrix's profile.
const firstWait = 30 * time.Second

// fault is a way in which a refresh can fail.
type fault struct {
	name string
	// set breaks the provider or the home, mend undoes it.
	set, mend func(w *matrix, h *home)
	// env are further variables of the failing calls.
	env func(w *matrix) []string
	// reason is what the session goes offline for; "" means that the provider
	// has ended the session.
	reason string
	// says is part of the last error that status shows, or of the rejection.
	says string
	// hint is part of the hint of a rejection.
	hint string
	// slow: the failing call lasts as long as the profile's timeout.
	slow bool
	// wait is how long the provider asked to be left alone.
	wait time.Duration
	// asks is how often the token endpoint sees the failing call.
	asks int
}

// matrix is a signed-in session whose token has expired, of which each row has
// a copy.
type matrix struct {
	provider *oidctest.Provider
	home     *home
	proxy    *proxy
}

// newMatrix signs in and waits until the token has expired. The refresh token
// does not rotate, so that the copies don't end each other's session.
func newMatrix(t *testing.T, o oidctest.Options) *matrix {
	o.Settings = oidctest.Settings{Lifetime: time.Second, NoRotation: true}
	w := &matrix{provider: newProvider(t, o), proxy: newProxy(t)}
	w.home = newHome(t, w.provider, "timeout: "+timeout.String(), "offline: {enabled: true, retry: {initial: "+firstWait.String()+", jitter: 0%}}")
	if ca := w.provider.CA(); ca != nil {
		file := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(file, ca, 0o600); err != nil {
			t.Fatal(err)
		}
		w.home = w.home.with("OIDC_CRED_CA_FILE="+file, browserVariable+"="+file)
	}
	w.home.login()
	time.Sleep(1100 * time.Millisecond)
	w.provider.Lifetime(time.Hour)
	return w
}

// TestFaults goes through every way in which a refresh can fail, and looks at
// what scripts and people see of it.
func TestFaults(t *testing.T) {
	t.Parallel()
	w := newMatrix(t, oidctest.Options{})
	for _, f := range slices.Concat(networkFaults(), answerFaults(), rejections(), discoveryFaults()) {
		t.Run(f.name, func(t *testing.T) { w.check(t, f) })
	}
}

// TestCertificateFaults: the provider is there, and shows a certificate that
// it should not.
func TestCertificateFaults(t *testing.T) {
	t.Parallel()
	w := newMatrix(t, oidctest.Options{TLS: oidctest.TLSValid})
	for _, mode := range []oidctest.TLSMode{oidctest.TLSWrongHost, oidctest.TLSExpired, oidctest.TLSUnknownCA} {
		t.Run(string(mode), func(t *testing.T) {
			w.check(t, fault{
				name: string(mode), reason: "server_unavailable", says: "certificate",
				set:  func(w *matrix, _ *home) { w.provider.SetTLS(mode) },
				mend: func(w *matrix, _ *home) { w.provider.SetTLS(oidctest.TLSValid) },
			})
		})
	}
}

func (w *matrix) check(t *testing.T, f fault) {
	if testing.Short() && f.slow && f.name != "black hole" {
		t.Skip("takes as long as the profile's timeout")
	}
	h := w.home.copy(t)
	broken := h
	if f.env != nil {
		broken = h.with(f.env(w)...)
	}
	f.set(w, h)
	mended := false
	mend := func() {
		if !mended {
			f.mend(w, h)
			mended = true
		}
	}
	defer mend()
	w.provider.ResetCounts()
	limit := margin
	if f.slow {
		limit += timeout
	}

	if f.reason == "" {
		w.rejected(h, broken, f, limit)
		return
	}

	// 1. Offline mode gives out the expired token, and says so.
	start := time.Now()
	r := broken.run("token", "-o", "json").exits(0).quick(limit)
	j := decode[tokenJSON](r)
	if !j.Offline || !j.Expired || j.reason() != f.reason {
		t.Errorf("offline %t, expired %t, reason %q, want an expired token, offline for %s", j.Offline, j.Expired, j.reason(), f.reason)
	}
	if want := []string{"using_expired_token", "token_validation_skipped"}; !slices.Equal(r.warnings(), want) {
		t.Errorf("warnings %v, want %v:\n%s", r.warnings(), want, r.stderr)
	}
	if len(j.Warnings) == 0 || j.Warnings[0].ExpiredFor == nil || *j.Warnings[0].ExpiredFor < 0 {
		t.Errorf("warnings in JSON: %+v", j.Warnings)
	}
	if got := w.provider.Count(oidctest.TokenEndpoint); got != f.asks {
		t.Errorf("the token endpoint was asked %d times, want %d", got, f.asks)
	}

	// 2. status tells it without asking.
	w.offline(h, f, start)

	// 3. While one waits nobody asks, and a refusal keeps stdout empty.
	connections := w.provider.Connections()
	broken.run("token").exits(0).quick(margin)
	denied := broken.run("token", "--no-offline").fails(4).quick(margin)
	if f.says != "" && !strings.Contains(denied.stderr, f.says) {
		t.Errorf("the error does not say %q:\n%s", f.says, denied.stderr)
	}
	broken.with("OIDC_CRED_OFFLINE_ENABLED=false").run("token").fails(4).quick(margin)
	if f.env == nil && w.provider.Connections() != connections {
		t.Error("the provider was asked inside the backoff")
	}
	broken.run("status", "--check").exits(4)

	// 4. The session has survived: once the fault is mended it goes on.
	mend()
	back := decode[tokenJSON](h.run("token", "--force-refresh", "-o", "json").exits(0))
	if back.Offline || back.Expired || !w.provider.Active(back.Token) {
		t.Errorf("after the fault: offline %t, expired %t, accepted by the provider %t", back.Offline, back.Expired, w.provider.Active(back.Token))
	}
	if s := h.status(); s.State != "online" || s.Offline != nil {
		t.Errorf("after the fault status is %+v", s)
	}
}

func (w *matrix) offline(h *home, f fault, since time.Time) {
	h.t.Helper()
	s := h.status()
	if s.State != "offline" || s.Offline == nil || s.Token == nil || !s.Token.Expired || !s.HasRefresh {
		h.t.Fatalf("status is %+v", s)
	}
	o := s.Offline
	if o.Reason != f.reason || o.Failures != 1 || !strings.Contains(o.LastError, f.says) {
		h.t.Errorf("offline for %s after %d failures, %q; want %s after one, with %q", o.Reason, o.Failures, o.LastError, f.reason, f.says)
	}
	if strings.ContainsAny(o.LastError, "<>{}\x1b") {
		h.t.Errorf("the last error has the answer's text in it: %q", o.LastError)
	}
	want := max(firstWait, f.wait)
	if o.NextRetry == nil {
		h.t.Fatal("no next_retry")
	}
	// RFC 3339 here has whole seconds.
	if wait := o.NextRetry.Sub(since); wait < want-time.Second || wait > want+timeout+margin {
		h.t.Errorf("the next try is in %s, want %s", wait, want)
	}
}

// rejected: the provider said no. The session is removed, whatever the offline
// policy says, and the next call says the same without asking anybody.
func (w *matrix) rejected(h, broken *home, f fault, limit time.Duration) {
	h.t.Helper()
	r := broken.run("token", "-o", "json").fails(3).quick(limit)
	if !strings.Contains(r.stderr, f.says) || !strings.Contains(r.stderr, f.hint) || !strings.Contains(r.stderr, "oidc-cred login --profile work") {
		h.t.Errorf("want %q, the hint %q and the command to sign in on stderr:\n%s", f.says, f.hint, r.stderr)
	}
	s := h.status()
	if s.State != "sign_in_required" || s.Token != nil {
		h.t.Errorf("status is %+v", s)
	}
	if left, _ := filepath.Glob(filepath.Join(h.dir, "state", "*", "*.sealed")); len(left) != 0 {
		h.t.Errorf("left over: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(h.dir, "state", "keys", "*")); len(left) != 0 {
		h.t.Errorf("left over: %v", left)
	}
	connections := w.provider.Connections()
	broken.run("token").fails(3)
	broken.run("status", "--check").exits(3)
	if w.provider.Connections() != connections {
		h.t.Error("the provider was asked about a session that is gone")
	}
	f.mend(w, h)
	h.login()
	h.token()
}

// at is a fault of one endpoint.
func at(e oidctest.Endpoint, f oidctest.Fault) (set, mend func(*matrix, *home)) {
	return func(w *matrix, _ *home) { w.provider.Set(e, f) }, func(w *matrix, _ *home) { w.provider.Clear() }
}

func networkFaults() []fault {
	row := func(name, says string, f oidctest.Fault) fault {
		set, mend := at(oidctest.TokenEndpoint, f)
		return fault{name: name, reason: "network_unavailable", says: says, set: set, mend: mend, asks: 1}
	}
	slow := func(f fault) fault {
		f.slow = true
		return f
	}
	return []fault{
		{name: "connection refused", reason: "network_unavailable", says: "connection refused",
			set:  func(w *matrix, _ *home) { w.provider.Down() },
			mend: func(w *matrix, _ *home) { w.provider.Up() }},
		{name: "black hole", reason: "network_unavailable", says: "timed out", slow: true,
			set:  func(w *matrix, _ *home) { w.provider.BlackHole() },
			mend: func(w *matrix, _ *home) { w.provider.Release() }},
		slow(row("no answer", "timed out", oidctest.Hold())),
		slow(row("half an answer and silence", "timed out", oidctest.Stall())),
		row("reset", "connection closed", oidctest.Reset()),
		row("reset within the body", "", oidctest.ResetMidBody()),
		row("cut off", "the answer was cut off", oidctest.CutOff()),
		{name: "unknown name", reason: "network_unavailable", says: "can't be resolved", set: elsewhere, mend: here},
		{name: "proxy refuses the connection", reason: "network_unavailable", says: "the proxy can't be reached", set: elsewhere, mend: here,
			env: func(*matrix) []string { return []string{"HTTPS_PROXY=http://" + closedPort} }},
		{name: "proxy answers 502", reason: "network_unavailable", says: "the proxy answered HTTP 502", set: elsewhere, mend: here,
			env: func(w *matrix) []string { return []string{"HTTPS_PROXY=" + w.proxy.url(502)} }},
		{name: "proxy answers 407", reason: "server_unavailable", says: "the proxy answered HTTP 407", set: elsewhere, mend: here,
			env: func(w *matrix) []string { return []string{"HTTPS_PROXY=" + w.proxy.url(407)} }},
		{name: "proxy says nothing", reason: "network_unavailable", says: "timed out", slow: true, set: elsewhere, mend: here,
			env: func(w *matrix) []string { return []string{"HTTPS_PROXY=" + w.proxy.url(0)} }},
	}
}

// closedPort is an address that nobody listens at: ports below 1024 are not
// given out by the system.
const closedPort = "127.0.0.1:9"

// elsewhere moves the token endpoint to a host whose name is never resolved: a
// label of more than 63 characters is no domain name (RFC 1035 §2.3.4), and Go's
// resolver says so without asking anybody. So the row needs no network.
func elsewhere(w *matrix, h *home) {
	w.provider.Change(func(s *oidctest.Settings) {
		s.Metadata = map[string]any{"token_endpoint": "https://" + strings.Repeat("x", 64) + ".invalid/token"}
	})
	h.remove("cache")
}

func here(w *matrix, h *home) {
	w.provider.Change(func(s *oidctest.Settings) { s.Metadata = nil })
	h.remove("cache")
}

// answerFaults are answers that are no answer to a refresh.
func answerFaults() []fault {
	row := func(name, says string, f oidctest.Fault) fault {
		set, mend := at(oidctest.TokenEndpoint, f)
		return fault{name: name, reason: "server_unavailable", says: says, set: set, mend: mend, asks: 1}
	}
	waits := func(d time.Duration, f fault) fault {
		f.wait = d
		return f
	}
	const portal = "captive portal"
	return []fault{
		row("500", "HTTP 500", oidctest.Status(500)),
		row("502 HTML", "HTTP 502", oidctest.HTML(502)),
		row("503", "HTTP 503", oidctest.Status(503)),
		row("504", "HTTP 504", oidctest.Status(504)),
		waits(2*time.Minute, row("503 Retry-After", "HTTP 503", oidctest.Status(503).RetryAfter("120"))),
		row("503 short Retry-After", "HTTP 503", oidctest.Status(503).RetryAfter("1")),
		waits(time.Hour, row("503 Retry-After a year", "HTTP 503", oidctest.Status(503).RetryAfter("31536000"))),
		row("503 Retry-After nonsense", "HTTP 503", oidctest.Status(503).RetryAfter("soon")),
		row("429", "HTTP 429", oidctest.Status(429)),
		waits(5*time.Minute, row("429 Retry-After", "HTTP 429", oidctest.Status(429).RetryAfter("300"))),
		row("408", "HTTP 408", oidctest.Status(408)),
		row("425", "HTTP 425", oidctest.Status(425)),
		row("server_error in a 400", "server_error", oidctest.OAuthError(400, "server_error", "")),
		row("temporarily_unavailable", "temporarily_unavailable", oidctest.OAuthError(400, "temporarily_unavailable", "back soon")),
		row("slow_down", "slow_down", oidctest.OAuthError(400, "slow_down", "")),
		row("invalid_grant in a 500", "HTTP 500", oidctest.OAuthError(500, "invalid_grant", "\x1b[31mred\x1b[0m")),
		row("portal 200", portal, oidctest.HTML(200)),
		row("portal 302", "sign-in page at portal.invalid", oidctest.HTML(302)),
		row("portal 307", "sign-in page at portal.invalid", oidctest.HTML(307)),
		row("portal 403", portal, oidctest.HTML(403)),
		row("portal 404", portal, oidctest.HTML(404)),
		row("portal 407", "HTTP 407", oidctest.HTML(407)),
		row("portal 511", "HTTP 511", oidctest.HTML(511)),
		row("JSON cut in half", portal, oidctest.Truncated()),
		row("oversized JSON", portal, oidctest.Oversized(2<<20)),
		row("{}", portal, oidctest.EmptyObject()),
		row("204", portal, oidctest.NoContent()),
		row("empty 200", portal, oidctest.Empty()),
	}
}

// rejections end the session: the provider itself says no.
func rejections() []fault {
	row := func(name, says, hint string, f oidctest.Fault) fault {
		set, mend := at(oidctest.TokenEndpoint, f)
		return fault{name: name, says: says, hint: hint, set: set, mend: mend}
	}
	var rows []fault
	for _, code := range []string{"invalid_grant", "invalid_token", "unauthorized_client", "access_denied", "interaction_required", "login_required", "consent_required"} {
		rows = append(rows, row(code, "HTTP 400, "+code, "", oidctest.OAuthError(400, code, "\x1b]0;title\x07 the server's \u202eown words")))
	}
	rows = append(rows,
		row("invalid_client", "HTTP 401, invalid_client", "", oidctest.OAuthError(401, "invalid_client", "")),
		row("401", "HTTP 401", "", oidctest.Status(http.StatusUnauthorized)),
		row("403", "HTTP 403", "", oidctest.Status(http.StatusForbidden)),
		row("404", "HTTP 404", "check client_id", oidctest.Status(http.StatusNotFound)),
		row("405", "HTTP 405", "check client_id", oidctest.Status(http.StatusMethodNotAllowed)),
	)
	for _, code := range []string{"invalid_request", "unsupported_grant_type", "made_up"} {
		rows = append(rows, row(code, "HTTP 400, "+code, "check client_id", oidctest.OAuthError(400, code, "")))
	}
	rows = append(rows, row("invalid_scope", "HTTP 400, invalid_scope", "check scopes", oidctest.OAuthError(400, "invalid_scope", "")))
	wrongID := func(name string, change func(*oidctest.Settings)) fault {
		return fault{name: "ID token with another " + name,
			set: func(w *matrix, _ *home) { w.provider.Change(change) },
			mend: func(w *matrix, _ *home) {
				w.provider.Change(func(s *oidctest.Settings) { s.IDTokenClaims, s.Signature, s.Subject = nil, "", "" })
			}}
	}
	claim := func(name string, value any) fault {
		return wrongID(name, func(s *oidctest.Settings) { s.IDTokenClaims = map[string]any{name: value} })
	}
	return append(rows,
		claim("sub", "somebody-else"), claim("iss", "https://evil.example"), claim("aud", "another-client"),
		wrongID("signature", func(s *oidctest.Settings) { s.Signature = oidctest.SignatureWrong }),
	)
}

// discoveryFaults: without a cached document there is nowhere to send the
// refresh to. They never end the session, whatever is answered.
func discoveryFaults() []fault {
	row := func(name, says string, f oidctest.Fault) fault {
		return fault{name: "discovery " + name, reason: "discovery_document_unavailable", says: says,
			set: func(w *matrix, h *home) {
				h.remove("cache")
				w.provider.Set(oidctest.DiscoveryEndpoint, f)
			},
			mend: func(w *matrix, _ *home) { w.provider.Clear() }}
	}
	hold := row("without an answer", "timed out", oidctest.Hold())
	hold.slow = true
	return []fault{
		hold,
		row("404", "HTTP 404", oidctest.Status(404)), row("401", "HTTP 401", oidctest.Status(401)),
		row("503", "HTTP 503", oidctest.Status(503)), row("portal", "captive portal", oidctest.HTML(200)),
		row("of another issuer", "", oidctest.Answer(200, "application/json", `{"issuer":"https://evil.example","authorization_endpoint":"https://evil.example/a","token_endpoint":"https://evil.example/t","jwks_uri":"https://evil.example/k"}`)),
		row("{}", "", oidctest.EmptyObject()), row("cut off", "", oidctest.CutOff()), row("oversized", "", oidctest.Oversized(5<<20)),
	}
}

// proxy answers every CONNECT with a status; one of its listeners never says a
// word.
type proxy struct {
	t      *testing.T
	silent net.Listener
}

func newProxy(t *testing.T) *proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// Connections wait in the listener's queue, and are never taken out.
	t.Cleanup(func() { _ = listener.Close() })
	return &proxy{t: t, silent: listener}
}

// url is the address of a proxy that answers with the status; 0 is silence.
func (p *proxy) url(status int) string {
	if status == 0 {
		return "http://" + p.silent.Addr().String()
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
	})}
	go func() { _ = server.Serve(listener) }()
	p.t.Cleanup(func() { _ = server.Close() })
	return "http://" + listener.Addr().String()
}
