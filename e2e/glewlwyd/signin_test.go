package glewlwyd

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// knows asks the provider whether it takes an access token.
func (s *server) knows(t *testing.T, access string) bool {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Issuer+"/userinfo", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+access)
	client := &http.Client{Transport: s.http, Timeout: 10 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func code(t *testing.T) {
	s, redirect := start(t, options{})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, publicID, redirect, ""))
	page := s.signIn(t, c)
	if !strings.Contains(strings.ToLower(page.Body), "signed in") {
		t.Errorf("last page:\n%.400s", page.Body)
	}
	token, _ := c.Token(t)
	if token.Subject == "" || token.Expired || !s.knows(t, token.Token) {
		t.Errorf("subject %q, expired %t", token.Subject, token.Expired)
	}
	id, _ := c.Token(t, "--type", "id")
	if harness.Claims(t, id.Token)["sub"] != token.Subject {
		t.Errorf("subject %q", token.Subject)
	}
}

// elsewhere signs alice in on a machine that does not reach this one.
func elsewhere(t *testing.T, s *server, address string) *url.URL {
	t.Helper()
	p := s.person(t)
	p.web.Elsewhere(s.URL)
	page, err := p.open(address)
	if err != nil {
		t.Fatal(err)
	}
	return page.URL
}

// The provider demands a challenge, and refuses a wrong verifier.
func pkce(t *testing.T) {
	s, redirect := start(t, options{plugin: object{"pkce-required": true}})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, publicID, redirect, ""))
	s.signIn(t, c)

	run := c.Start(t, "login", "--no-browser")
	address := run.Address(t, s.Issuer+"/auth?")
	back := elsewhere(t, s, address)
	status, answer := s.post(t, "/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {publicID}, "redirect_uri": {redirect},
		"code": {back.Query().Get("code")}, "code_verifier": {strings.Repeat("x", 43)},
	})
	if status == http.StatusOK || back.Query().Get("code") == "" {
		t.Errorf("a wrong verifier: status %d, %s", status, answer)
	}
	without, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query := without.Query()
	query.Del("code_challenge")
	query.Del("code_challenge_method")
	without.RawQuery = query.Encode()
	if back := elsewhere(t, s, without.String()); back.Query().Get("code") != "" {
		t.Error("the provider gives a code without a challenge")
	}
}

// browser: the provider's login page is a script that a real browser runs.
func browser(t *testing.T) {
	s, redirect := start(t, options{})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, publicID, redirect, ""))
	b := harness.NewBrowser(t, harness.BrowserOptions{Script: "glewlwyd.mjs", User: alice, Password: password, Screenshot: "glewlwyd.png"})
	c.Set("BROWSER", b.Program)
	c.OK(t, "login", "--timeout-sign-in", "45s")
	page := b.Report(t)
	if !strings.Contains(strings.ToLower(page.Heading+page.Title), "signed in") || strings.Contains(page.URL, "code=") {
		t.Errorf("last page %q: title %q, heading %q", page.URL, page.Title, page.Heading)
	}
	c.OK(t, "token")
}

func paste(t *testing.T) {
	s, redirect := start(t, options{})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, publicID, redirect, ""))
	run := c.Start(t, "login", "--no-browser")
	back := elsewhere(t, s, run.Address(t, s.Issuer+"/auth?"))
	if _, err := run.Stdin.Write([]byte(back.String() + "\n")); err != nil {
		t.Fatal(err)
	}
	if r := run.Wait(t); r.Code != 0 {
		t.Fatalf("exit %d: %s", r.Code, r.Stderr)
	}
	c.OK(t, "token")
}

func device(t *testing.T) {
	s, redirect := start(t, options{})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, publicID, redirect, ""))
	run := c.Start(t, "login", "--device")
	var code string
	harness.Eventually(t, 10*time.Second, "a user code", func() bool {
		code = regexp.MustCompile(`\b[A-Z0-9]{4}-[A-Z0-9]{4}\b`).FindString(run.Stderr())
		return code != ""
	})
	// The page with the field goes on to this address.
	s.allow(t, run, s.Issuer+"/device?code="+code)
	token, _ := c.Token(t)
	if !s.knows(t, token.Token) {
		t.Error("the token does not work")
	}
}

func deviceCompleteURI(t *testing.T) {
	s, redirect := start(t, options{})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, publicID, redirect, ""))
	run := c.Start(t, "login", "--device")
	s.allow(t, run, run.Address(t, s.Issuer+"/device?code="))
	c.OK(t, "token")
}

// allow signs in on another machine and allows the device.
func (s *server) allow(t *testing.T, run *harness.Running, address string) {
	t.Helper()
	page, err := s.person(t).open(address)
	if err != nil || page.Status != http.StatusOK {
		t.Fatalf("%v: %+v", err, page)
	}
	if r := run.Wait(t); r.Code != 0 {
		t.Fatalf("exit %d: %s\nlast page %s", r.Code, r.Stderr, page.URL)
	}
}

// iss: this provider sends RFC 9207's parameter without announcing it.
func iss(t *testing.T) {
	s, redirect := start(t, options{plugin: object{"oauth-as-iss-id": true}})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, publicID, redirect, ""))
	run := c.Start(t, "login", "--no-browser")
	back := elsewhere(t, s, run.Address(t, s.Issuer+"/auth?"))
	query := back.Query()
	if query.Get("iss") != s.Issuer {
		t.Errorf("iss %q", query.Get("iss"))
	}
	// Another issuer's answer is not taken, the right one then is.
	query.Set("iss", "https://other.example.test")
	back.RawQuery = query.Encode()
	if _, err := run.Stdin.Write([]byte(back.String() + "\n")); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, 10*time.Second, "a refusal", func() bool { return strings.Contains(run.Stderr(), "issuer") })
	c.Fails(t, 3, "token")
}

