package oidcflow_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// Endpoints of a hostile discovery document. None of them is ever asked or
// opened.
func TestAttackDiscoveryEndpoints(t *testing.T) {
	good := map[string]any{
		"issuer": "https://id.example.com", "authorization_endpoint": "https://id.example.com/a",
		"token_endpoint": "https://id.example.com/t", "jwks_uri": "https://id.example.com/k",
	}
	addresses := map[string]string{
		"plain http": "http://id.example.com/x", "http of this machine": "http://127.0.0.1:631/x", "http of localhost": "http://localhost/x",
		"file": "file:///etc/passwd", "script": "javascript:alert(1)", "data": "data:text/html,x", "ftp": "ftp://id.example.com/x",
		"a program's scheme": "ms-msdt:/id", "option": "--help", "user": "https://id.example.com@evil.example/x",
		"user and password": "https://a:b@id.example.com/x", "fragment": "https://id.example.com/x#y", "relative": "/x", "no scheme": "//evil.example/x",
		"no host": "https:///x", "escape sequence": "https://id.example.com/\x1b[31m", "bidi": "https://id.example.com/\u202egnp.exe",
		"line break": "https://id.example.com/\r\nX: y", "space": "https://id.example.com/ x", "other letters": "https://id.exаmple.com/x",
		"too long": "https://id.example.com/" + strings.Repeat("x", 5000),
	}
	endpoints := []string{
		"authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "revocation_endpoint", "end_session_endpoint",
		"device_authorization_endpoint", "pushed_authorization_request_endpoint",
	}
	for _, endpoint := range endpoints {
		for name, address := range addresses {
			document := maps.Clone(good)
			document[endpoint] = address
			raw, err := json.Marshal(document)
			if err != nil {
				t.Fatal(err)
			}
			_, err = oidcflow.ParseMetadata(raw, "https://id.example.com")
			var wrong *oidcflow.MetadataError
			if !errors.As(err, &wrong) || wrong.Field != endpoint {
				t.Errorf("%s, %s: %v", endpoint, name, err)
			} else if text := err.Error(); !harmless(text[:min(len(text), 300)]) {
				t.Errorf("%s, %s: %q", endpoint, name, text)
			}
		}
	}
	// The aliases for mutual TLS too, RFC 8705 §5.
	document := maps.Clone(good)
	document["mtls_endpoint_aliases"] = map[string]any{"token_endpoint": "http://evil.example/t"}
	raw, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	if md, err := oidcflow.ParseMetadata(raw, "https://id.example.com"); err == nil && md.MTLSEndpointAliases["token_endpoint"] != "" {
		t.Errorf("alias %q", md.MTLSEndpointAliases)
	}
}

// A document of another issuer, OpenID Connect Discovery §4.3: also the one of
// a multi-tenant provider, a name in other letters, two issuers.
func TestAttackDiscoveryIssuer(t *testing.T) {
	p, c, _ := provider(t, oidctest.Options{})
	for _, issuer := range []any{
		"https://evil.example", p.Issuer() + "/", strings.ToUpper(p.Issuer()), p.Issuer() + "/{tenantid}", nil, "", 5, []string{p.Issuer()},
	} {
		p.Change(func(s *oidctest.Settings) {
			s.Metadata = map[string]any{"issuer": issuer, "Issuer": p.Issuer(), "iſſuer": p.Issuer()}
		})
		var wrong *oidcflow.MetadataError
		if _, err := c.Discover(t.Context()); !errors.As(err, &wrong) || wrong.Field != "issuer" {
			t.Errorf("%v: %v", issuer, err)
		}
	}
	p.Clear()
	// Of two members of a name, the last one counts for us, whoever reads first.
	p.Set(oidctest.DiscoveryEndpoint, oidctest.Answer(200, "application/json",
		`{"issuer":"`+p.Issuer()+`","token_endpoint":"`+p.Issuer()+`/t","jwks_uri":"`+p.Issuer()+`/k","issuer":"https://evil.example"}`))
	if _, err := c.Discover(t.Context()); err == nil {
		t.Error("a document with two issuers was taken")
	}
}

// hostile is a server that answers as a test says, and a client of it.
func hostile(t *testing.T, h http.HandlerFunc) (*httptest.Server, *oidcflow.Client) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	http, err := oidcflow.NewHTTPClient(oidcflow.HTTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.CloseIdleConnections)
	return s, &oidcflow.Client{Issuer: s.URL, ClientID: "the-client", HTTP: http, Timeout: 5 * time.Second}
}

// counted counts what is written to it, as a sign of how much was taken.
type counted struct {
	io.Writer
	n int
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.n += n
	return n, err
}

