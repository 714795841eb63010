package oidcflow_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// Another program listens at the redirect's fixed port before we do, RFC 8252
// §8.1: the browser is not opened, and the error names the port.
func TestAttackPortTakenBefore(t *testing.T) {
	p, c, md := provider(t, oidctest.Options{})
	for _, squat := range []struct{ network, address, host string }{
		{"tcp4", "127.0.0.1:0", "127.0.0.1"}, {"tcp4", "0.0.0.0:0", "127.0.0.1"}, {"tcp", "[::]:0", "127.0.0.1"},
		{"tcp4", "127.0.0.1:0", "localhost"}, {"tcp6", "[::1]:0", "localhost"}, {"tcp6", "[::1]:0", "[::1]"},
	} {
		t.Run(squat.address+" "+squat.host, func(t *testing.T) {
			squatter, err := net.Listen(squat.network, squat.address)
			if err != nil {
				t.Skip("no IPv6 on this machine")
			}
			defer func() { _ = squatter.Close() }()
			if runtime.GOOS != "linux" && squatter.Addr().(*net.TCPAddr).IP.IsUnspecified() {
				t.Skip("here the program with the exact address is asked, which is us")
			}
			port := squatter.Addr().(*net.TCPAddr).Port
			opened := false
			err = c.SignIn(t.Context(), md, oidcflow.SignInOptions{
				Redirect: "http://" + squat.host + ":" + strconv.Itoa(port) + "/callback",
				Open:     func(context.Context, string) error { opened = true; return nil },
				Complete: func(context.Context, *oidcflow.Tokens, string) error { return nil },
			})
			var taken *oidcflow.ListenError
			if !errors.As(err, &taken) || taken.Port != port || opened {
				t.Fatalf("%v, browser opened: %v", err, opened)
			}
			if !strings.Contains(err.Error(), strconv.Itoa(port)) || !strings.Contains(err.Error(), "in use by another program") || taken.Hint() == "" {
				t.Errorf("%v; %s", err, taken.Hint())
			}
		})
	}
	if p.Count(oidctest.AuthorizeEndpoint) != 0 {
		t.Error("a request went out")
	}
}

// Nobody can take the port over while the sign-in waits: the options that
// would share it are not set.
func TestAttackPortTakenAfter(t *testing.T) {
	for _, where := range []string{"http://127.0.0.1:0/callback", "http://localhost:0/callback"} {
		_, c, md := provider(t, oidctest.Options{})
		a := begin(t, c, md, func(o *oidcflow.SignInOptions) { o.Redirect = where })
		for _, config := range []net.ListenConfig{{}, {Control: sharing}} {
			for _, squat := range []struct{ network, host string }{{"tcp4", "127.0.0.1"}, {"tcp4", "0.0.0.0"}} {
				if runtime.GOOS != "linux" && squat.host == "0.0.0.0" {
					continue // as above
				}
				l, err := config.Listen(t.Context(), squat.network, net.JoinHostPort(squat.host, a.back.Port()))
				if err == nil {
					_ = l.Close()
					t.Errorf("%s: %s:%s was taken over", where, squat.host, a.back.Port())
				}
			}
		}
		visit(t, http.MethodGet, a.address(answerOf(t, a.asked.String())), nil, nil)
		if err := a.wait(); err != nil {
			t.Error(err)
		}
	}
}

// The listener is reached from this machine alone, RFC 8252 §8.3.
func TestAttackListensOnLoopbackOnly(t *testing.T) {
	_, c, md := provider(t, oidctest.Options{})
	a := begin(t, c, md, nil)
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		ip, _, err := net.ParseCIDR(address.String())
		if err != nil || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
			continue
		}
		if conn, err := net.Dial("tcp", net.JoinHostPort(ip.String(), a.back.Port())); err == nil {
			_ = conn.Close()
			t.Errorf("it listens at %s", ip)
		}
	}
	for _, redirect := range []string{
		"http://0.0.0.0:0/callback", "http://[::]:0/callback", "http://192.0.2.1:0/callback", "http://example.com:0/callback",
		"https://127.0.0.1:0/callback", "http://127.0.0.1.example.com:0/callback", "http://localhost.example.com/callback",
		"http://user@127.0.0.1:0/callback", "myapp://callback", "http://127.0.0.1:0/callback?x=1", "http://127.0.0.1:0/callback#x",
	} {
		err := c.SignIn(t.Context(), md, oidcflow.SignInOptions{
			Redirect: redirect,
			Open:     func(context.Context, string) error { t.Errorf("%s: the browser was opened", redirect); return nil },
			Complete: func(context.Context, *oidcflow.Tokens, string) error { return nil },
		})
		if err == nil || !harmless(err.Error()) {
			t.Errorf("%s: %v", redirect, err)
		}
	}
}

// A client on the same machine that opens connections and says nothing does
// not keep the answer out.
func TestAttackSilentConnections(t *testing.T) {
	_, c, md := provider(t, oidctest.Options{})
	a := begin(t, c, md, nil)
	for range 50 {
		conn, err := net.Dial("tcp", a.back.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = conn.Write([]byte("GET " + a.back.Path + "?state="))
	}
	visit(t, http.MethodGet, a.address(answerOf(t, a.asked.String())), nil, nil)
	if err := a.wait(); err != nil {
		t.Error(err)
	}
}

// A long request ends at the limit for headers.
func TestAttackLongRequest(t *testing.T) {
	_, c, md := provider(t, oidctest.Options{})
	a := begin(t, c, md, nil)
	response, _ := visit(t, http.MethodGet, a.address(url.Values{"state": {a.state}, "code": {strings.Repeat("c", 256<<10)}}), nil, nil)
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge || !a.open() {
		t.Errorf("HTTP %d", response.StatusCode)
	}
}
