package oidctest_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

func TestMutualTLS(t *testing.T) {
	selfCert, selfKey := oidctest.SelfSignedCertificate("self", time.Now())
	p := start(t, oidctest.Options{
		TLS: oidctest.TLSValid, MutualTLS: oidctest.MutualTLSAliases,
		Settings: oidctest.Settings{CertificateBound: true},
		Clients:  []oidctest.Client{{ID: "robot", CertificateSubject: "robot"}, {ID: "self", Certificate: selfCert}},
	})
	_, metadata := mustGet(t, p, oidctest.DiscoveryEndpoint)
	aliases, _ := metadata["mtls_endpoint_aliases"].(map[string]any)
	alias, _ := aliases["token_endpoint"].(string)
	ask := func(address, client string, certPEM, keyPEM []byte) int {
		c := p.HTTPClient()
		if certPEM != nil {
			pair, err := tls.X509KeyPair(certPEM, keyPEM)
			if err != nil {
				t.Fatal(err)
			}
			c.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{pair}
		}
		response, err := c.PostForm(address, url.Values{"grant_type": {"client_credentials"}, "client_id": {client}})
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	cert, key := p.ClientCertificate("robot")
	otherCert, otherKey := p.ClientCertificate("mallory")
	oldCert, oldKey := p.ClientCertificateUntil("robot", time.Now().Add(-time.Hour))
	if got := ask(alias, "robot", cert, key); got != 200 {
		t.Errorf("%d", got)
	}
	if got := ask(alias, "self", selfCert, selfKey); got != 200 {
		t.Errorf("self-signed: %d", got)
	}
	for name, got := range map[string]int{
		"the port that does not ask": ask(p.URL(oidctest.TokenEndpoint), "robot", cert, key),
		"no certificate":             ask(alias, "robot", nil, nil),
		"another's":                  ask(alias, "robot", otherCert, otherKey),
		"expired":                    ask(alias, "robot", oldCert, oldKey),
		"self-signed for robot":      ask(alias, "robot", selfCert, selfKey),
		"the other way":              ask(alias, "self", cert, key),
	} {
		if got != 401 {
			t.Errorf("%s: %d", name, got)
		}
	}
	p.Down()
	p.Up()
	if got := ask(alias, "robot", cert, key); got != 200 {
		t.Errorf("after Down and Up: %d", got)
	}
}

func mustGet(t *testing.T, p *oidctest.Provider, e oidctest.Endpoint) (int, map[string]any) {
	t.Helper()
	status, _, answer := send(t, p, e, nil, nil)
	return status, answer
}

func TestFormPost(t *testing.T) {
	p := start(t, oidctest.Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan *http.Request, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		_, _ = io.WriteString(w, "done")
		got <- r
	})}
	go func() { _ = server.Serve(l) }()
	defer func() { _ = server.Close() }()
	window := oidctest.NewWindow(nil)
	q := request("redirect_uri", "http://"+l.Addr().String()+"/cb", "response_mode", "form_post", "state", `a"<b>&`)
	if err := window.Open(t.Context(), p.URL(oidctest.AuthorizeEndpoint)+"?"+q.Encode()); err != nil {
		t.Fatal(err)
	}
	page, err := window.Page(t.Context())
	if err != nil || page.Body != "done" {
		t.Fatalf("%v, %v", page, err)
	}
	r := <-got
	if r.Method != http.MethodPost || r.URL.RawQuery != "" || r.PostForm.Get("state") != `a"<b>&` || r.PostForm.Get("code") == "" ||
		r.Header.Get("Origin") != p.Issuer() {
		t.Errorf("%s %v %v", r.Method, r.PostForm, r.Header)
	}
}

func TestGrantsWithoutAPerson(t *testing.T) {
	p := start(t, oidctest.Options{Clients: []oidctest.Client{{ID: "robot", Secret: "s"}, {ID: "job"}}})
	const jwt = "urn:ietf:params:oauth:token-type:jwt"
	bearer := func(token string) url.Values {
		return url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {token}, "client_id": {"job"}, "scope": {"api"}}
	}
	exchange := func(token, kind, wanted string) url.Values {
		return url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {token},
			"subject_token_type": {kind}, "requested_token_type": {wanted}, "client_id": {"job"}, "resource": {"https://api.example", "https://b.example"},
		}
	}
	stranger := oidctest.NewSubjectIssuer("https://other.example")
	impostor := oidctest.NewSubjectIssuer("https://ci.example.com")
	for _, tc := range []struct {
		name   string
		form   url.Values
		status int
	}{
		{"credentials", url.Values{"grant_type": {"client_credentials"}, "client_id": {"robot"}, "client_secret": {"s"}}, 200},
		{"public client", url.Values{"grant_type": {"client_credentials"}, "client_id": {"job"}}, 400},
		{"jwt-bearer", bearer(p.SubjectToken(nil)), 200},
		{"expired", bearer(p.SubjectToken(map[string]any{"exp": time.Now().Add(-time.Second).Unix()})), 400},
		{"not yet", bearer(p.SubjectToken(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()})), 400},
		{"for someone else", bearer(p.SubjectToken(map[string]any{"aud": "https://other.example"})), 400},
		{"stranger", bearer(stranger.Token(time.Now(), p.Issuer(), nil)), 400},
		{"impostor", bearer(impostor.Token(time.Now(), p.Issuer(), nil)), 400},
		{"exchange", exchange(p.SubjectToken(nil), jwt, ""), 200},
		{"type", exchange(p.SubjectToken(nil), "saml", ""), 400},
		{"ID token", exchange(p.SubjectToken(nil), jwt, "urn:ietf:params:oauth:token-type:id_token"), 200},
	} {
		status, answer := mustPost(t, p, oidctest.TokenEndpoint, tc.form)
		if status != tc.status || answer["refresh_token"] != nil {
			t.Errorf("%s: %d, %v", tc.name, status, answer)
		}
		if tc.name == "ID token" && (answer["token_type"] != "N_A" || answer["issued_token_type"] != "urn:ietf:params:oauth:token-type:id_token") {
			t.Errorf("%v", answer)
		}
	}
	p.Trust(stranger)
	if status, answer := mustPost(t, p, oidctest.TokenEndpoint, bearer(stranger.Token(time.Now(), p.Issuer(), nil))); status != 200 {
		t.Errorf("%d, %v", status, answer)
	}
}

