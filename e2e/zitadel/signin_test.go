package zitadel

import (
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

func code(t *testing.T) {
	s := start(t, options{})
	c := harness.NewCLI(t)
	visitor := harness.NewVisitor(t, s.user(nil))
	c.Set("BROWSER", visitor.Program)
	r := c.OK(t, "login", "--issuer", s.Issuer, "--client-id", nativeID)
	if page := visitor.Page(t); !strings.Contains(strings.ToLower(page.Body), "signed in") {
		t.Errorf("last page:\n%.400s", page.Body)
	}
	if !strings.Contains(r.Stderr, alice) {
		t.Errorf("login does not say who signed in: %q", r.Stderr)
	}
	token, _ := c.Token(t)
	if token.Subject != alice || token.Expired || !s.knows(t, token.Token) {
		t.Errorf("subject %q, expired %t", token.Subject, token.Expired)
	}
	id, _ := c.Token(t, "--type", "id")
	if strings.Count(id.Token, ".") != 2 {
		t.Error("the ID token is no JWT")
	}
}

func pkce(t *testing.T) {
	s, _ := signedIn(t, nativeID, "")
	asked, exchanged := s.last(t, "/auth", ""), s.last(t, "/oauth/token", "authorization_code")
	sum := sha256.Sum256([]byte(exchanged.form.Get("code_verifier")))
	if asked.form.Get("code_challenge_method") != "S256" || asked.form.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) {
		t.Error("the verifier is not that of the challenge")
	}

	// Someone else who has the code can't use it.
	c := harness.NewCLI(t)
	c.Config(t, profile(s, nativeID, ""))
	run := c.Start(t, "login", "--no-browser")
	page := elsewhere(t, s, run.Address(t, s.Issuer+"/auth?"))
	redirect := *page.URL
	redirect.RawQuery = ""
	status := s.post(t, "/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {nativeID}, "redirect_uri": {redirect.String()},
		"code": {page.URL.Query().Get("code")}, "code_verifier": {strings.Repeat("x", 43)},
	})
	if status != http.StatusBadRequest {
		t.Errorf("a wrong verifier: status %d", status)
	}
}

func browser(t *testing.T) {
	s := start(t, options{})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, nativeID, ""))
	b := harness.NewBrowser(t, harness.BrowserOptions{User: alice, Password: password, Screenshot: "zitadel.png"})
	c.Set("BROWSER", b.Program)
	c.OK(t, "login", "--timeout-sign-in", "45s")
	page := b.Report(t)
	if !strings.Contains(strings.ToLower(page.Heading+page.Title), "signed in") || strings.Contains(page.URL, "code=") {
		t.Errorf("last page %q: title %q, heading %q", page.URL, page.Title, page.Heading)
	}
	c.OK(t, "token")
}

// elsewhere signs alice in on a machine that does not reach this one. The
// page's address is the redirect with the code.
func elsewhere(t *testing.T, s *server, address string) *harness.Page {
	t.Helper()
	page, err := harness.NewWeb(nil).Elsewhere(s.Issuer).Get(address)
	if err == nil {
		page, err = page.Submit(url.Values{"username": {alice}, "password": {password}})
	}
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func paste(t *testing.T) {
	s := start(t, options{})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, nativeID, ""))
	run := c.Start(t, "login", "--no-browser")
	page := elsewhere(t, s, run.Address(t, s.Issuer+"/auth?"))
	if _, err := run.Stdin.Write([]byte(page.URL.String() + "\n")); err != nil {
		t.Fatal(err)
	}
	if r := run.Wait(t); r.Code != 0 {
		t.Fatalf("exit %d: %s", r.Code, r.Stderr)
	}
	c.OK(t, "token")
}

func device(t *testing.T) {
	s := start(t, options{})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, nativeID, ""))
	run := c.Start(t, "login", "--device")
	run.Address(t, s.Issuer+"/device")
	var code string
	harness.Eventually(t, 10*time.Second, "a user code", func() bool {
		code = regexp.MustCompile(`\b[A-Z]{4}-[A-Z]{4}\b`).FindString(run.Stderr())
		return code != ""
	})
	page, err := harness.NewWeb(nil).Get(s.Issuer + "/device")
	if err == nil {
		page, err = page.Submit(url.Values{"user_code": {code}})
	}
	if err != nil {
		t.Fatal(err)
	}
	allow(t, s, run, page)
	token, _ := c.Token(t)
	if token.Subject != alice || !s.knows(t, token.Token) {
		t.Errorf("subject %q", token.Subject)
	}
}

