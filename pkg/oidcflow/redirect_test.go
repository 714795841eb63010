package oidcflow

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
)

func TestParseRedirect(t *testing.T) {
	for raw, want := range map[string]string{
		"":                                  "http://127.0.0.1:0/callback",
		"http://127.0.0.1:0/callback":       "http://127.0.0.1:0/callback",
		"http://127.0.0.1:8400/callback":    "http://127.0.0.1:8400/callback",
		"http://127.0.0.1/callback":         "http://127.0.0.1:0/callback",
		"http://[::1]:8400/a/b":             "http://[::1]:8400/a/b",
		"http://localhost:8400":             "http://localhost:8400",
		"http://LOCALHOST:8400/":            "http://localhost:8400/",
		"http://127.0.0.1:8400/a%20b":       "http://127.0.0.1:8400/a%20b",
		"https://127.0.0.1:8400/callback":   "",
		"http://example.com/callback":       "",
		"http://127.0.0.1.example.com/":     "",
		"http://0.0.0.0:8400/callback":      "",
		"http://127.0.0.1:99999/callback":   "",
		"http://127.0.0.1:8400/callback?x":  "",
		"http://127.0.0.1:8400/callback#x":  "",
		"http://user@127.0.0.1:8400/":       "",
		"urn:ietf:wg:oauth:2.0:oob":         "",
		"/callback":                         "",
		"http://127.0.0.1:8400/\x1b[31mred": "",
	} {
		r, err := parseRedirect(raw)
		if (err != nil) != (want == "") || err == nil && r.uri() != want {
			t.Errorf("%q: %q, %v", raw, r.uri(), err)
		}
		if err != nil && strings.ContainsRune(err.Error(), 0x1b) {
			t.Errorf("%q", err)
		}
	}
}

func TestRedirectHost(t *testing.T) {
	for _, tc := range []struct {
		r    redirect
		host string
		want bool
	}{
		{redirect{host: "127.0.0.1", port: 8400}, "127.0.0.1:8400", true},
		{redirect{host: "127.0.0.1", port: 8400}, "127.0.0.1", false},
		{redirect{host: "127.0.0.1", port: 8400}, "localhost:8400", false},
		{redirect{host: "127.0.0.1", port: 8400}, "evil.example:8400", false},
		{redirect{host: "127.0.0.1", port: 8400}, "", false},
		{redirect{host: "localhost", port: 8400}, "LocalHost:8400", true},
		{redirect{host: "::1", port: 8400}, "[::1]:8400", true},
		{redirect{host: "127.0.0.1", port: 80}, "127.0.0.1", true},
		{redirect{host: "127.0.0.1", port: 80}, "127.0.0.1:80", true},
	} {
		if got := tc.r.isHost(tc.host); got != tc.want {
			t.Errorf("%s at %s: %v", tc.host, tc.r.authority(), got)
		}
	}
}

func TestListen(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "localhost"} {
		sockets, r, err := redirect{host: host}.listen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r.port == 0 {
			t.Error("no port")
		}
		for _, s := range sockets {
			if a := s.Addr().(*net.TCPAddr); a.Port != r.port || !a.IP.IsLoopback() {
				t.Errorf("listens at %v", a)
			}
		}
		_, _, err = redirect{host: host, port: r.port}.listen(t.Context())
		var e *ListenError
		if !errors.As(err, &e) || e.Port != r.port || !strings.Contains(err.Error(), "in use") ||
			!strings.Contains(err.Error(), strconv.Itoa(r.port)) || !strings.Contains(e.Hint(), "redirect") {
			t.Errorf("a port in use: %v", err)
		}
		for _, s := range sockets {
			_ = s.Close()
		}
	}
}

// With "localhost", who listens at ::1 alone could take the answer.
func TestListenLocalhostHalfTaken(t *testing.T) {
	v6, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 on this machine")
	}
	defer func() { _ = v6.Close() }()
	sockets, _, err := redirect{host: "localhost", port: portOf(v6)}.listen(t.Context())
	var e *ListenError
	if !errors.As(err, &e) {
		t.Errorf("%v", err)
	}
	for _, s := range sockets {
		_ = s.Close()
	}
}
