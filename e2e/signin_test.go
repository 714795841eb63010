package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// profile is a config file for the provider. It asks for consent, without
// which this provider gives no refresh token (OpenID Connect Core 11).
func profile(p *harness.Provider, more string) string {
	return `default_profile: work
profiles:
  work:
    issuer: ` + p.Issuer + `
    client_id: ` + harness.ClientID + `
    auth_params: {prompt: consent}
` + more
}

const offlineEnabled = "    offline: {enabled: true, retry: {initial: 1s, max: 1s}}\n"

// signIn signs in through the browser and returns what the person saw.
func signIn(t *testing.T, c *harness.CLI, o harness.BrowserOptions, args ...string) (harness.BrowserReport, harness.Result) {
	t.Helper()
	browser := harness.NewBrowser(t, o)
	c.Set("BROWSER", browser.Program)
	r := c.OK(t, append([]string{"login", "--timeout-sign-in", "45s"}, args...)...)
	return browser.Report(t), r
}

func TestSignInSavesTheProfile(t *testing.T) {
	p := harness.StartProvider(t, harness.ProviderOptions{})
	c := harness.NewCLI(t)

	page, r := signIn(t, c, harness.BrowserOptions{Screenshot: "signed-in.png"}, "--issuer", p.Issuer, "--client-id", harness.ClientID)
	if !strings.Contains(r.Stderr, "alice") {
		t.Errorf("login does not say who signed in: %q", r.Stderr)
	}
	if r.Stdout != "" {
		t.Errorf("login printed %q on standard output", r.Stdout)
	}
	if len(page.Pages) != 3 || !strings.HasPrefix(page.Pages[2], "program /") {
		t.Errorf("pages %q", page.Pages)
	}
	if strings.Contains(page.URL, "code=") {
		t.Errorf("the code stays in the address bar and the history: %s", page.URL)
	}
	if !strings.Contains(strings.ToLower(page.Heading+page.Title), "signed in") {
		t.Errorf("last page: title %q, heading %q", page.Title, page.Heading)
	}

	// Neither flags nor network from here on.
	before := p.Log(t).Requests
	raw := c.OK(t, "token")
	token, _ := c.Token(t)
	if raw.Stdout != token.Token+"\n" || raw.Stderr != "" {
		t.Errorf("token printed %d bytes and %q", len(raw.Stdout), raw.Stderr)
	}
	if token.Subject != "alice" || token.Issuer != p.Issuer || token.TokenType != "access" || token.Expired || token.Offline || token.ExpiresAt == nil {
		t.Errorf("token %+v", redacted(token))
	}
	id, _ := c.Token(t, "--type", "id")
	if strings.Count(id.Token, ".") != 2 || id.TokenType != "id" {
		t.Errorf("the ID token is no JWT")
	}
	status := c.Status(t)
	if status.State != "online" || status.Subject != "alice" || status.Store != "file" || status.LastSync == nil || status.Offline != nil {
		t.Errorf("status %+v", status)
	}
	if after := p.Log(t).Requests; after["POST /token"] != before["POST /token"] {
		t.Errorf("printing a live token went to the provider")
	}

	noSecretsInClear(t, c.Home, token.Token, id.Token)
}

// The default store where there is a Secret Service: the key is in the keyring,
// and a locked keyring is an error of its own, not a sign-out.
func TestSecretService(t *testing.T) {
	keyring := testenv.SecretService(t)
	p := harness.StartProvider(t, harness.ProviderOptions{})
	c := harness.NewCLI(t)
	c.Set("OIDC_CRED_STORE", "auto")
	c.Set("DBUS_SESSION_BUS_ADDRESS", keyring.Address)
	c.Set("XDG_RUNTIME_DIR", keyring.RuntimeDir)
	c.Config(t, profile(p, ""))
	signIn(t, c, harness.BrowserOptions{})
	token, r := c.Token(t)
	if r.Stderr != "" {
		t.Errorf("stderr %q", r.Stderr)
	}
	if store := c.Status(t).Store; store != "secret-service" {
		t.Errorf("store %s", store)
	}

	keyring.Lock(t)
	if r := c.Fails(t, 5, "token"); !strings.Contains(r.Stderr, "lock") {
		t.Errorf("a locked keyring: %q", r.Stderr)
	}
	if state := c.Status(t).State; state != "online" {
		t.Errorf("state %s with a locked keyring", state)
	}
	keyring.Quit(t)
	if r := c.Fails(t, 5, "token"); r.Took > 10*time.Second {
		t.Errorf("without a keyring it took %s", r.Took)
	}
	noSecretsInClear(t, c.Home, token.Token)
}

