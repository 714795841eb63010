package oidctest_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// get reads the whole answer of an endpoint.
func get(ctx context.Context, p *oidctest.Provider, e oidctest.Endpoint) (*http.Response, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL(e), nil)
	if err != nil {
		return nil, "", err
	}
	client := p.HTTPClient()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return response, string(body), err
}

// isError is [errors.Is], but for Windows, which has numbers of its own for
// these errors.
func isError(err, want error) bool {
	return errors.Is(err, want) || runtime.GOOS == "windows" && err != nil
}

func TestAnswers(t *testing.T) {
	p := start(t, oidctest.Options{})
	tests := []struct {
		name   string
		fault  oidctest.Fault
		status int
		header string // "Name: value"
		body   string // contained
	}{
		{"503", oidctest.Status(503).RetryAfter("7"), 503, "Retry-After: 7", "Service Unavailable"},
		{"OAuth error", oidctest.OAuthError(400, "invalid_grant", "gone"), 400, "Content-Type: application/json", `"error":"invalid_grant"`},
		{"portal", oidctest.HTML(200), 200, "Content-Type: text/html; charset=utf-8", "guest network"},
		{"redirect", oidctest.Redirect("http://portal.example/"), 302, "Location: http://portal.example/", ""},
		{"proxy", oidctest.HTML(407), 407, `Proxy-Authenticate: Basic realm="proxy"`, ""},
		{"511", oidctest.HTML(511), 511, "", ""},
		{"{}", oidctest.EmptyObject(), 200, "", "{}"},
		{"204", oidctest.NoContent(), 204, "", ""},
		{"empty", oidctest.Empty(), 200, "Content-Length: 0", ""},
		{"truncated", oidctest.Truncated(), 200, "", `{"access_token"`},
		{"late", oidctest.Status(500).Delay(time.Millisecond), 500, "", ""},
		{"late but good", oidctest.Latency(time.Millisecond), 200, "", `"keys"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p.Set(oidctest.KeysEndpoint, tt.fault)
			response, body, err := get(t.Context(), p, oidctest.KeysEndpoint)
			if err != nil {
				t.Fatal(err)
			}
			name, value, _ := strings.Cut(tt.header, ": ")
			if response.StatusCode != tt.status || response.Header.Get(name) != value || !strings.Contains(body, tt.body) {
				t.Errorf("HTTP %d, %v, %s", response.StatusCode, response.Header, body)
			}
		})
	}
	p.Set(oidctest.KeysEndpoint, oidctest.Truncated())
	if _, body, _ := get(t.Context(), p, oidctest.KeysEndpoint); json.Valid([]byte(body)) {
		t.Error("truncated JSON is valid")
	}
	p.Set(oidctest.KeysEndpoint, oidctest.Oversized(2<<20))
	if _, body, _ := get(t.Context(), p, oidctest.KeysEndpoint); !json.Valid([]byte(body)) || len(body) != 2<<20 {
		t.Errorf("oversized: %d bytes", len(body))
	}
	p.Clear(oidctest.KeysEndpoint)
	if response, _, err := get(t.Context(), p, oidctest.KeysEndpoint); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("after Clear: %v", err)
	}
}

func TestBrokenConnections(t *testing.T) {
	for _, mode := range []oidctest.TLSMode{oidctest.TLSOff, oidctest.TLSValid} {
		p := start(t, oidctest.Options{TLS: mode})
		for name, tt := range map[string]struct {
			fault oidctest.Fault
			want  error
		}{
			"reset":          {oidctest.Reset(), syscall.ECONNRESET},
			"reset mid-body": {oidctest.ResetMidBody(), syscall.ECONNRESET},
			"cut off":        {oidctest.CutOff(), io.ErrUnexpectedEOF},
		} {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				p.Set(oidctest.DiscoveryEndpoint, tt.fault)
				_, _, err := get(t.Context(), p, oidctest.DiscoveryEndpoint)
				if !isError(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			})
		}
		p.Clear()
		if _, _, err := get(t.Context(), p, oidctest.DiscoveryEndpoint); err != nil {
			t.Error(err)
		}
	}
}

func TestSequence(t *testing.T) {
	p := start(t, oidctest.Options{})
	p.Set(oidctest.AnyEndpoint, oidctest.Status(502))
	p.Set(oidctest.KeysEndpoint, oidctest.Status(500).Times(2), oidctest.Status(429).Times(1))
	var got []int
	for range 4 {
		response, _, err := get(t.Context(), p, oidctest.KeysEndpoint)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, response.StatusCode)
	}
	if want := "[500 500 429 502]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPerformed(t *testing.T) {
	p := start(t, oidctest.Options{})
	first := signIn(t, p)
	p.Set(oidctest.TokenEndpoint, oidctest.Status(503))
	if status, _, _ := post(p, oidctest.TokenEndpoint, refreshForm(first["refresh_token"])); status != 503 || !p.Active(fmt.Sprint(first["refresh_token"])) {
		t.Error("a fault must not spend the refresh token")
	}
	p.Set(oidctest.TokenEndpoint, oidctest.CutOff().Performed())
	if _, _, err := post(p, oidctest.TokenEndpoint, refreshForm(first["refresh_token"])); err == nil || p.Active(fmt.Sprint(first["refresh_token"])) {
		t.Error("Performed must spend the refresh token and lose the answer")
	}
}

func TestHold(t *testing.T) {
	for name, tt := range map[string]struct{ hold, release func(*oidctest.Provider) }{
		"one endpoint": {
			func(p *oidctest.Provider) { p.Set(oidctest.KeysEndpoint, oidctest.Hold()) },
			func(p *oidctest.Provider) { p.Clear() },
		},
		"black hole": {(*oidctest.Provider).BlackHole, (*oidctest.Provider).Release},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, oidctest.Options{TLS: oidctest.TLSValid})
			tt.hold(p)
			short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, _, err := get(short, p, oidctest.KeysEndpoint); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want a time-out", err)
			}
			answered := make(chan error, 1)
			go func() {
				_, body, err := get(t.Context(), p, oidctest.KeysEndpoint)
				if err == nil && !strings.Contains(body, "keys") {
					err = errors.New(body)
				}
				answered <- err
			}()
			if name == "one endpoint" {
				if err := p.Await(t.Context(), oidctest.KeysEndpoint, 2); err != nil {
					t.Fatal(err)
				}
			}
			tt.release(p)
			if err := <-answered; err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("closed", func(t *testing.T) {
		p := start(t, oidctest.Options{})
		p.Set(oidctest.KeysEndpoint, oidctest.Stall())
		answered := make(chan error, 1)
		go func() {
			_, _, err := get(t.Context(), p, oidctest.KeysEndpoint)
			answered <- err
		}()
		if err := p.Await(t.Context(), oidctest.AnyEndpoint, 1); err != nil {
			t.Fatal(err)
		}
		p.Close()
		if err := <-answered; err == nil {
			t.Error("a stalled answer was complete")
		}
	})
}

func TestDownAndUp(t *testing.T) {
	p := start(t, oidctest.Options{})
	first := signIn(t, p)
	for range 3 {
		p.Down()
		p.Down()
		if _, _, err := get(t.Context(), p, oidctest.KeysEndpoint); !isError(err, syscall.ECONNREFUSED) {
			t.Errorf("down: got %v", err)
		}
		p.Up()
		p.Up()
	}
	if status, answer := mustPost(t, p, oidctest.TokenEndpoint, refreshForm(first["refresh_token"])); status != http.StatusOK {
		t.Errorf("the session is gone: %v", answer)
	}
	p.Close()
	p.Close()
	p.Up()
}

func TestTLS(t *testing.T) {
	p := start(t, oidctest.Options{TLS: oidctest.TLSValid})
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM(p.CA()) || !strings.HasPrefix(p.Issuer(), "https://") {
		t.Error("no CA")
	}
	for _, tt := range []struct {
		mode oidctest.TLSMode
		bad  bool
	}{{oidctest.TLSValid, false}, {oidctest.TLSWrongHost, true}, {oidctest.TLSExpired, true}, {oidctest.TLSUnknownCA, true}, {oidctest.TLSValid, false}} {
		p.SetTLS(tt.mode)
		_, _, err := get(t.Context(), p, oidctest.KeysEndpoint)
		if (err != nil) != tt.bad {
			t.Errorf("%s: %v", tt.mode, err)
		}
	}
}

func TestKeys(t *testing.T) {
	p := start(t, oidctest.Options{Algorithm: "ES256"})
	kids := func() string {
		_, body, err := get(t.Context(), p, oidctest.KeysEndpoint)
		if err != nil {
			t.Fatal(err)
		}
		var set struct {
			Keys []struct{ Kid string }
		}
		if err := json.Unmarshal([]byte(body), &set); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(set.Keys)
	}
	p.RotateKeys(true)
	if got := kids(); got != "[{key-2} {key-1}]" {
		t.Errorf("kept: %s", got)
	}
	p.RotateKeys(false)
	if got := kids(); got != "[{key-3}]" {
		t.Errorf("dropped: %s", got)
	}
}

func TestControl(t *testing.T) {
	p := start(t, oidctest.Options{Control: true, Settings: oidctest.Settings{Subject: "ada"}})
	control := func(body string) (int, string) {
		response, err := p.HTTPClient().Post(p.Issuer()+"/_control", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
	status, body := control(`{"set":{"keys":[{"kind":"answer","status":418,"times":1}]},"settings":{"lifetime":60000000000,"id_token_claims":{"aud":"x"}},"rotate_keys":"keep"}`)
	if status != http.StatusOK || !strings.Contains(body, `"counts"`) {
		t.Errorf("HTTP %d, %s", status, body)
	}
	if s := p.Settings(); s.Lifetime != time.Minute || s.Subject != "ada" || s.IDTokenClaims["aud"] != "x" {
		t.Errorf("settings: %+v", s)
	}
	if response, _, err := get(t.Context(), p, oidctest.KeysEndpoint); err != nil || response.StatusCode != http.StatusTeapot {
		t.Errorf("the fault is not there: %v", err)
	}
	control(`{"set":{"*":[{"kind":"answer","status":418}]}}`)
	control(`{"clear":["*"],"reset_counts":true,"revoke_all":true}`)
	if response, _, err := get(t.Context(), p, oidctest.KeysEndpoint); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("the fault is still there: %v", err)
	}
	if got := p.Report(); got.Counts[oidctest.KeysEndpoint] != 1 {
		t.Errorf("report: %+v", got)
	}
	if status, _ := control(`{"settings":{"lifetime":"x"}}`); status != http.StatusBadRequest {
		t.Errorf("a wrong setting: HTTP %d", status)
	}
	control(`{"down_for":1000000}`)

	closed := start(t, oidctest.Options{})
	response, err := closed.HTTPClient().PostForm(closed.Issuer()+"/_control", url.Values{})
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Error("the control API is open without Options.Control")
	}
}

func TestConsent(t *testing.T) {
	p := start(t, oidctest.Options{Settings: oidctest.Settings{Consent: true}})
	for decision, want := range map[string]string{"approve": "code", "deny": "error"} {
		client := p.HTTPClient()
		response, err := client.Get(p.URL(oidctest.AuthorizeEndpoint) + "?" + request().Encode())
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(body), `name="request" value="`)
		id, _, ok := strings.Cut(rest, `"`)
		if !ok {
			t.Fatalf("no consent page: %s", body)
		}
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		response, err = client.PostForm(p.Issuer()+"/decision", url.Values{"request": {id}, "decision": {decision}})
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		target, err := response.Location()
		if err != nil || !target.Query().Has(want) || target.Query().Get("state") != "s1" {
			t.Errorf("%s: redirected to %v, %v", decision, target, err)
		}
	}
}
