package oidcflow

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// tunnel is a proxy that opens tunnels for whoever knows the password.
func tunnel(t *testing.T, user, password string) *url.URL {
	t.Helper()
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") != want {
			w.Header().Set("Proxy-Authenticate", "Basic")
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		to, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = to.Close() }()
		from, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = from.Close() }()
		_, _ = io.WriteString(from, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { _, _ = io.Copy(to, buffered) }()
		_, _ = io.Copy(from, to)
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestProxyWithPassword(t *testing.T) {
	var seen http.Header
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header
		saysJSON(200, tokenBody(""))(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	proxy := tunnel(t, "user@corp", "hush:hush/ü")
	md := &Metadata{Issuer: s.URL, TokenEndpoint: s.URL + "/token"}
	refresh := func(user *url.Userinfo, host string) error {
		address := url.URL{Scheme: "http", User: user, Host: host}
		c := &Client{Issuer: s.URL, ClientID: "x", HTTP: httpClient(t, HTTPOptions{RootCAs: pool, Proxy: http.ProxyURL(&address)})}
		_, err := c.Refresh(t.Context(), md, NewSecret("rt"))
		return err
	}
	if err := refresh(url.UserPassword("user@corp", "hush:hush/ü"), proxy.Host); err != nil {
		t.Fatal(err)
	}
	if seen.Get("Proxy-Authorization") != "" || seen.Get("Authorization") != "" {
		t.Error("the provider sees the proxy's password")
	}

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	_ = l.Close()
	wrong := url.UserPassword("user@corp", "hushhush")
	for name, tc := range map[string]struct {
		user *url.Userinfo
		host string
		says string
	}{
		"wrong password": {wrong, proxy.Host, "does not take the user name and password"},
		"no password":    {nil, proxy.Host, "wants a user name and password"},
		"proxy is down":  {wrong, closed, "refused"},
		"no such host":   {wrong, "proxy.invalid:1", "proxy.invalid"},
		"no port":        {wrong, "127.0.0.1:99999", "99999"},
		"no HTTP":        {wrong, strings.TrimPrefix(s.URL, "https://"), ""},
	} {
		err := refresh(tc.user, tc.host)
		if err == nil || !strings.Contains(err.Error(), tc.says) || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "hushhush") {
			t.Errorf("%s: %v", name, err)
		}
		var status interface{ ProxyStatus() int }
		if got := errors.As(err, &status) && status.ProxyStatus() == 407; got != strings.Contains(name, "password") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is special in a password must be escaped, or a part of it stands where
// the host or the port should.
func TestProxyAddress(t *testing.T) {
	for raw, want := range map[string]bool{
		"http://proxy.example:3128":            true,
		"http://user:pass@proxy.example:3128":  true,
		"http://user:pass@proxy.example:3128/": true,
		"socks5://[::1]:1080":                  true,
		"http://user:1234#56@127.0.0.1:3128":   false,
		"http://user:1234/56@127.0.0.1:3128":   false,
		"http://user:1234?56@127.0.0.1:3128":   false,
		"http://http://user:x@127.0.0.1:3128":  false,
		"http://http:/x":                       false,
		"http://:3128":                         false,
	} {
		u, err := url.Parse(raw)
		if err != nil {
			continue // and is no address either
		}
		if IsProxyAddress(u) != want {
			t.Errorf("%s: %t", raw, !want)
		}
		_, err = proxyOf(func(*http.Request) (*url.URL, error) { return u, nil })(nil)
		if (err == nil) != want || err != nil && strings.ContainsAny(err.Error(), "0123456789") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// This machine is reached without the environment's proxy, however its name is
// written.
func TestProxyNotForLoopback(t *testing.T) {
	t.Setenv("http_proxy", "http://proxy.example:3128") // counts if no test before has read it
	t.Setenv("https_proxy", "http://proxy.example:3128")
	for _, host := range []string{"localhost:8080", "LOCALHOST:8080", "LocalHost", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080", "[::ffff:127.0.0.1]"} {
		for _, scheme := range []string{"http", "https"} {
			got, err := environmentProxy(&http.Request{URL: &url.URL{Scheme: scheme, Host: host}})
			if got != nil || err != nil {
				t.Errorf("%s://%s: %v, %v", scheme, host, got, err)
			}
		}
	}
}
