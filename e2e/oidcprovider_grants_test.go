package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// RFC 6749 4.4. Nobody signs in: the first `token` gets one, and those after it
// print the same until it expires.
func testClientCredentials(t *testing.T, w *world) {
	c := w.client(t, "plain", "robot", "grant: client_credentials", "client_secret_env: WORK_SECRET", "scopes: [read, write]")
	c.Set("WORK_SECRET", harness.ConfidentialSecret)
	mark := w.mark(t)
	first, r := c.Token(t)
	if r.Stderr != "" || !slices.Equal(first.Scopes, []string{"read", "write"}) {
		t.Errorf("token %s, stderr %q", redacted(first), r.Stderr)
	}
	if again, _ := c.Token(t); again.Token != first.Token {
		t.Error("a second token")
	}
	calls := w.since(t, mark, "token")
	if len(calls) != 1 || calls[0].Params["grant_type"] != "client_credentials" || calls[0].Auth != "client_secret_basic" {
		t.Errorf("token endpoint: %+v", calls)
	}
	fresh, _ := c.Token(t, "--force-refresh")
	if about := w.introspect(t, fresh); fresh.Token == first.Token || !about.Active || about.Client != "robot" {
		t.Errorf("introspection %+v", about)
	}
	if status := c.Status(t); status.State != "online" || status.HasRefreshToken {
		t.Errorf("status %+v", status)
	}
	c.OK(t, "logout")
	if w.introspect(t, fresh).Active {
		t.Error("the access token still works")
	}

	t.Run("outage", func(t *testing.T) {
		c := w.client(t, "plain", "robot", "grant: client_credentials", "client_secret_env: WORK_SECRET", "offline: {enabled: true, retry: {initial: 1s, max: 1s}}")
		c.Set("WORK_SECRET", harness.ConfidentialSecret)
		w.TTL(t, "access", 2*time.Second)
		defer w.TTL(t, "access", 5*time.Minute)
		token, _ := c.Token(t)
		w.Down(t)
		waitPast(t, token)
		stale, _ := c.Token(t)
		w.Up(t)
		if stale.Token != token.Token || !stale.Expired || !stale.Offline {
			t.Errorf("token %s", redacted(stale))
		}
		if fresh, _ := c.Token(t, "--force-refresh"); fresh.Token == token.Token || fresh.Offline {
			t.Errorf("back: token %s", redacted(fresh))
		}
	})
	t.Run("resource", func(t *testing.T) {
		c := w.client(t, "plain", "robot", "grant: client_credentials", "client_secret_env: WORK_SECRET", "scopes: [read]", "resources: ["+api+"]")
		c.Set("WORK_SECRET", harness.ConfidentialSecret)
		token, _ := c.Token(t)
		if got := harness.Claims(t, token.Token); got["aud"] != api {
			t.Errorf("claims %v", got)
		}
	})
	t.Run("key", func(t *testing.T) {
		c := w.client(t, "plain", "key-es256", "grant: client_credentials", "client_key_file: "+w.keys.ES256, "dpop: always")
		token, _ := c.Token(t)
		if about := w.introspect(t, token); about.Client != "key-es256" || about.Bound.Key == "" {
			t.Errorf("introspection %+v", about)
		}
	})
}

// RFC 7523 2.1, as in a job of a build service: its token is in the environment.
func testJWTBearer(t *testing.T, w *world) {
	c := w.client(t, "plain", "job", "grant: jwt-bearer", "subject_token_env: JOB_TOKEN", "scopes: [openid, profile]")
	c.Set("JOB_TOKEN", w.ci.Token(t, "job-1", w.Issuer))
	mark := w.mark(t)
	token, r := c.Token(t)
	if about := w.introspect(t, token); !about.Active || about.Subject != "job-1" || r.Stderr != "" {
		t.Errorf("introspection %+v, stderr %q", about, r.Stderr)
	}
	if call := w.last(t, mark, "token"); call.Params["grant_type"] != "urn:ietf:params:oauth:grant-type:jwt-bearer" || !slices.Contains(call.Sent, "assertion") {
		t.Errorf("token endpoint: %+v", call)
	}
	// Renewing takes the job's token again.
	fresh, _ := c.Token(t, "--force-refresh")
	if fresh.Token == token.Token {
		t.Error("the same token")
	}
	// Somebody else's is refused.
	c.Set("JOB_TOKEN", harness.NewTokenSource(t).Token(t, "job-1", w.Issuer))
	c.Fails(t, 3, "token", "--force-refresh")
}

