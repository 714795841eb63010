package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// spell is a text as an attacker writes it who hopes that it reaches a
// terminal: colours, the window's title, a line that looks like ours, the order
// of reading turned round, and a great length.
var spell = "\x1b[2J\x1b[31mred\x1b]0;title\x07\x1bPq#0\x1b\\\u009b1m\u202egnp.exe\u2066\u200f\r\noidc-cred: error: forged\u2028\x00\x7f<script>alert(1)</script>" +
	strings.Repeat("A", 5000)

// unclean says what a text has that may not get to a terminal.
func unclean(text string) string {
	for _, r := range text {
		switch {
		case r == '\n':
		case r < 0x20, r >= 0x7f && r <= 0x9f:
			return "a control character"
		case r == 0x2028, r == 0x2029, r == 0xfeff, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return "a character that turns or breaks the line"
		}
	}
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "oidc-cred: error: forged"):
			return "a forged line"
		case strings.Contains(line, strings.Repeat("A", 301)):
			return "more than 300 characters of a server's"
		}
	}
	return ""
}

func (r result) unenchanted() result {
	r.t.Helper()
	if why := unclean(r.stderr); why != "" {
		r.t.Errorf("%v: %s on stderr: %q", r.args, why, r.stderr)
	}
	if why := unclean(r.stdout); why != "" {
		r.t.Errorf("%v: %s on stdout: %q", r.args, why, r.stdout)
	}
	return r
}

// TestAttackTerminal: whatever a server writes, nothing that moves the cursor
// or looks like our own words gets to the terminal.
func TestAttackTerminal(t *testing.T) {
	t.Parallel()
	p := newProvider(t, oidctest.Options{Settings: oidctest.Settings{DeviceInterval: 1}})
	h := newHome(t, p)
	set := func(change func(*oidctest.Settings)) {
		p.Change(func(s *oidctest.Settings) {
			*s = oidctest.Settings{DeviceInterval: 1, NoRotation: true}
			if change != nil {
				change(s)
			}
		})
	}

	set(func(s *oidctest.Settings) {
		s.AuthorizeError, s.AuthorizeErrorDescription = "access_denied"+spell, spell
	})
	if r := h.run("login", "-v"); r.unenchanted().code == 0 || !strings.Contains(r.stderr, "access_denied") {
		t.Errorf("exits %d: %s", r.code, r.stderr)
	}
	set(func(s *oidctest.Settings) { s.AuthorizationResponse = map[string]any{"iss": "https://" + spell} })
	if r := h.run("login").unenchanted(); r.code == 0 {
		t.Errorf("exits 0: %s", r.stderr)
	}
	set(func(s *oidctest.Settings) { s.Metadata = map[string]any{"issuer": "https://" + spell} })
	h.run("login").unenchanted()
	h.run("doctor").unenchanted()
	set(func(s *oidctest.Settings) { s.Metadata = map[string]any{"token_endpoint": "https://" + spell} })
	h.run("login").unenchanted()
	set(func(s *oidctest.Settings) {
		s.Metadata = map[string]any{
			"token_endpoint_auth_methods_supported": []string{spell}, "scopes_supported": []string{spell},
			"id_token_signing_alg_values_supported": []string{spell}, "grant_types_supported": []string{spell},
		}
	})
	h.run("doctor").unenchanted()

	// The name of the person, and what was granted.
	set(func(s *oidctest.Settings) {
		s.Subject = spell
		s.IDTokenClaims = map[string]any{"preferred_username": spell, "name": spell, "email": spell}
		s.UserInfoClaims = map[string]any{"preferred_username": spell, "name": spell}
		s.TokenResponse = map[string]any{"scope": "openid " + spell, "token_type": "Bearer"}
	})
	h.run("login").unenchanted().exits(0)
	h.run("status").unenchanted().exits(0)
	h.run("status", "--all").unenchanted()
	h.run("profile", "show", "work").unenchanted()
	h.run("logout", "--no-revoke").unenchanted().exits(0)

	// A refusal, and an outage, of the token endpoint.
	set(nil)
	h.login()
	p.Set(oidctest.TokenEndpoint, oidctest.OAuthError(503, "temporarily_unavailable"+spell, spell))
	h.run("token", "--force-refresh", "-v").unenchanted()
	h.run("status").unenchanted()
	h.run("doctor").unenchanted()
	p.Set(oidctest.TokenEndpoint, oidctest.OAuthError(400, "invalid_grant", spell))
	if r := h.run("token", "--force-refresh", "--no-offline").unenchanted(); !strings.Contains(r.stderr, "invalid_grant") && r.code != 3 {
		t.Errorf("exits %d: %s", r.code, r.stderr)
	}
	h.run("status").unenchanted()
	h.run("status", "--history").unenchanted()
	p.Clear()
}

