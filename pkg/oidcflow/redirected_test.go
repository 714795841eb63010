package oidcflow

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// TestRedirectedElsewhere: a network's sign-in page is named, whether it can be
// reached or not, and what it says is no word of the provider.
func TestRedirectedElsewhere(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/page":
			_, _ = io.WriteString(w, "<html>Welcome to the WiFi</html>")
		case "/gone":
			w.WriteHeader(http.StatusUnauthorized)
		default:
			panic(http.ErrAbortHandler)
		}
	}))
	defer page.Close()
	host := strings.TrimPrefix(page.URL, "http://")
	for path, want := range map[string]string{
		"/page":  "(HTTP 200)",
		"/gone":  "(HTTP 401)",
		"/close": "(connection closed by the other side)",
	} {
		f := newFake(t)
		f.on("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, page.URL+path, http.StatusFound) })
		_, err := f.client().Discover(t.Context())
		text := offline.Describe(err)
		if !strings.Contains(text, "redirected to "+host+": the network's sign-in page") || !strings.HasSuffix(text, want) {
			t.Errorf("%s: %q", path, text)
		}
		if c := offline.Classify(err); c != offline.NotTheProvider || !strings.Contains(offline.Advice(err), "captive portal") {
			t.Errorf("%s: %s, %q", path, c, offline.Advice(err))
		}
	}
	// At the same host it is the provider's own.
	f := newFake(t)
	f.on("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) })
	f.on("/other", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	if _, err := f.client().Discover(t.Context()); offline.Describe(err) != "HTTP 503" {
		t.Errorf("at the same host: %q", offline.Describe(err))
	}
	f = newFake(t)
	f.on("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	if _, err := f.client().Discover(t.Context()); !strings.Contains(offline.Describe(err), "HTTP 200 without a discovery document: ") {
		t.Errorf("a page: %q", offline.Describe(err))
	}
}

// TestSocksRefusal: a SOCKS proxy that wants to know who it is is named.
func TestSocksRefusal(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 64))
			_, _ = c.Write([]byte{5, 0xff}) // RFC 1928 §3: no acceptable methods
			_ = c.Close()
		}
	}()
	ask := func(proxy string) error {
		client, err := NewHTTPClient(HTTPOptions{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }})
		if err != nil {
			t.Fatal(err)
		}
		defer client.CloseIdleConnections()
		c := &Client{Issuer: "https://id.example.com", ClientID: "x", HTTP: client}
		_, err = c.Discover(t.Context())
		return err
	}
	err = ask("socks5://" + listener.Addr().String())
	if text := offline.Describe(err); !strings.HasPrefix(text, "the proxy (SOCKS) does not take the user name") || !strings.Contains(offline.Advice(err), "socks5://user:password@") {
		t.Errorf("%q, %q", text, offline.Advice(err))
	}
	if c := offline.Classify(err); c != offline.NetworkUnavailable {
		t.Errorf("%s", c)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	if text := offline.Describe(ask("socks5://" + address)); text != "the proxy can't be reached" {
		t.Errorf("%q", text)
	}
}
