package e2e

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

func testCode(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID)
	mark := w.mark(t)
	if r := quickly(t, c); r.Stdout != "" || !strings.Contains(r.Stderr, "alice") {
		t.Errorf("stdout %q, stderr %q", r.Stdout, r.Stderr)
	}
	token, r := c.Token(t)
	if token.Subject != "alice" || token.Issuer != w.Issuer || token.Expired || r.Stderr != "" {
		t.Errorf("token %s, stderr %q", redacted(token), r.Stderr)
	}
	calls := w.since(t, mark, "token")
	if len(calls) != 1 || calls[0].Params["grant_type"] != "authorization_code" || calls[0].Auth != "none" {
		t.Errorf("token endpoint: %+v", calls)
	}
	if !w.introspect(t, token).Active {
		t.Error("the provider does not know the token")
	}
}

func testPKCE(t *testing.T, w *world) {
	for _, pushed := range []string{"never", "always"} {
		c := w.client(t, "plain", harness.ClientID, "pushed_authorization_requests: "+pushed)
		mark := w.mark(t)
		quickly(t, c)
		route := map[string]string{"never": "authorization", "always": "pushed_authorization_request"}[pushed]
		var request harness.Call
		for _, call := range w.since(t, mark, route) {
			if call.Params["scope"] != "" {
				request = call
			}
		}
		if request.Params["code_challenge_method"] != "S256" || !slices.Contains(request.Sent, "code_challenge") {
			t.Errorf("%s: %+v", route, request)
		}
		if call := w.last(t, mark, "token"); !slices.Contains(call.Sent, "code_verifier") {
			t.Errorf("token endpoint: %+v", call)
		}
	}

	// Who finds the code has not got the verifier.
	_, answer := elsewhere(t, w, w.client(t, "plain", harness.ClientID))
	for _, verifier := range []string{"", strings.Repeat("guess", 10)} {
		response, err := http.PostForm(w.Issuer+"/token", url.Values{
			"grant_type": {"authorization_code"}, "client_id": {harness.ClientID}, "code": {answer.Query().Get("code")},
			"redirect_uri": {w.last(t, 0, "authorization").Params["redirect_uri"]}, "code_verifier": {verifier},
		})
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		events := w.Log(t).Events
		if why := events[len(events)-1]; response.StatusCode != http.StatusBadRequest || why.Kind != "invalid_grant" || !strings.Contains(why.Detail, "code_verifier") {
			t.Errorf("verifier %q: %s, %+v", verifier, response.Status, why)
		}
	}
}

// A real browser, through the provider's pages to the program's own.
func testBrowser(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID)
	page, _ := signIn(t, c, harness.BrowserOptions{Screenshot: "oidc-provider-signed-in.png"})
	if len(page.Pages) != 3 || !strings.HasPrefix(page.Pages[2], "program /") || strings.Contains(page.URL, "code=") {
		t.Errorf("pages %q, last %s", page.Pages, page.URL)
	}
	if !strings.Contains(strings.ToLower(page.Heading), "signed in") {
		t.Errorf("heading %q", page.Heading)
	}
	c.OK(t, "token")
}

// The code is typed on the provider's page, in another browser.
func testDevice(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID, "grant: device_code")
	elsewhere := harness.NewBrowser(t, harness.BrowserOptions{Action: "device", Screenshot: "oidc-provider-device.png"})
	mark := w.mark(t)
	run := c.Start(t, "login")
	run.Address(t, w.Issuer+"/device")
	code := regexp.MustCompile(`\b[A-Z]{4}-[A-Z]{4}\b`).FindString(run.Stderr())
	if code == "" {
		t.Fatalf("no code on the terminal: %q", run.Stderr())
	}
	page := elsewhere.Open(t, w.Issuer+"/device", code)
	if r := run.Wait(t); r.Code != 0 || r.Stdout != "" {
		t.Fatalf("exit %d, stdout %q: %s", r.Code, r.Stdout, r.Stderr)
	}
	if !strings.Contains(page.Heading, "Success") {
		t.Errorf("heading %q", page.Heading)
	}
	if call := w.last(t, mark, "token"); call.Params["grant_type"] != "urn:ietf:params:oauth:grant-type:device_code" {
		t.Errorf("token endpoint: %+v", call)
	}
	if status := c.Status(t); status.Subject != "alice" || !status.HasRefreshToken {
		t.Errorf("status %+v", status)
	}
	c.OK(t, "token", "--force-refresh")
}

