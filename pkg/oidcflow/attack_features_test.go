package oidcflow_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// payload reads the claims of a JWT without a check.
func payload(t *testing.T, jwt string) map[string]any {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", jwt)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// A hostile provider names another's token endpoint as its own, to get a client
// assertion that the other one takes. The audience is the issuer of the profile
// alone, nothing of the document (RFC 7523 §3, RFC 9126 §2), and each assertion
// is short-lived and of its own.
func TestAttackAssertionAudience(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, c, _ := provider(t, oidctest.Options{Clients: []oidctest.Client{{ID: "oidc-cred", Key: key.Public()}}})
	c.AuthMethod = "private_key_jwt"
	c.ClientKey = func(context.Context) (*oidcflow.ClientKey, error) { return &oidcflow.ClientKey{Signer: key}, nil }
	p.Change(func(s *oidctest.Settings) {
		s.AssertionAudience, s.PushedRequests = "issuer", oidctest.Offered
		// The same server by another name stands for the other provider.
		s.Metadata = map[string]any{"token_endpoint": strings.Replace(p.URL(oidctest.TokenEndpoint), "127.0.0.1", "localhost", 1)}
	})
	md, err := c.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tokens, _, err := signIn(t, p, c, md)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Refresh(t.Context(), md, tokens.Refresh); err != nil {
		t.Fatal(err)
	}
	if err := c.Revoke(t.Context(), md, tokens.Access, ""); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range []oidctest.Endpoint{oidctest.PushedEndpoint, oidctest.TokenEndpoint, oidctest.RevocationEndpoint} {
		for _, r := range p.Requests(e) {
			claims := payload(t, r.Form.Get("client_assertion"))
			exp, _ := claims["exp"].(float64)
			jti, _ := claims["jti"].(string)
			if claims["aud"] != p.Issuer() || claims["iss"] != "oidc-cred" || claims["sub"] != "oidc-cred" ||
				time.Until(time.Unix(int64(exp), 0)) > 10*time.Minute || len(jti) < 20 || seen[jti] {
				t.Errorf("%s: %v", e, claims)
			}
			seen[jti] = true
		}
	}
	if len(seen) != 4 || p.Replays() != 0 {
		t.Errorf("%d assertions, %d replays", len(seen), p.Replays())
	}
}

// What is pushed is not in the browser's address, where an extension or a
// proxy could change or read it, and no other answer is a request_uri.
func TestAttackPushedRequest(t *testing.T) {
	p, c, md := provider(t, oidctest.Options{Settings: oidctest.Settings{PushedRequests: oidctest.Required}})
	var address string
	err := c.SignIn(t.Context(), md, oidcflow.SignInOptions{
		Timeout: 20 * time.Second,
		Open: func(ctx context.Context, shown string) error {
			address = shown
			// Whoever sits between can add what he likes.
			return oidctest.Browser(nil)(ctx, shown+"&scope=admin&redirect_uri=https://evil.example&code_challenge=x")
		},
		Complete: func(context.Context, *oidcflow.Tokens, string) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if q := u.Query(); len(q) != 2 || q.Get("client_id") == "" || q.Get("request_uri") == "" {
		t.Errorf("%v", q)
	}
	for _, uri := range []any{
		"javascript:alert(1)\r\nX: y", "urn:x\x1b[31m", "urn:\u202ex", strings.Repeat("u", 5000), "relative", "", nil, 5,
	} {
		body, err := json.Marshal(map[string]any{"request_uri": uri, "expires_in": 60})
		if err != nil {
			t.Fatal(err)
		}
		p.Set(oidctest.PushedEndpoint, oidctest.Answer(http.StatusCreated, "application/json", string(body)))
		err = c.SignIn(t.Context(), md, oidcflow.SignInOptions{
			Open: func(context.Context, string) error {
				t.Errorf("%q: the browser was opened", uri)
				return errors.New("no")
			},
			Complete: func(context.Context, *oidcflow.Tokens, string) error { return nil },
		})
		if err == nil || !harmless(err.Error()) {
			t.Errorf("%q: %v", uri, err)
		}
	}
}

// A stolen refresh or access token is of no use without the session's key, and
// a proof that was seen is of no use again, RFC 9449 §1.
func TestAttackStolenBoundToken(t *testing.T) {
	p, c, md := provider(t, oidctest.Options{Settings: oidctest.Settings{DPoP: oidctest.Required, DPoPNonce: true, NoRotation: true}})
	tokens, claims, err := signIn(t, p, c, md)
	if err != nil {
		t.Fatal(err)
	}
	if !tokens.Bound() || tokens.DPoPKey.IsZero() {
		t.Fatalf("%+v", tokens)
	}
	thief := clientOf(t, p)
	for _, mode := range []string{"never", "auto", "always"} {
		thief.DPoP = mode
		var refused *oauth2.RetrieveError
		if _, err := thief.Refresh(t.Context(), md, tokens.Refresh); !errors.As(err, &refused) {
			t.Errorf("%s: %v", mode, err)
		}
	}
	if _, err := thief.UserInfo(t.Context(), md, tokens.Access, claims.Subject); err == nil {
		t.Error("userinfo took the access token without a proof")
	}
	c.DPoPKey = tokens.DPoPKey
	for range 3 {
		p.RotateNonce()
		if _, err := c.Refresh(t.Context(), md, tokens.Refresh); err != nil {
			t.Errorf("the owner: %v", err)
		}
	}
	if p.Replays() != 0 {
		t.Errorf("%d proofs came twice", p.Replays())
	}
	// The proof names the address without its query, and the access token's
	// hash is not in one for the token endpoint.
	for _, r := range p.Requests(oidctest.TokenEndpoint) {
		if proof := r.Header.Get("DPoP"); proof != "" {
			if claims := payload(t, proof); claims["htu"] != p.URL(oidctest.TokenEndpoint) || claims["htm"] != "POST" || claims["ath"] != nil {
				t.Errorf("%v", claims)
			}
		}
	}
}

// Someone who takes the demand for a proof out of the answers gets tokens that
// are not bound, where all have to be.
func TestAttackDPoPDowngrade(t *testing.T) {
	p, c, md := provider(t, oidctest.Options{}) // it knows no DPoP, or says so
	c.DPoP = "always"
	if _, _, err := signIn(t, p, c, md); err == nil || !harmless(err.Error()) {
		t.Errorf("%v", err)
	}
}

// A provider that always wants another nonce does not keep us for ever.
func TestAttackEndlessNonces(t *testing.T) {
	p, c, md := provider(t, oidctest.Options{Settings: oidctest.Settings{DPoP: oidctest.Required}})
	tokens, _, err := signIn(t, p, c, md)
	if err != nil {
		t.Fatal(err)
	}
	p.ResetCounts()
	c.DPoPKey = tokens.DPoPKey
	p.Set(oidctest.TokenEndpoint, oidctest.OAuthError(400, "use_dpop_nonce", "another").Header("DPoP-Nonce", "n"))
	if _, err := c.Refresh(t.Context(), md, tokens.Refresh); err == nil || p.Count(oidctest.TokenEndpoint) > 3 {
		t.Errorf("%v after %d requests", err, p.Count(oidctest.TokenEndpoint))
	}
}

// The end of a session: the address that a program is started with has no ID
// token in it; it leads on once; and only the provider, which knows the state,
// can say that it is over.
func TestAttackEndSession(t *testing.T) {
	p, c, md := provider(t, oidctest.Options{})
	tokens, _, err := signIn(t, p, c, md)
	if err != nil {
		t.Fatal(err)
	}
	shown, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- c.EndSession(t.Context(), md, oidcflow.EndSessionOptions{
			IDToken: tokens.ID, Redirect: "http://127.0.0.1:0/out", Timeout: 20 * time.Second,
			Open: func(_ context.Context, address string) error { shown <- address; return nil },
		})
	}()
	var address string
	select {
	case address = <-shown:
	case err := <-done:
		t.Fatal(err)
	}
	start, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(address, tokens.ID.Reveal()) || !oidcflow.IsLoopback(start.Hostname()) || len(start.Path) < 43 {
		t.Errorf("%s", address)
	}
	back := *start
	back.Path = "/out"
	for name, request := range map[string]func() (*http.Response, string){
		"another host": func() (*http.Response, string) {
			return visit(t, http.MethodGet, address, nil, func(r *http.Request) { r.Host = "evil.example" })
		},
		"POST": func() (*http.Response, string) { return visit(t, http.MethodPost, address, nil, nil) },
		"another path": func() (*http.Response, string) {
			return visit(t, http.MethodGet, start.Scheme+"://"+start.Host+"/", nil, nil)
		},
		"back too early": func() (*http.Response, string) { return visit(t, http.MethodGet, back.String()+"?state=x", nil, nil) },
	} {
		if response, page := request(); response.StatusCode < 400 || response.Header.Get("Location") != "" || strings.Contains(page, tokens.ID.Reveal()) {
			t.Errorf("%s: HTTP %d", name, response.StatusCode)
		}
	}
	first, page := visit(t, http.MethodGet, address, nil, nil)
	target, err := first.Location()
	if err != nil || page != "" {
		t.Fatalf("HTTP %d, %v: %s", first.StatusCode, err, page)
	}
	if response, _ := visit(t, http.MethodGet, address, nil, nil); response.StatusCode < 400 {
		t.Errorf("the second use: HTTP %d", response.StatusCode)
	}
	for _, state := range []string{"", "state=x", "state=" + target.Query().Get("state")[:20]} {
		if response, _ := visit(t, http.MethodGet, back.String()+"?"+state, nil, nil); response.StatusCode < 400 {
			t.Errorf("back with %q: HTTP %d", state, response.StatusCode)
		}
	}
	select {
	case err := <-done:
		t.Fatalf("it ended: %v", err)
	default:
	}
	window := oidctest.NewWindow(nil)
	if err := window.Open(t.Context(), target.String()); err != nil {
		t.Fatal(err)
	}
	if page, err := window.Page(t.Context()); err != nil || page.Status != http.StatusOK {
		t.Errorf("%+v, %v", page, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if ends := p.EndSessions(); len(ends) != 1 || ends[0].State != target.Query().Get("state") {
		t.Errorf("%+v", ends)
	}
}

// The device grant: a code for another device has no way back to us but the
// token endpoint, and an interval that would hammer it is not taken.
func TestAttackDeviceGrant(t *testing.T) {
	p, c, md := provider(t, oidctest.Options{Settings: oidctest.Settings{DeviceInterval: 1, DeviceApproveAfter: 4}})
	for _, answer := range []map[string]any{
		{"interval": -5}, {"interval": 0}, {"interval": "x"}, {"interval": 1e300}, {"expires_in": 1e300}, {"expires_in": -1},
	} {
		p.Change(func(s *oidctest.Settings) { s.DeviceResponse = answer })
		var waits []time.Duration
		var expiry time.Time
		_, err := c.DeviceSignIn(t.Context(), md, oidcflow.DeviceOptions{
			Prompt: func(d oidcflow.DevicePrompt) error { expiry = d.Expiry; return nil },
			Wait:   func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil },
		})
		if err != nil {
			t.Errorf("%v: %v", answer, err)
		}
		for _, w := range waits {
			if w < time.Second || w > time.Minute {
				t.Errorf("%v: waits %v", answer, w)
			}
		}
		if life := time.Until(expiry); life <= 0 || life > time.Hour {
			t.Errorf("%v: lives %v", answer, life)
		}
	}
}
