package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2/google/externalaccount"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

const gcpAudience = "//iam.googleapis.com/locations/global/workforcePools/pool/providers/corp"

// newGoogleSTS is Google's token endpoint: an exchange by RFC 8693.
func newGoogleSTS(t *testing.T, p *harness.Provider, asked *atomic.Int32) *httptest.Server {
	t.Helper()
	provider, err := oidc.NewProvider(t.Context(), p.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: harness.ClientID})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/v1/introspect" {
			_ = json.NewEncoder(w).Encode(map[string]any{"active": r.Form.Get("token") == "ya29.federated", "username": "principal://iam.googleapis.com/pool/subject/alice"})
			return
		}
		asked.Add(1)
		if _, err := verifier.Verify(r.Context(), r.Form.Get("subject_token")); err != nil || !strings.HasPrefix(r.Form.Get("audience"), "//iam.googleapis.com/") {
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant"})
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"access_token": "ya29.federated", "issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "token_type": "Bearer", "expires_in": 3600,
		})
	}))
	t.Cleanup(s.Close)
	return s
}

// googleToken gets a token as Google's Go library does from a credential
// configuration.
func googleToken(t *testing.T, c *harness.CLI, file string) (string, error) {
	t.Helper()
	for _, entry := range c.Env {
		name, value, _ := strings.Cut(entry, "=")
		t.Setenv(name, value)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var in struct {
		Audience         string                            `json:"audience"`
		SubjectTokenType string                            `json:"subject_token_type"`
		TokenURL         string                            `json:"token_url"`
		UserProject      string                            `json:"workforce_pool_user_project"`
		Source           *externalaccount.CredentialSource `json:"credential_source"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		t.Fatal(err)
	}
	source, err := externalaccount.NewTokenSource(t.Context(), externalaccount.Config{
		Audience: in.Audience, SubjectTokenType: in.SubjectTokenType, TokenURL: in.TokenURL, CredentialSource: in.Source,
		WorkforcePoolUserProject: in.UserProject, Scopes: []string{"https://www.googleapis.com/auth/cloud-platform"},
	})
	if err != nil {
		t.Fatal(err)
	}
	token, err := source.Token()
	if err != nil {
		return "", err
	}
	return token.AccessToken, nil
}

func TestGCP(t *testing.T) {
	var asked atomic.Int32
	p := harness.StartProvider(t, harness.ProviderOptions{})
	sts := newGoogleSTS(t, p, &asked)
	c := harness.NewCLI(t, "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1")
	c.Config(t, profile(p, ""))
	signIn(t, c, harness.BrowserOptions{})
	file := filepath.Join(t.TempDir(), "google.json")
	c.OK(t, "setup", "gcp", gcpAudience, "--user-project", "billed", "--token-url", sts.URL+"/v1/token", "--out", file)

	if token, err := googleToken(t, c, file); err != nil || token != "ya29.federated" {
		t.Fatalf("google: %q, %v", token, err)
	}
	t.Run("outage", func(t *testing.T) {
		p.Down(t)
		defer p.Up(t)
		// The token is still good.
		if token, err := googleToken(t, c, file); err != nil || token != "ya29.federated" {
			t.Errorf("google: %q, %v", token, err)
		}
	})
	c.OK(t, "logout", "--no-revoke")
	before := asked.Load()
	_, err := googleToken(t, c, file)
	if err == nil || !strings.Contains(err.Error(), "(SIGN_IN_REQUIRED) profile work is not signed in") {
		t.Errorf("google: %v", err)
	}
	if asked.Load() != before {
		t.Error("the STS was asked without a token")
	}
	c.OK(t, "setup", "gcp", "--remove", "--out", file)
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

// TestGcloud runs Google's own command where there is one. No registry that
// tests may install from has it, so its absence is no failure.
func TestGcloud(t *testing.T) {
	gcloud, err := exec.LookPath("gcloud")
	if err != nil {
		t.Skip("SKIPPED, this machine has no gcloud")
	}
	var asked atomic.Int32
	p := harness.StartProvider(t, harness.ProviderOptions{})
	sts := newGoogleSTS(t, p, &asked)
	c := harness.NewCLI(t, "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1", "CLOUDSDK_CORE_DISABLE_PROMPTS=1", "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING=1")
	c.Config(t, profile(p, ""))
	signIn(t, c, harness.BrowserOptions{})
	file := filepath.Join(t.TempDir(), "google.json")
	c.OK(t, "setup", "gcp", "//iam.googleapis.com/projects/123456/locations/global/workloadIdentityPools/pool/providers/corp", "--token-url", sts.URL+"/v1/token", "--out", file)
	if r := c.Program(t, harness.Input{}, gcloud, "auth", "login", "--cred-file="+file); r.Code != 0 {
		t.Fatalf("gcloud auth login: exit %d\n%s", r.Code, r.Stderr)
	}
	if r := c.Program(t, harness.Input{}, gcloud, "auth", "print-access-token"); r.Code != 0 || strings.TrimSpace(r.Stdout) != "ya29.federated" {
		t.Errorf("gcloud auth print-access-token: exit %d, %q\n%s", r.Code, r.Stdout, r.Stderr)
	}
}