// The address that the program shows has the code in it, RFC 8628 3.3.1.
func testDeviceCompleteURI(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID)
	elsewhere := harness.NewBrowser(t, harness.BrowserOptions{Action: "device", Quick: true})
	run := c.Start(t, "login", "--device")
	address := run.Address(t, w.Issuer+"/device?user_code=")
	elsewhere.Open(t, address, "")
	if r := run.Wait(t); r.Code != 0 {
		t.Fatalf("exit %d: %s", r.Code, r.Stderr)
	}
	c.OK(t, "token")
}

// What is pasted from another machine's browser: its address, the address's
// query, or the code alone.
func testPaste(t *testing.T, w *world) {
	for name, part := range map[string]func(*url.URL) string{
		"address": (*url.URL).String,
		"query":   func(u *url.URL) string { return u.RawQuery },
		"code":    func(u *url.URL) string { return u.Query().Get("code") },
	} {
		t.Run(name, func(t *testing.T) {
			c := w.client(t, "plain", harness.ClientID)
			run, answer := elsewhere(t, w, c)
			paste(t, run, part(answer))
			if r := run.Wait(t); r.Code != 0 || strings.Contains(r.Stderr, answer.Query().Get("code")) {
				t.Fatalf("exit %d: %s", r.Code, r.Stderr)
			}
			c.OK(t, "token")
		})
	}
}

// elsewhere signs in with --no-browser as far as the page that another machine
// can't load, and gives its address.
func elsewhere(t *testing.T, w *world, c *harness.CLI) (*harness.Running, *url.URL) {
	t.Helper()
	person := harness.NewBrowser(t, harness.BrowserOptions{Action: "elsewhere", Quick: true})
	run := c.Start(t, "login", "--no-browser")
	page := person.Open(t, run.Address(t, w.Issuer+"/auth?"), "")
	answer, err := url.Parse(page.URL)
	if err != nil {
		t.Fatal(err)
	}
	return run, answer
}

func paste(t *testing.T, run *harness.Running, line string) {
	t.Helper()
	if _, err := io.WriteString(run.Stdin, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

// RFC 9207: an answer in another issuer's name is a mix-up.
func testIss(t *testing.T, w *world) {
	c := w.client(t, "plain", harness.ClientID)
	run, answer := elsewhere(t, w, c)
	if got := answer.Query().Get("iss"); got != w.Issuer {
		t.Fatalf("the provider's answer has the issuer %q", got)
	}
	for _, forged := range []string{"https://evil.example.test", ""} {
		mixed := *answer
		query := answer.Query()
		query.Set("iss", forged)
		if forged == "" {
			query.Del("iss")
		}
		mixed.RawQuery = query.Encode()
		paste(t, run, mixed.String())
	}
	paste(t, run, answer.String())
	r := run.Wait(t)
	if r.Code != 0 || strings.Count(r.Stderr, "That is not it") != 2 || !strings.Contains(r.Stderr, "the issuer https://evil.example.test, not from "+w.Issuer) {
		t.Errorf("exit %d: %s", r.Code, r.Stderr)
	}
	c.OK(t, "token")
}

// An issuer on IPv6's loopback, and the redirect there too, RFC 8252 7.3.
func testIPv6(t *testing.T, w *world) {
	c := w.client(t, "ipv6", harness.ClientID, "redirect: 'http://[::1]:0/callback'")
	mark := w.mark(t)
	page, _ := signIn(t, c, harness.BrowserOptions{})
	if !strings.HasPrefix(page.URL, "http://[::1]:") {
		t.Errorf("the browser ended at %s", page.URL)
	}
	c.OK(t, "token", "--force-refresh")
	if call := w.last(t, mark, "token"); call.Issuer != w.Issuers["ipv6"] {
		t.Errorf("token endpoint: %+v", call)
	}
}

// The issuer has a certificate of an authority that only the profile trusts.
func testTLSCAFile(t *testing.T, w *world) {
	c := harness.NewCLI(t)
	c.Config(t, strings.Replace(profile(w.Provider, ""), w.Issuer, w.Issuers["tls"], 1))
	if r := c.Run(t, "login"); r.Code == 0 || !strings.Contains(r.Stderr, "certificate") {
		t.Errorf("without ca_file: exit %d, stderr %q", r.Code, r.Stderr)
	}
	w.configure(t, c, "tls", harness.ClientID)
	quickly(t, c)
	c.OK(t, "token", "--force-refresh")
	c.OK(t, "logout")
}