// TestAttackDevicePrompt: the code and the address of a device sign-in are the
// server's too. An address that no terminal should show is none.
func TestAttackDevicePrompt(t *testing.T) {
	t.Parallel()
	p := newProvider(t, oidctest.Options{Settings: oidctest.Settings{DeviceInterval: 1, DeviceApproveAfter: 1}})
	h := newHome(t, p)
	for _, address := range []string{
		"https://id.example.com/\u202egnp.exe", "https://id.example.com/\x1b[31m", "javascript:alert(1)", "file:///etc/passwd",
		"https://user@id.example.com/", "http://id.example.com/", "https://id.example.com/" + strings.Repeat("A", 400), "--help",
	} {
		p.Change(func(s *oidctest.Settings) { s.DeviceResponse = map[string]any{"verification_uri": address} })
		if r := h.run("login", "--device").unenchanted(); r.code == 0 || strings.Contains(r.stderr, "enter the code") {
			t.Errorf("%q is shown: %s", address, r.stderr)
		}
	}
	p.Change(func(s *oidctest.Settings) {
		s.DeviceResponse = map[string]any{"user_code": spell, "verification_uri_complete": "javascript:" + spell}
	})
	h.run("login", "--device").unenchanted().exits(0)
}

// TestAttackPage: what a server writes is text on the page that the browser
// ends at, and nothing else.
func TestAttackPage(t *testing.T) {
	t.Parallel()
	const html = `</p><script>alert(1)</script><img src=x onerror=alert(1)><a href="javascript:alert(1)">click</a>"'` + "`"
	p := newProvider(t, oidctest.Options{Settings: oidctest.Settings{AuthorizeError: "access_denied", AuthorizeErrorDescription: html}})
	h := newHome(t, p).with("BROWSER=must-not-be-started")
	d := h.talk("login", "--no-browser")
	address := d.hears(`^ *(http://\S+/authorize\?\S+)`)
	window := oidctest.NewWindow(nil)
	if err := window.Open(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	page, err := window.Page(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.ends()
	for _, bad := range []string{"<script>alert", "<img", "onerror=alert(1)>", `<a href="javascript:`} {
		if strings.Contains(page.Body, bad) {
			t.Errorf("%s on the page", bad)
		}
	}
	if !strings.Contains(page.Body, "&lt;script&gt;alert(1)") || !strings.Contains(page.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%v\n%s", page.Header, page.Body)
	}
	p.Change(func(s *oidctest.Settings) { s.AuthorizeErrorDescription = spell })
	d = h.talk("login", "--no-browser")
	if err := window.Open(t.Context(), d.hears(`^ *(http://\S+/authorize\?\S+)`)); err != nil {
		t.Fatal(err)
	}
	if page, err = window.Page(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.ends()
	if why := unclean(strings.ReplaceAll(page.Body, "\t", " ")); why != "" {
		t.Errorf("%s on the page", why)
	}
}

// TestAttackCertificateNames: names in a certificate that nobody vouches for.
func TestAttackCertificateNames(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ascii := "\x1b[31m\x07\r\noidc-cred: error: forged" + strings.Repeat("A", 5000)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: spell[:60], Organization: []string{spell[:60]}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{ascii, "other.example"},
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0), Handler: http.NotFoundHandler()}
	go func() {
		_ = server.Serve(tls.NewListener(listener, &tls.Config{
			MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		}))
	}()
	t.Cleanup(func() { _ = server.Close() })
	h := newHome(t, newProvider(t, oidctest.Options{}))
	issuer := "https://localhost:" + portOf(listener)
	for _, trusted := range []bool{false, true} {
		lines := "profiles:\n  work:\n    issuer: " + issuer + "\n    client_id: oidc-cred\n    store: file\n"
		if trusted {
			file := filepath.Join(h.dir, "ca.pem")
			if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
				t.Fatal(err)
			}
			lines += "    ca_file: " + file + "\n"
		}
		h.config(lines)
		for _, args := range [][]string{{"login", "-v"}, {"doctor"}, {"login", "--device"}} {
			if r := h.run(args...).unenchanted(); r.code == 0 {
				t.Errorf("%v exits 0: %s", args, r.stderr)
			}
		}
	}
}

func portOf(l net.Listener) string {
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		panic(err)
	}
	return port
}

// TestAttackArguments: what a configuration or an argument has in it is shown
// as text as well.
func TestAttackArguments(t *testing.T) {
	t.Parallel()
	h := newHome(t, newProvider(t, oidctest.Options{}))
	escape := "https://id.example.com/\x1b]0;title\x07\u202e"
	for _, args := range [][]string{
		{"login", "--issuer", escape, "--client-id", "x"}, {"token", "--profile", "\x1b[31mred"}, {"login", "--redirect", escape},
		{"token", "-o", "\x1b[31m"}, {"\x1b[31m"}, {"setup", "\x1b[31m"}, {"helper", "\x1b[31m"},
	} {
		if r := h.run(args...); unclean(r.stderr) != "" || r.code == 0 {
			t.Errorf("%q exits %d: %s: %q", args, r.code, unclean(r.stderr), r.stderr)
		}
	}
}