func TestSignInDenied(t *testing.T) {
	p := harness.StartProvider(t, harness.ProviderOptions{})
	c := harness.NewCLI(t)
	c.Config(t, profile(p, ""))
	browser := harness.NewBrowser(t, harness.BrowserOptions{Action: "deny", Screenshot: "denied.png"})
	c.Set("BROWSER", browser.Program)

	r := c.Run(t, "login")
	if r.Code == 0 || r.Stdout != "" || !strings.Contains(r.Stderr, "oidc-cred: error: ") {
		t.Errorf("exit %d, stdout %q, stderr %q", r.Code, r.Stdout, r.Stderr)
	}
	page := browser.Report(t)
	if text := strings.ToLower(page.Title + page.Text); strings.Contains(text, "signed in") || strings.Contains(text, "success") {
		t.Errorf("the browser shows success: %q %q", page.Title, page.Text)
	}
	c.Fails(t, 3, "token")
}

// --no-browser: the address is opened on another machine, and the address of the
// page that can't be loaded there is pasted.
func TestSignInPasted(t *testing.T) {
	p := harness.StartProvider(t, harness.ProviderOptions{})
	c := harness.NewCLI(t)
	c.Config(t, profile(p, ""))
	elsewhere := harness.NewBrowser(t, harness.BrowserOptions{Action: "elsewhere"})

	run := c.Start(t, "login", "--no-browser")
	address := run.Address(t, p.Issuer+"/auth?")
	page := elsewhere.Open(t, address, "")
	for _, line := range []string{"not an address", page.URL} {
		if _, err := io.WriteString(run.Stdin, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	r := run.Wait(t)
	if r.Code != 0 {
		t.Fatalf("exit %d: %s", r.Code, r.Stderr)
	}
	code, err := url.Parse(page.URL)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.Stderr, code.Query().Get("code")) {
		t.Error("the code is repeated on standard error")
	}
	c.OK(t, "token")
}

func TestRefreshRotates(t *testing.T) {
	p := harness.StartProvider(t, harness.ProviderOptions{AccessTTL: 4 * time.Second, IDTTL: 4 * time.Second})
	c := harness.NewCLI(t)
	c.Config(t, profile(p, ""))
	signIn(t, c, harness.BrowserOptions{})
	first, _ := c.Token(t)

	second, r := c.Token(t, "--force-refresh")
	if second.Token == first.Token || r.Stderr != "" {
		t.Errorf("--force-refresh: same token %t, stderr %q", second.Token == first.Token, r.Stderr)
	}
	log := p.Log(t)
	if log.Count("consumed", "refresh_token") != 1 || log.Count("revoked", "grant") != 0 {
		t.Errorf("events %+v", log.Events)
	}

	// An expired token is refreshed on the way, without a word.
	waitPast(t, second)
	third, r := c.Token(t)
	if third.Token == second.Token || third.Expired || r.Stderr != "" {
		t.Errorf("after expiry: same %t, expired %t, stderr %q", third.Token == second.Token, third.Expired, r.Stderr)
	}
}

// Many commands at once after the expiry spend one refresh token: a second use
// would make the provider revoke the whole family.
func TestRefreshInParallel(t *testing.T) {
	p := harness.StartProvider(t, harness.ProviderOptions{AccessTTL: 6 * time.Second})
	c := harness.NewCLI(t)
	c.Config(t, profile(p, ""))
	signIn(t, c, harness.BrowserOptions{})
	first, _ := c.Token(t)
	p.TTL(t, "access", 5*time.Minute)
	waitPast(t, first)

	var runs []*harness.Running
	for range 12 {
		runs = append(runs, c.Start(t, "token"))
	}
	tokens := map[string]int{}
	for _, run := range runs {
		r := run.Wait(t)
		if r.Code != 0 {
			t.Errorf("exit %d: %s", r.Code, r.Stderr)
		}
		tokens[r.Stdout]++
	}
	log := p.Log(t)
	if len(tokens) != 1 || log.Count("consumed", "refresh_token") != 1 || log.Count("revoked", "grant") != 0 {
		t.Errorf("%d different tokens, %d refresh tokens spent, %d grants revoked", len(tokens), log.Count("consumed", "refresh_token"), log.Count("revoked", "grant"))
	}
}

func TestProviderDown(t *testing.T) {
	t.Run("offline mode off", func(t *testing.T) {
		p := harness.StartProvider(t, harness.ProviderOptions{AccessTTL: 3 * time.Second})
		c := harness.NewCLI(t)
		c.Config(t, profile(p, ""))
		signIn(t, c, harness.BrowserOptions{})
		token, _ := c.Token(t)
		p.Down(t)
		waitPast(t, token)
		r := c.Fails(t, 4, "token")
		if !strings.Contains(r.Stderr, "oidc-cred: error: ") || !strings.Contains(r.Stderr, "oidc-cred: hint: ") {
			t.Errorf("stderr %q", r.Stderr)
		}
		if c.Status(t).State == "sign_in_required" {
			t.Error("an outage ended the session")
		}
		p.Up(t)
		c.OK(t, "token", "--force-refresh")
	})

	t.Run("offline mode on", func(t *testing.T) {
		p := harness.StartProvider(t, harness.ProviderOptions{AccessTTL: 3 * time.Second})
		c := harness.NewCLI(t)
		c.Config(t, profile(p, offlineEnabled))
		signIn(t, c, harness.BrowserOptions{})
		token, _ := c.Token(t)
		p.Down(t)
		waitPast(t, token)

		stale, r := c.Token(t)
		if stale.Token != token.Token || !stale.Expired || !stale.Offline || stale.OfflineReason == nil || *stale.OfflineReason != "network_unavailable" {
			t.Errorf("token %+v", redacted(stale))
		}
		if len(stale.Warnings) == 0 || stale.Warnings[0].Type != "using_expired_token" {
			t.Errorf("warnings %+v", stale.Warnings)
		}
		if !strings.HasPrefix(r.Stderr, "oidc-cred: warning: using_expired_token: ") {
			t.Errorf("stderr %q", r.Stderr)
		}
		c.Fails(t, 4, "token", "--no-offline")
		status := c.Status(t)
		if status.State != "offline" || status.Offline == nil || status.Offline.Reason != "network_unavailable" || status.Offline.ConsecutiveFailures < 1 {
			t.Errorf("status %+v offline %+v", status, status.Offline)
		}

		p.Up(t)
		fresh, r := c.Token(t, "--force-refresh")
		if fresh.Token == token.Token || fresh.Offline || fresh.Expired || strings.Contains(r.Stderr, "using_expired_token") {
			t.Errorf("back: token %+v, stderr %q", redacted(fresh), r.Stderr)
		}
		if state := c.Status(t).State; state != "online" {
			t.Errorf("state %s", state)
		}
	})

	t.Run("the token endpoint fails", func(t *testing.T) {
		p := harness.StartProvider(t, harness.ProviderOptions{AccessTTL: 3 * time.Second})
		c := harness.NewCLI(t)
		c.Config(t, profile(p, offlineEnabled))
		signIn(t, c, harness.BrowserOptions{})
		token, _ := c.Token(t)
		p.Fail(t, "token", http.StatusServiceUnavailable)
		waitPast(t, token)
		stale, _ := c.Token(t)
		if stale.OfflineReason == nil || *stale.OfflineReason != "server_unavailable" {
			t.Errorf("token %+v", redacted(stale))
		}
		p.Fail(t, "token", 0)
		c.OK(t, "token", "--force-refresh")
	})
}

// A stolen refresh token that is used makes the provider revoke the family,
// RFC 9700 4.14. The next refresh ends the session, and says so.
func TestStolenRefreshToken(t *testing.T) {
	p := harness.StartProvider(t, harness.ProviderOptions{})
	c := harness.NewCLI(t)
	c.Config(t, profile(p, offlineEnabled))
	signIn(t, c, harness.BrowserOptions{})

	// The thief has a copy of the whole state, uses its refresh token, and the
	// owner's later use of the same one is the reuse that the provider sees.
	thief := harness.NewCLI(t)
	if err := os.CopyFS(thief.Home, os.DirFS(c.Home)); err != nil {
		t.Fatal(err)
	}
	thief.OK(t, "token", "--force-refresh")

	r := c.Fails(t, 3, "token", "--force-refresh")
	if !strings.Contains(r.Stderr, "oidc-cred login") {
		t.Errorf("no hint to sign in: %q", r.Stderr)
	}
	if p.Log(t).Count("revoked", "grant") != 1 {
		t.Errorf("events %+v", p.Log(t).Events)
	}
	c.Fails(t, 3, "token")
	if status := c.Status(t); status.State != "sign_in_required" || status.SignedOut == nil || status.SignedOut.Reason != "rejected" {
		t.Errorf("status %+v", status)
	}
	thief.Fails(t, 3, "token", "--force-refresh")

	// The profile is still there: signing in again needs no flags.
	signIn(t, c, harness.BrowserOptions{})
	c.OK(t, "token")
}

func TestLogout(t *testing.T) {
	p := harness.StartProvider(t, harness.ProviderOptions{})
	c := harness.NewCLI(t)
	c.Config(t, profile(p, ""))
	signIn(t, c, harness.BrowserOptions{})
	token, _ := c.Token(t)
	if got := userinfo(t, p, token.Token); got != http.StatusOK {
		t.Fatalf("userinfo before: %d", got)
	}

	c.OK(t, "logout")
	if got := userinfo(t, p, token.Token); got != http.StatusUnauthorized {
		t.Errorf("the access token still works at the provider: %d", got)
	}
	log := p.Log(t)
	if log.Requests["POST /token/revocation"] == 0 || log.Count("destroyed", "refresh_token")+log.Count("revoked", "grant") == 0 {
		t.Errorf("nothing was revoked: %+v", log)
	}
	c.Fails(t, 3, "token")

	// Signed out all the same when the provider is gone.
	signIn(t, c, harness.BrowserOptions{})
	p.Down(t)
	c.OK(t, "logout")
	c.Fails(t, 3, "token")
}

// --browser ends the session at the provider as well, OpenID Connect
// RP-Initiated Logout 1.0.
func TestLogoutInTheBrowser(t *testing.T) {
	p := harness.StartProvider(t, harness.ProviderOptions{})
	c := harness.NewCLI(t)
	c.Config(t, profile(p, ""))
	signIn(t, c, harness.BrowserOptions{})
	browser := harness.NewBrowser(t, harness.BrowserOptions{Action: "logout", Screenshot: "signed-out.png"})
	c.Set("BROWSER", browser.Program)
	c.OK(t, "logout", "--browser")
	if page := browser.Report(t); !strings.Contains(page.Title, "Sign-out") {
		t.Errorf("the browser ended at %q, title %q", page.URL, page.Title)
	}
	if log := p.Log(t); log.Requests["GET /session/end"] == 0 {
		t.Errorf("requests %v", log.Requests)
	}
	c.Fails(t, 3, "token")
}

func TestDeviceSignIn(t *testing.T) {
	p := harness.StartProvider(t, harness.ProviderOptions{})
	c := harness.NewCLI(t)
	c.Config(t, profile(p, ""))
	elsewhere := harness.NewBrowser(t, harness.BrowserOptions{Action: "device", Screenshot: "device.png"})

	run := c.Start(t, "login", "--device")
	elsewhere.Open(t, run.Address(t, p.Issuer+"/device?user_code="), "")
	if r := run.Wait(t); r.Code != 0 {
		t.Fatalf("exit %d: %s", r.Code, r.Stderr)
	}
	c.OK(t, "token")
}

func TestConfidentialClient(t *testing.T) {
	p := harness.StartProvider(t, harness.ProviderOptions{})
	c := harness.NewCLI(t, "WORK_SECRET="+harness.ConfidentialSecret)
	c.Config(t, strings.Replace(profile(p, "    client_secret_env: WORK_SECRET\n"), "client_id: "+harness.ClientID, "client_id: "+harness.ConfidentialID, 1))
	signIn(t, c, harness.BrowserOptions{})
	c.OK(t, "token", "--force-refresh")
	c.OK(t, "logout")
}

// The issuer has a certificate of an authority that only the profile trusts.
func TestPrivateAuthority(t *testing.T) {
	cert := harness.NewCertificate(t)
	p := harness.StartProvider(t, harness.ProviderOptions{Cert: cert})
	c := harness.NewCLI(t)
	c.Config(t, profile(p, ""))
	r := c.Run(t, "login")
	if r.Code == 0 || !strings.Contains(r.Stderr, "certificate") {
		t.Errorf("exit %d, stderr %q", r.Code, r.Stderr)
	}
	c.Config(t, profile(p, "    ca_file: "+cert.CAFile+"\n"))
	signIn(t, c, harness.BrowserOptions{TrustAny: true})
	c.OK(t, "token", "--force-refresh")
}

func waitPast(t *testing.T, token harness.Token) {
	t.Helper()
	if token.ExpiresAt == nil {
		t.Fatal("the token has no expiry")
	}
	time.Sleep(time.Until(token.ExpiresAt.Add(1100 * time.Millisecond)))
}

func userinfo(t *testing.T, p *harness.Provider, token string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.Issuer+"/me", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// redacted is the token without the secret, for messages.
func redacted(token harness.Token) string {
	token.Token = "…"
	text, err := json.Marshal(token)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// noSecretsInClear looks for tokens in everything that the program wrote.
func noSecretsInClear(t *testing.T, dir string, secrets ...string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, secret := range secrets {
			if strings.Contains(string(data), secret) {
				t.Errorf("%s holds a token in clear", path)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
