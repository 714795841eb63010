package oidcflow

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func httpClient(t *testing.T, o HTTPOptions) *http.Client {
	t.Helper()
	c, err := NewHTTPClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func getStatus(c *http.Client, url string) (int, error) {
	res, err := c.Get(url)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Body.Close()
}

func TestHTTPClientCertificates(t *testing.T) {
	agent := make(chan string, 9)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { agent <- r.UserAgent() }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}

	if status, err := getStatus(httpClient(t, HTTPOptions{CAFile: file, UserAgent: "oidc-cred/1"}), s.URL); err != nil || status != 200 {
		t.Errorf("ca_file: %v", err)
	}
	if got := <-agent; got != "oidc-cred/1" {
		t.Errorf("user agent %q", got)
	}
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	if _, err := getStatus(httpClient(t, HTTPOptions{RootCAs: pool}), s.URL); err != nil {
		t.Errorf("roots: %v", err)
	}
	_, err := getStatus(httpClient(t, HTTPOptions{}), s.URL)
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Errorf("system roots: %v", err)
	}
}

func TestHTTPClientRefusesOldTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11} //nolint:gosec // what must be refused
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	if _, err := getStatus(httpClient(t, HTTPOptions{RootCAs: pool}), s.URL); err == nil {
		t.Error("TLS 1.1 was used")
	}
}

func TestHTTPClientCAFile(t *testing.T) {
	dir := t.TempDir()
	var e *CAFileError
	if _, err := NewHTTPClient(HTTPOptions{CAFile: filepath.Join(dir, "none")}); !errors.As(err, &e) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := NewHTTPClient(HTTPOptions{CAFile: dir}); !errors.As(err, &e) {
		t.Errorf("folder: %v", err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := getStatus(httpClient(t, HTTPOptions{CAFile: empty}), "https://127.0.0.1:1"); !errors.As(err, &e) {
		t.Errorf("no certificate in it: %v", err)
	}
}

// proxy answers every CONNECT with status.
func proxy(t *testing.T, status string) func(*http.Request) (*url.URL, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 "+status+"\r\nContent-Length: 0\r\n\r\n")
			}
			_ = conn.Close()
		}
	}()
	return http.ProxyURL(&url.URL{Scheme: "http", Host: l.Addr().String()})
}

func TestHTTPClientProxy(t *testing.T) {
	for line, status := range map[string]int{"407 Proxy Authentication Required": 407, "502 Bad Gateway": 502, "403 Forbidden": 403} {
		c := &Client{Issuer: "https://id.example.com", ClientID: "x", HTTP: httpClient(t, HTTPOptions{Proxy: proxy(t, line)})}
		_, err := c.Discover(t.Context())
		var e interface{ ProxyStatus() int }
		if !errors.As(err, &e) || e.ProxyStatus() != status {
			t.Errorf("%s: %v", line, err)
		}
	}
	secret := func(*http.Request) (*url.URL, error) { return nil, errors.New("http://user:hush@proxy") }
	_, err := getStatus(httpClient(t, HTTPOptions{Proxy: secret}), "https://id.example.com")
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("%v", err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestHTTPClientWrap(t *testing.T) {
	down := errors.New("drill")
	c := httpClient(t, HTTPOptions{Wrap: func(http.RoundTripper) http.RoundTripper {
		return roundTripper(func(*http.Request) (*http.Response, error) { return nil, down })
	}})
	if _, err := getStatus(c, "https://id.example.com"); !errors.Is(err, down) {
		t.Errorf("%v", err)
	}
}

func BenchmarkNewHTTPClient(b *testing.B) {
	for b.Loop() {
		if _, err := NewHTTPClient(HTTPOptions{UserAgent: "oidc-cred/1"}); err != nil {
			b.Fatal(err)
		}
	}
}