// formPost: with RFC 9207 this provider would write the issuer encoded as for a
// URL into the form, and the program would rightly refuse it.
func formPost(t *testing.T) {
	_, c := signedIn(t, options{plugin: object{"oauth-as-iss-id": false}}, publicID, "    auth_params: {response_mode: form_post}\n")
	c.OK(t, "token")
}

var pushed = object{"oauth-par-allowed": true, "oauth-par-duration": 90, "oauth-par-request_uri-prefix": "urn:ietf:params:oauth:request_uri:"}

func parOffered(t *testing.T) {
	for mode, pushes := range map[string]int{"auto": 1, "never": 0} {
		s, c := signedIn(t, options{plugin: pushed}, publicID, "    pushed_authorization_requests: "+mode+"\n")
		asked := s.last(t, "/auth", "").form
		if len(s.asked("/par", "")) != pushes || asked.Has("request_uri") != (pushes == 1) || asked.Has("scope") != (pushes == 0) {
			t.Errorf("%s: %d pushed, then %v", mode, len(s.asked("/par", "")), asked)
		}
		c.OK(t, "token")
	}
}

func parRequired(t *testing.T) {
	required := maps.Clone(pushed)
	required["oauth-par-required"] = true
	s, c := signedIn(t, options{plugin: required}, publicID, "")
	if asked := s.last(t, "/auth", "").form; !asked.Has("request_uri") || asked.Has("scope") {
		t.Errorf("asked %v", asked)
	}
	token, _ := c.Token(t)
	if !s.knows(t, token.Token) {
		t.Error("the token does not work")
	}
	// Without it the program does not even ask.
	c.Config(t, profile(s, publicID, s.last(t, "/par", "").form.Get("redirect_uri"), "    pushed_authorization_requests: never\n"))
	if r := c.Fails(t, 2, "login", "--no-browser"); !strings.Contains(r.Stderr, "pushed_authorization_requests") {
		t.Errorf("stderr %q", r.Stderr)
	}
}

func resourceJWT(t *testing.T) {
	_, c := signedIn(t, options{}, publicID, "    resources: ["+resource+"]\n")
	for _, args := range [][]string{nil, {"--force-refresh"}} {
		token, _ := c.Token(t, args...)
		if aud := harness.Claims(t, token.Token)["aud"]; aud != resource {
			t.Errorf("%v: audience %v", args, aud)
		}
	}
}

func claimsParameter(t *testing.T) {
	const wish = `'{"id_token":{"email":null},"userinfo":{"name":null}}'`
	without := object{"name-claim-scope": []string{}, "email-claim-scope": []string{}}
	_, c := signedIn(t, options{plugin: without}, publicID, "    auth_params: {claims: "+wish+"}\n")
	id, _ := c.Token(t, "--type", "id")
	if harness.Claims(t, id.Token)["email"] != "alice@example.test" {
		t.Errorf("claims %v", harness.Claims(t, id.Token))
	}
	_, c = signedIn(t, options{plugin: without}, publicID, "")
	id, _ = c.Token(t, "--type", "id")
	if harness.Claims(t, id.Token)["email"] != nil {
		t.Error("the address comes without being asked for")
	}
}

// prompt: with none the provider shows no page. It also wants an id_token_hint
// then, which a sign-in that begins has not, and says so.
func prompt(t *testing.T) {
	s, _ := signedIn(t, options{}, publicID, "    auth_params: {prompt: login}\n")
	if got := s.last(t, "/auth", "").form.Get("prompt"); got != "login" {
		t.Errorf("prompt %q", got)
	}
	s, redirect := start(t, options{})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, publicID, redirect, "    auth_params: {prompt: none}\n"))
	visitor := harness.NewVisitor(t, s.person(t).open)
	c.Set("BROWSER", visitor.Program)
	r := c.Run(t, "login", "--timeout-sign-in", "20s")
	visitor.Page(t)
	if r.Code == 0 || !strings.Contains(r.Stderr, "refused by the provider") || len(s.asked("/login.html", "")) != 0 {
		t.Errorf("exit %d, %d login pages, %q", r.Code, len(s.asked("/login.html", "")), r.Stderr)
	}
}

// loginHint: the login page has the name filled in.
func loginHint(t *testing.T) {
	s, redirect := start(t, options{})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, publicID, redirect, "    auth_params: {login_hint: "+alice+"}\n"))
	b := harness.NewBrowser(t, harness.BrowserOptions{Script: "glewlwyd.mjs", Password: password})
	c.Set("BROWSER", b.Program)
	c.OK(t, "login", "--timeout-sign-in", "45s")
	b.Report(t)
	c.OK(t, "token")
}

func userinfo(t *testing.T) {
	s, c := signedIn(t, options{}, publicID, "")
	token, _ := c.Token(t)
	if !s.knows(t, token.Token) {
		t.Error("the token does not work at the userinfo endpoint")
	}
	if status := c.Status(t); status.Username == "" {
		t.Errorf("no user name: %+v", status)
	}
}

func tlsCAFile(t *testing.T) {
	cert := harness.NewCertificate(t)
	s, redirect := start(t, options{cert: cert, clientCA: cert.CAFile})
	c := harness.NewCLI(t)
	c.Config(t, profile(s, publicID, redirect, ""))
	if r := c.Run(t, "login"); r.Code == 0 || !strings.Contains(r.Stderr, "certificate") {
		t.Errorf("without the authority: exit %d, %q", r.Code, r.Stderr)
	}
	c.Config(t, profile(s, publicID, redirect, "    ca_file: "+cert.CAFile+"\n"))
	s.signIn(t, c)
	c.OK(t, "token", "--force-refresh")
}