// RFC 8693, with a projected token file, and an ID token for the answer.
func testTokenExchange(t *testing.T, w *world) {
	file := filepath.Join(t.TempDir(), "token")
	subject := func(name string) {
		if err := os.WriteFile(file, []byte(w.ci.Token(t, name, w.Issuer)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	subject("pod-1")
	settings := []string{"grant: token-exchange", "client_secret_env: WORK_SECRET", "subject_token_file: " + file, "scopes: [read]", "resources: [" + api + "]"}
	c := w.client(t, "plain", "robot", settings...)
	c.Set("WORK_SECRET", harness.ConfidentialSecret)
	mark := w.mark(t)
	token, r := c.Token(t)
	if got := harness.Claims(t, token.Token); got["aud"] != api || got["sub"] != "pod-1" || r.Stderr != "" {
		t.Errorf("claims %v, stderr %q", got, r.Stderr)
	}
	if call := w.last(t, mark, "token"); call.Params["subject_token_type"] != "urn:ietf:params:oauth:token-type:jwt" {
		t.Errorf("token endpoint: %+v", call)
	}
	// The file is read each time: its content changes under the program.
	subject("pod-2")
	fresh, _ := c.Token(t, "--force-refresh")
	if got := harness.Claims(t, fresh.Token); got["sub"] != "pod-2" {
		t.Errorf("claims %v", got)
	}

	t.Run("id-token", func(t *testing.T) {
		c := w.client(t, "plain", "robot", "grant: token-exchange", "client_secret_env: WORK_SECRET", "subject_token_file: "+file, "requested_token_type: id_token")
		c.Set("WORK_SECRET", harness.ConfidentialSecret)
		if got := idClaims(t, c); got["sub"] != "pod-2" || got["aud"] != "robot" {
			t.Errorf("claims %v", got)
		}
	})
	t.Run("github", func(t *testing.T) {
		github := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer of-the-job" {
				http.Error(rw, "no", http.StatusUnauthorized)
				return
			}
			_ = json.NewEncoder(rw).Encode(map[string]string{"value": w.ci.Token(t, "repo:o/r:ref:refs/heads/main", r.URL.Query().Get("audience"))})
		}))
		defer github.Close()
		c := w.client(t, "plain", "job", "grant: token-exchange", "subject_token_github: true", "scopes: [read]", "resources: ["+api+"]")
		c.Set("ACTIONS_ID_TOKEN_REQUEST_URL", github.URL+"/token?api-version=2.0")
		c.Set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "of-the-job")
		token, _ := c.Token(t)
		if got := harness.Claims(t, token.Token); got["sub"] != "repo:o/r:ref:refs/heads/main" {
			t.Errorf("claims %v", got)
		}
	})
	t.Run("of-a-person", func(t *testing.T) {
		person := w.client(t, "plain", harness.ClientID)
		quickly(t, person)
		c := w.client(t, "plain", "robot", "grant: token-exchange", "client_secret_env: WORK_SECRET",
			"subject_token_command: OIDC_CRED_HOME="+person.Home+" oidc-cred token", "subject_token_type: access_token", "scopes: [openid]")
		c.Set("WORK_SECRET", harness.ConfidentialSecret)
		token, _ := c.Token(t)
		if about := w.introspect(t, token); about.Subject != "alice" || about.Client != "robot" {
			t.Errorf("introspection %+v", about)
		}
	})
}