// Documents without end: nothing more than about 1 MiB is read, and no memory
// is taken for what the header promises.
func TestAttackHugeDocument(t *testing.T) {
	var sent *counted
	done := make(chan struct{}, 1)
	s, c := hostile(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "1099511627776") // a tebibyte
		sent = &counted{Writer: w}
		_, err := sent.Write([]byte(`{"issuer":"x","padding":"`))
		for chunk := bytes.Repeat([]byte("x"), 64<<10); err == nil; {
			_, err = sent.Write(chunk)
		}
		done <- struct{}{}
	})
	start := time.Now()
	if _, err := c.Discover(t.Context()); err == nil {
		t.Error("it was taken")
	}
	<-done
	// Buffers of the kernel come on top of what is read.
	if sent.n > 32<<20 || time.Since(start) > 4*time.Second {
		t.Errorf("%d bytes were taken in %v", sent.n, time.Since(start))
	}
	md := &oidcflow.Metadata{Issuer: s.URL, TokenEndpoint: s.URL, JWKSURI: s.URL, UserinfoEndpoint: s.URL}
	if _, err := c.Keys(t.Context(), md); err == nil {
		t.Error("keys were taken")
	}
	<-done
	if _, err := c.Refresh(t.Context(), md, oidcflow.NewSecret("rt")); err == nil {
		t.Error("tokens were taken")
	}
	<-done
}

// bomb is a gzip body of so many bytes of valid JSON, which begins with head.
func bomb(t *testing.T, head string, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = z.Write([]byte(strings.TrimSuffix(head, "}") + `,"padding":"`))
	for chunk := bytes.Repeat([]byte("x"), 1<<20); size > 0; size -= len(chunk) {
		_, _ = z.Write(chunk)
	}
	_, _ = z.Write([]byte(`"}`))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// net/http asks for gzip and unpacks it: the limit of 1 MiB is one for what
// comes out.
func TestAttackGzipBomb(t *testing.T) {
	var body []byte
	var asked string
	_, c := hostile(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Accept-Encoding")
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(body)
	})
	head := `{"issuer":"` + c.Issuer + `","token_endpoint":"` + c.Issuer + `/t","jwks_uri":"` + c.Issuer + `/k"}`
	body = bomb(t, head, 0)
	if _, err := c.Discover(t.Context()); err != nil || asked != "gzip" {
		t.Fatalf("a small document in gzip: %v, Accept-Encoding %q", err, asked)
	}
	body = bomb(t, head, 64<<20)
	if len(body) > 256<<10 {
		t.Fatalf("%d bytes are no bomb", len(body))
	}
	start := time.Now()
	if _, err := c.Discover(t.Context()); err == nil || time.Since(start) > 2*time.Second {
		t.Errorf("64 MiB of JSON in %d bytes: %v after %v", len(body), err, time.Since(start))
	}
	md := &oidcflow.Metadata{Issuer: c.Issuer, TokenEndpoint: c.Issuer + "/t", JWKSURI: c.Issuer + "/k"}
	body = bomb(t, `{"access_token":"at","token_type":"Bearer"}`, 64<<20)
	if _, err := c.Refresh(t.Context(), md, oidcflow.NewSecret("rt")); err == nil {
		t.Error("tokens in a bomb were taken")
	}
	body = bomb(t, `{"keys":[]}`, 64<<20)
	if _, err := c.Keys(t.Context(), md); err == nil {
		t.Error("keys in a bomb were taken")
	}
}