func deviceCompleteURI(t *testing.T) {
	s := start(t, options{})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, nativeID, ""))
	run := c.Start(t, "login", "--device")
	page, err := harness.NewWeb(nil).Get(run.Address(t, s.Issuer+"/device?user_code="))
	if err != nil {
		t.Fatal(err)
	}
	allow(t, s, run, page)
	c.OK(t, "token")
}

// allow signs in on the device page and allows the device.
func allow(t *testing.T, s *server, run *harness.Running, page *harness.Page) {
	t.Helper()
	page, err := page.Submit(url.Values{"username": {alice}, "password": {password}})
	if err == nil {
		page, err = page.Follow(s.Issuer + "/device/confirm?action=allowed") // the button's script
	}
	if err != nil || !strings.Contains(page.Body, "authorization allowed") {
		t.Fatalf("%v: %+v", err, page)
	}
	if r := run.Wait(t); r.Code != 0 {
		t.Fatalf("exit %d: %s", r.Code, r.Stderr)
	}
}

func formPost(t *testing.T) {
	s, c := signedIn(t, nativeID, "    auth_params: {response_mode: form_post}\n")
	if mode := s.last(t, "/auth", "").form.Get("response_mode"); mode != "form_post" {
		t.Errorf("response_mode %q", mode)
	}
	c.OK(t, "token")
}

func maxAge(t *testing.T) {
	s, c := signedIn(t, nativeID, "    auth_params: {max_age: \"3600\"}\n")
	if age := s.last(t, "/auth", "").form.Get("max_age"); age != "3600" {
		t.Errorf("max_age %q", age)
	}
	id, _ := c.Token(t, "--type", "id")
	if _, ok := harness.Claims(t, id.Token)["auth_time"]; !ok {
		t.Error("no auth_time")
	}
}

func prompt(t *testing.T) {
	s, c := signedIn(t, nativeID, "    auth_params: {prompt: login}\n")
	if got := s.last(t, "/auth", "").form.Get("prompt"); got != "login" {
		t.Errorf("prompt %q", got)
	}
	c.Config(t, profile(s, nativeID, "    auth_params: {prompt: none}\n"))
	visitor := harness.NewVisitor(t, s.user(nil))
	c.Set("BROWSER", visitor.Program)
	r := c.Run(t, "login")
	if r.Code == 0 || !strings.Contains(r.Stderr, "login_required") {
		t.Errorf("prompt=none: exit %d, %q", r.Code, r.Stderr)
	}
}

func userinfo(t *testing.T) {
	s, c := signedIn(t, nativeID, "")
	if len(s.asked("/userinfo")) == 0 {
		t.Error("the userinfo endpoint was not asked")
	}
	// This provider has the name there alone, not in the ID token.
	id, _ := c.Token(t, "--type", "id")
	if _, ok := harness.Claims(t, id.Token)["email"]; ok {
		t.Error("the ID token has the email address too")
	}
	if status := c.Status(t); status.Username == "" {
		t.Errorf("no user name: %+v", status)
	}
}

func opaqueAccessToken(t *testing.T) {
	for client, jwt := range map[string]bool{nativeID: false, jwtID: true} {
		s, c := signedIn(t, client, "")
		token, _ := c.Token(t)
		if (strings.Count(token.Token, ".") == 2) != jwt || !s.knows(t, token.Token) {
			t.Errorf("%s: JWT %t", client, !jwt)
		}
	}
}

func ipv6(t *testing.T) {
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "[::1]:0")
	if err != nil {
		testenv.Need(t, "IPv6", err.Error())
	}
	listener.Close()
	s := start(t, options{host: "::1"})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, nativeID, "    redirect: http://[::1]:0/callback\n"))
	signIn(t, c, s)
	c.OK(t, "token", "--force-refresh")
}

func tlsCAFile(t *testing.T) {
	cert := harness.NewCertificate(t)
	s := start(t, options{cert: cert})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, nativeID, ""))
	if r := c.Run(t, "login"); r.Code == 0 || !strings.Contains(r.Stderr, "certificate") {
		t.Errorf("without the authority: exit %d, %q", r.Code, r.Stderr)
	}
	c.Config(t, profile(s, nativeID, "    ca_file: "+cert.CAFile+"\n"))
	visitor := harness.NewVisitor(t, s.user(cert.Transport(t)))
	c.Set("BROWSER", visitor.Program)
	c.OK(t, "login")
	visitor.Page(t)
	c.OK(t, "token", "--force-refresh")
}
