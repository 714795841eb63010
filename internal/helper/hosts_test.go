package helper

import (
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, host string
		want          bool
	}{
		{"git.example.com", "git.example.com", true},
		{"Git.Example.COM", "gIT.example.com", true},
		{"git.example.com", "git.example.com.", true},
		{"git.example.com.", "git.example.com", true},
		{"git.example.com", "evilgit.example.com", false},
		{"git.example.com", "git.example.com.evil.org", false},
		{"git.example.com", "example.com", false},
		{"kube.example.com", "\u212aube.example.com", false}, // the Kelvin sign, a k in Unicode's lower case
		// Ports.
		{"git.example.com", "git.example.com:443", true},
		{"git.example.com", "git.example.com:8443", false},
		{"git.example.com:443", "git.example.com", true},
		{"git.example.com:8443", "git.example.com:8443", true},
		{"git.example.com:8443", "git.example.com:08443", true},
		{"git.example.com:8443", "git.example.com", false},
		{"git.example.com:8443", "git.example.com:443", false},
		{"git.example.com", "git.example.com:", false},
		{"git.example.com", "git.example.com:443:443", false},
		{"git.example.com", "git.example.com:70000", false},
		{"git.example.com:x", "git.example.com", false},
		// Wildcards.
		{"*.example.com", "git.example.com", true},
		{"*.example.com", "a.b.example.com", true},
		{"*.example.com", "example.com", false},
		{"*.example.com", ".example.com", false},
		{"*.example.com", "evilexample.com", false},
		{"*.example.com", "git.example.com:8443", false},
		{"*.example.com:8443", "git.example.com:8443", true},
		{"*.example.com:8443", "git.example.com", false},
		{"*", "git.example.com", false},
		{"*.", "git.example.com", false},
		{"*.*", "git.example.com", false},
		{"*.*.com", "git.example.com", false},
		{"g*.example.com", "git.example.com", false},
		{"git.*.com", "git.example.com", false},
		{"*.0.0.1", "127.0.0.1", false}, // an address has no names below it
		{"*.127.0.0.1", "x.127.0.0.1", false},
		// Not hosts.
		{"", "", false},
		{"", "git.example.com", false},
		{"git.example.com", "user@git.example.com", false},
		{"git.example.com", "git.example.com/x", false},
		{"git.example.com", "git.example.com\n", false},
		{"git.example.com", " git.example.com", false},
		{"https://git.example.com", "git.example.com", false},
		{"git..example.com", "git..example.com", false},
		{"*.example.com", "..example.com", false},
		// Addresses.
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1:3000", "127.0.0.1:3000", true},
		{"[::1]:3000", "[::1]:3000", true},
		{"::1", "[::1]", true},
		{"[::1]", "[0:0:0:0:0:0:0:1]:443", true},
		{"[::1]", "[::1]x", false},
		{"[::1]", "[::1", false},
		{"[::1]", "[::1]:", false},
		// An internationalised name is compared as it is written.
		{"bücher.example", "BÜCHER.example", true},
		{"bücher.example", "xn--bcher-kva.example", false},
	} {
		if got := Match([]string{tt.pattern}, tt.host); got != tt.want {
			t.Errorf("Match(%q, %q) = %v", tt.pattern, tt.host, got)
		}
	}
	if Match(nil, "git.example.com") {
		t.Error("no pattern matches")
	}
	if !Match([]string{"a.example", "bad*", "git.example.com"}, "git.example.com") {
		t.Error("the last pattern does not match")
	}
}

func TestMatchByScheme(t *testing.T) {
	for _, tt := range []struct {
		pattern, scheme, host string
		want                  bool
	}{
		{"127.0.0.1", "http", "127.0.0.1", true},
		{"127.0.0.1", "http", "127.0.0.1:80", true},
		{"127.0.0.1", "http", "127.0.0.1:443", false},
		{"127.0.0.1:80", "http", "127.0.0.1", true},
		{"127.0.0.1:80", "https", "127.0.0.1", false},
	} {
		if got := (Server{Scheme: tt.scheme, Host: tt.host}).Matches([]string{tt.pattern}); got != tt.want {
			t.Errorf("%s://%s by %q: %v", tt.scheme, tt.host, tt.pattern, got)
		}
	}
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.8.9.1:80": true, "[::1]:80": true, "localhost": true, "LOCALHOST:3000": true,
		"localhost.example.com": false, "128.0.0.1": false, "0.0.0.0": false, "evil.localhost.com": false,
		"127.0.0.1.nip.io": false, "localhost.": false, "localhost.:80": false, "127.0.0.1@example.com": false, "": false,
	} {
		if got := (Server{Scheme: "http", Host: host}).loopback(); got != want {
			t.Errorf("%q is loopback: %v", host, got)
		}
	}
}

func TestCheckPattern(t *testing.T) {
	for _, good := range []string{"git.example.com", "*.example.com", "host:8443", "*.example.com:8443", "[::1]:1", "10.0.0.1", "my_host"} {
		if err := CheckPattern(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "*", "*.", "**.example.com", "*.10.0.0.1", "https://x.example", "x/y", "a b", "x:0", "x:99999", "x:-1"} {
		if CheckPattern(bad) == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

// FuzzMatch: a name matches only a pattern that says so.
func FuzzMatch(f *testing.F) {
	for _, s := range []string{"git.example.com", "*.example.com", "[::1]:80", "x:8443", "a..b", "*.*", "\x00", "user@h"} {
		f.Add(s, s)
		f.Add("*.example.com", s)
	}
	f.Fuzz(func(t *testing.T, pattern, host string) {
		if !Match([]string{pattern}, host) {
			return
		}
		if CheckPattern(pattern) != nil {
			t.Fatalf("the refused pattern %q matches %q", pattern, host)
		}
		name, _, ok := splitHost(host)
		if !ok || strings.ContainsAny(host, "/@\n\r\x00 ") {
			t.Fatalf("%q is no host and matches %q", host, pattern)
		}
		below, wild := strings.CutPrefix(pattern, "*.")
		want, _, _ := splitHost(below)
		if wild && !strings.HasSuffix(name, "."+want) || !wild && name != want {
			t.Fatalf("%q matches %q", host, pattern)
		}
	})
}