// Redirects: a few are followed for documents, none from https to http, none
// to other schemes, and none at all where something secret is sent.
func TestAttackRedirects(t *testing.T) {
	asked := 0
	s, c := hostile(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "/again"+r.URL.Path, http.StatusFound)
	})
	if _, err := c.Discover(t.Context()); err == nil || asked > 7 {
		t.Errorf("endless redirects: %v after %d requests", err, asked)
	}
	md := &oidcflow.Metadata{Issuer: s.URL, TokenEndpoint: s.URL + "/t", RevocationEndpoint: s.URL + "/r", DeviceAuthorizationEndpoint: s.URL + "/d"}
	asked = 0
	_, err := c.Refresh(t.Context(), md, oidcflow.NewSecret("rt"))
	if err == nil || asked != 1 {
		t.Errorf("token endpoint: %v after %d requests", err, asked)
	}
	asked = 0
	if err := c.Revoke(t.Context(), md, oidcflow.NewSecret("rt"), ""); err == nil || asked != 1 {
		t.Errorf("revocation endpoint: %v after %d requests", err, asked)
	}

	plain, plainClient := hostile(t, func(w http.ResponseWriter, _ *http.Request) { t.Error("it was asked"); w.WriteHeader(200) })
	_ = plainClient
	p, c, _ := provider(t, oidctest.Options{TLS: oidctest.TLSValid})
	for _, target := range []string{plain.URL, "http://example.com/", "file:///etc/passwd", "https://u:p@" + p.Addr() + "/", "gopher://x/"} {
		p.Set(oidctest.DiscoveryEndpoint, oidctest.Redirect(target))
		if _, err := c.Discover(t.Context()); err == nil || !harmless(err.Error()) {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// A redirect of userinfo does not take the access token anywhere, not even to
// another port of the same host.
func TestAttackRedirectWithToken(t *testing.T) {
	asked := false
	other, _ := hostile(t, func(w http.ResponseWriter, _ *http.Request) { asked = true; w.WriteHeader(200) })
	p, c, md := provider(t, oidctest.Options{})
	for _, target := range []string{other.URL, strings.Replace(other.URL, "127.0.0.1", "localhost", 1)} {
		p.Set(oidctest.UserInfoEndpoint, oidctest.Redirect(target))
		if _, err := c.UserInfo(t.Context(), md, oidcflow.NewSecret("secret"), "user-1"); err == nil || asked {
			t.Errorf("%s: %v, asked there: %v", target, err, asked)
		}
	}
}

// A body that comes a byte at a time ends at the time limit, header or body.
func TestAttackSlowDrip(t *testing.T) {
	for _, header := range []bool{true, false} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }()
			if header {
				_, err = conn.Write([]byte("HTTP/1.1 200 OK\r\nX-A: "))
			} else {
				_, err = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{"))
			}
			for err == nil {
				time.Sleep(20 * time.Millisecond)
				_, err = conn.Write([]byte(" "))
			}
		}()
		_, c := hostile(t, func(http.ResponseWriter, *http.Request) {})
		c.Issuer = "http://" + listener.Addr().String()
		c.Timeout = 300 * time.Millisecond
		start := time.Now()
		if _, err := c.Discover(t.Context()); err == nil || time.Since(start) > 5*time.Second {
			t.Errorf("header %v: %v after %v", header, err, time.Since(start))
		}
	}
}

// Headers without end, and a great many of them.
func TestAttackHugeHeader(t *testing.T) {
	_, c := hostile(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := range 2000 {
			w.Header().Add("X-"+strings.Repeat("a", i%50), strings.Repeat("x", 1000))
		}
	})
	if _, err := c.Discover(t.Context()); err == nil || !harmless(err.Error()) {
		t.Errorf("%v", err)
	}
}

// JSON nested so deep that a reader which calls itself runs out of stack.
func TestAttackNestedJSON(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`[`, n) + strings.Repeat(`]`, n) }
	objects := strings.Repeat(`{"a":`, 100_000) + `1` + strings.Repeat(`}`, 100_000)
	for name, body := range map[string]string{
		"arrays": deep(500_000), "open arrays": strings.Repeat("[", 1_000_000), "objects": objects,
		"within the document": `{"issuer":` + deep(400_000) + `}`, "in an unknown member": `{"x":` + deep(400_000) + `}`,
	} {
		_, c := hostile(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		})
		start := time.Now()
		if _, err := c.Discover(t.Context()); err == nil || time.Since(start) > 4*time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(start))
		}
		md := &oidcflow.Metadata{Issuer: c.Issuer, TokenEndpoint: c.Issuer}
		if _, err := c.Refresh(t.Context(), md, oidcflow.NewSecret("rt")); err == nil {
			t.Errorf("%s: tokens were taken", name)
		}
	}
}

// A captive portal sends everything to a page of its own: no answer of the
// provider's, wherever it comes.
func TestAttackCaptivePortal(t *testing.T) {
	p, c, md := provider(t, oidctest.Options{})
	tokens, _, err := signIn(t, p, c, md)
	if err != nil {
		t.Fatal(err)
	}
	p.Change(func(s *oidctest.Settings) { s.CaptivePortal = true })
	if _, err := c.Discover(t.Context()); err == nil {
		t.Error("discovery")
	}
	if _, err := c.Keys(t.Context(), md); err == nil {
		t.Error("keys")
	}
	if _, err := c.Refresh(t.Context(), md, tokens.Refresh); err == nil {
		t.Error("tokens")
	}
	if err := c.Revoke(t.Context(), md, tokens.Refresh, "refresh_token"); err == nil {
		t.Error("revocation")
	}
	if !p.Active(tokens.Refresh.Reveal()) {
		t.Error("the refresh token was spent")
	}
}
