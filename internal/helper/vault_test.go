package helper

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

const vaultAnswer = `{"auth":{"client_token":"hvs.1","lease_duration":3600,"renewable":true}}`

func TestVault(t *testing.T) {
	src := &fakeSource{tokens: []*session.Token{live("T1")}}
	keep := &memoryKeeper{}
	settings := map[string]string{"vault_role": "dev", "vault_mount": "corp/jwt", "vault_token": "access"}
	target := &Target{Source: src, Profile: "work", Keep: keep, Setting: func(key string) string { return settings[key] }}
	w := newWorld(target, "")
	var asked []string
	ttl := "60"
	address := mappedServer(t, w, target, func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("X-Vault-Namespace")+" "+r.Header.Get("X-Vault-Token")+" "+string(body))
		if r.URL.Path == "/v1/auth/token/lookup-self" {
			_, _ = io.WriteString(rw, `{"data":{"ttl":`+ttl+`}}`)
			return
		}
		_, _ = io.WriteString(rw, vaultAnswer)
	})
	w.env.Getenv = func(name string) string {
		return map[string]string{"VAULT_ADDR": address + "/", "VAULT_NAMESPACE": "team"}[name]
	}
	at := now
	w.env.Now = func() time.Time { return at }
	call := func(verb, stdin string) string {
		t.Helper()
		w.out.Reset()
		w.env.Stdin = strings.NewReader(stdin)
		if err := Vault(t.Context(), w.env, []string{verb}, VaultOptions{}); err != nil || w.errs.Len() > 0 {
			t.Fatalf("%s: %v, stderr %q", verb, err, w.errs.String())
		}
		return w.out.String()
	}
	for range 2 {
		if got := call("get", ""); got != "hvs.1" {
			t.Errorf("get: %q", got)
		}
	}
	if want := `POST /v1/auth/corp/jwt/login team/  {"jwt":"T1","role":"dev"}`; len(asked) != 1 || asked[0] != want {
		t.Errorf("asked %q, want %q", asked, want)
	}
	if src.requests[0].Type != session.Access {
		t.Errorf("it takes the %s token", src.requests[0].Type)
	}
	if got := call("store", "hvs.own\n"); got != "" {
		t.Errorf("store says %q", got)
	}
	if got := call("get", ""); got != "hvs.own" {
		t.Errorf("after a login: %q", got)
	}
	at = at.Add(2 * time.Minute)
	if got := call("get", ""); got != "hvs.1" {
		t.Errorf("after its end: %q", got)
	}
	ttl = "0"
	call("store", "hvs.root")
	at = at.Add(10000 * time.Hour)
	if got := call("get", ""); got != "hvs.root" {
		t.Errorf("one without an end: %q", got)
	}
	call("erase", "")
	if len(keep.kept) != 0 {
		t.Errorf("after erase: %v", keep.kept)
	}
}

func TestVaultElsewhere(t *testing.T) {
	target := &Target{Source: &fakeSource{tokens: []*session.Token{live("T1")}}}
	for _, address := range []string{"", "https://vault.example.com", "unix:///run/vault.sock", "https://git.example.com@evil.example.com"} {
		for _, verb := range []string{"get", "erase", "store"} {
			w := newWorld(target, "hvs.1")
			w.env.Getenv = func(name string) string { return map[string]string{"VAULT_ADDR": address}[name] }
			if address == "" {
				w.env.Resolve = func(Server) (*Target, error) { return nil, nil }
			}
			err := Vault(t.Context(), w.env, []string{verb}, VaultOptions{})
			if (err != nil) != (verb == "store") || w.out.Len() > 0 {
				t.Errorf("%s for %q: %v, stdout %q", verb, address, err, w.out.String())
			}
		}
	}
	for _, args := range [][]string{nil, {"list"}, {"get", "x"}} {
		w := newWorld(target, "")
		w.env.Getenv = func(string) string { return "https://git.example.com" }
		if err := Vault(t.Context(), w.env, args, VaultOptions{}); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
	w := newWorld(target, "two words")
	w.env.Getenv = func(string) string { return "https://git.example.com" }
	if err := Vault(t.Context(), w.env, []string{"store"}, VaultOptions{}); err == nil {
		t.Error("something that is no token is stored")
	}
}

func TestReadVaultLogin(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   string
		down   bool
		token  bool
	}{
		{"good", 200, vaultAnswer, "", false, false},
		{"sealed", 503, `{"errors":["Vault is sealed"]}`, "HTTP 503", true, false},
		{"a portal", 200, "<html>", "HTTP 200", true, false},
		{"no token", 200, `{"auth":{}}`, "HTTP 200", true, false},
		{"a token with a line end", 200, `{"auth":{"client_token":"a\nb"}}`, "no header", true, false},
		{"a redirect", 307, "", "HTTP 307", true, false},
		{"no role", 400, `{"errors":["role \"x\" could not be found"]}`, `role "x" could not be found`, false, false},
		{"the token", 400, `{"errors":["error validating token: invalid audience (aud) claim"]}`, "invalid audience", false, true},
		{"denied", 403, `{"errors":["permission denied"]}`, "permission denied", false, false},
		{"a proxy", 403, `<html>`, "HTTP 403", true, false},
		{"not Vault", 404, `{"message":"not found"}`, "HTTP 404", true, false},
		{"a second factor", 200, `{"auth":{"mfa_requirement":{"mfa_request_id":"1"}}}`, "second factor", false, false},
		{"escapes", 400, `{"errors":["a\n\u001b[31mb"]}`, "a", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readVaultLogin(&answer{status: tt.status, body: []byte(tt.body)}, now)
			if tt.want == "" {
				if err != nil || string(got.Value) != `"hvs.1"` || !got.Expiry.Equal(now.Add(time.Hour)) {
					t.Errorf("%v, %v", got, err)
				}
				return
			}
			var down *serverDown
			var refused *tokenRefused
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.As(err, &down) != tt.down || errors.As(err, &refused) != tt.token || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("error %#v", err)
			}
		})
	}
	once, err := readVaultLogin(&answer{status: 200, body: []byte(`{"auth":{"client_token":"hvs.1","lease_duration":3600,"num_uses":1}}`)}, now)
	if err != nil || once.good(now, 0) {
		t.Errorf("a token for one use is kept: %v, %v", once, err)
	}
}

func FuzzVaultAnswer(f *testing.F) {
	f.Add(200, vaultAnswer)
	f.Add(400, `{"errors":["error validating token: x"]}`)
	f.Add(200, `{"data":{"ttl":-1}}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		a := &answer{status: status, body: []byte(body)}
		got, err := readVaultLogin(a, now)
		if (len(got.Value) == 0) == (err == nil) {
			t.Fatalf("%v and %v", got, err)
		}
		if err == nil && status != http.StatusOK {
			t.Errorf("HTTP %d gives %s", status, got.Value)
		}
		if err != nil {
			if text := line(err); strings.Count(text, "\n") != 1 || strings.ContainsAny(text, "\x1b\r\x00") {
				t.Errorf("error %q", text)
			}
		}
		if ttl, ok := readVaultTTL(a); ok && ttl < 0 {
			t.Errorf("a life of %s", ttl)
		}
	})
}