func TestRefreshChanges(t *testing.T) {
	p := start(t, oidctest.Options{Settings: oidctest.Settings{
		RefreshLifetime: time.Hour, RefreshExpiry: "refresh_expires_in", RefreshScopes: []string{"openid"},
		SignedInAgo: time.Hour, ACR: "low", ACRValues: []string{"high"},
	}})
	for _, tc := range []struct {
		request url.Values
		acr     string
		age     time.Duration
	}{
		{request(), "low", time.Hour}, {request("max_age", "7200"), "low", time.Hour}, {request("max_age", "60"), "low", 0},
		{request("prompt", "login"), "low", 0}, {request("acr_values", "top high"), "high", time.Hour},
		{request("claims", `{"id_token":{"acr":{"essential":true,"values":["high"]}}}`), "high", time.Hour},
	} {
		_, answer := mustPost(t, p, oidctest.TokenEndpoint, codeForm(authorize(t, p, tc.request).Get("code")))
		_, body := claims(t, answer["id_token"])
		old := time.Since(time.Unix(int64(body["auth_time"].(float64)), 0))
		if body["acr"] != tc.acr || (old-tc.age).Abs() > 5*time.Second {
			t.Errorf("%v: %v, %v", tc.request, body["acr"], old)
		}
		if answer["refresh_expires_in"] != float64(3600) {
			t.Errorf("%v", answer)
		}
		_, answer = mustPost(t, p, oidctest.TokenEndpoint, refreshForm(answer["refresh_token"]))
		if answer["scope"] != "openid" {
			t.Errorf("%v", answer)
		}
	}
}

func TestEndSession(t *testing.T) {
	p := start(t, oidctest.Options{Settings: oidctest.Settings{EndSessionRevokes: true}})
	tokens := signIn(t, p)
	client := p.HTTPClient()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	q := url.Values{
		"id_token_hint": {tokens["id_token"].(string)}, "post_logout_redirect_uri": {"http://127.0.0.1:1/out"},
		"state": {"s9"}, "client_id": {"oidc-cred"},
	}
	response, err := client.Get(p.URL(oidctest.EndSessionEndpoint) + "?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	ends := p.EndSessions()
	if response.Header.Get("Location") != "http://127.0.0.1:1/out?state=s9" || len(ends) != 1 || ends[0].Subject != "user-1" || ends[0].State != "s9" {
		t.Errorf("%v, %+v", response.Header, ends)
	}
	if p.Active(tokens["refresh_token"].(string)) {
		t.Error("the session goes on")
	}
}

func TestRefusals(t *testing.T) {
	p := start(t, oidctest.Options{Clients: []oidctest.Client{{ID: "oidc-cred", NoDevice: true}}})
	if status, answer := mustPost(t, p, oidctest.DeviceEndpoint, url.Values{"client_id": {"oidc-cred"}}); status != 400 || answer["error"] != "unauthorized_client" {
		t.Errorf("%d, %v", status, answer)
	}
	p.Change(func(s *oidctest.Settings) { s.CaptivePortal = true })
	for _, e := range []oidctest.Endpoint{oidctest.DiscoveryEndpoint, oidctest.AuthorizeEndpoint} {
		page := visit(t.Context(), t, p.URL(e))
		if !strings.Contains(page.Body, "guest network") || page.URL.Host == p.Addr() {
			t.Errorf("%+v", page)
		}
	}
	p.Change(func(s *oidctest.Settings) { s.CaptivePortal = false })
	if status, _ := mustGet(t, p, oidctest.DiscoveryEndpoint); status != 200 {
		t.Errorf("%d", status)
	}
}

func visit(ctx context.Context, t *testing.T, address string) oidctest.Page {
	t.Helper()
	window := oidctest.NewWindow(nil)
	if err := window.Open(ctx, address); err != nil {
		t.Fatal(err)
	}
	page, err := window.Page(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return page
}
