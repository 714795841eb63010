package helper

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzCalled: a name is that of one helper or of none, and what follows the @
// is given on as it is.
func FuzzCalled(f *testing.F) {
	for _, s := range []string{"", "oidc-cred", "oidc-cred-pnpm@work", `C:\a\keyring.EXE`, "/x/git-credential-oidc-cred", "oidc-cred-@", ".exe", "@", "oidc-cred-linux-amd64"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		protocol, profile := Called(name)
		if protocol == "" && profile != "" {
			t.Fatalf("%q has the profile %q and is no helper", name, profile)
		}
		if protocol != "" && (protocol != strings.ToLower(protocol) || strings.ContainsAny(protocol, `/\@. `)) {
			t.Fatalf("%q is the helper %q", name, protocol)
		}
		if profile != "" && !strings.Contains(name, "@"+profile) {
			t.Fatalf("%q has the profile %q", name, profile)
		}
	})
}

func TestParseServer(t *testing.T) {
	for text, want := range map[string]string{
		"r.example.com":                      "https r.example.com",
		"r.example.com:5000":                 "https r.example.com:5000",
		"r.example.com/v2/":                  "https r.example.com",
		"https://r.example.com/v1/?x=a@b#c":  "https r.example.com",
		"HTTP://127.0.0.1:80":                "http 127.0.0.1:80",
		"https://user:secret@r.example.com/": "https r.example.com",
		"https://[::1]:8443/x":               "https [::1]:8443",
		"::1":                                "https ::1",
		"":                                   "", "https://": "", "ftp://r.example.com": "", "sparse+https://r.example.com/": "",
		"https://r.example.com:x": "", "a b": "", "https://user@": "", "https:///x": "", `https://r.example.com\@evil.example`: "", "*.example.com": "",
	} {
		s, ok := ParseServer(text)
		got := ""
		if ok {
			got = s.Scheme + " " + s.Host
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// FuzzParseServer: what is taken names a host that Match can compare, a user, a
// path or a query never becomes part of it, and a request to the text goes to
// that very host, also with a path joined to it as for Vault.
func FuzzParseServer(f *testing.F) {
	for _, s := range []string{"r.example.com", "https://a@b/c?d@e#f", "http://[::1]:1", `https://a\@b`, "https://a%40b/", "//a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := ParseServer(text)
		if !ok {
			return
		}
		if _, _, valid := splitHost(s.Host); !valid || strings.ContainsAny(s.Host, `/\?#@ `) {
			t.Fatalf("%q gives the host %q", text, s.Host)
		}
		joined, err := url.JoinPath(strings.TrimRight(text, "/"), "v1", "auth/x/login")
		if err != nil {
			joined = text
		}
		for _, address := range []string{text, joined} {
			if u, err := url.Parse(address); err == nil && u.Host != "" && (u.Host != s.Host || u.Scheme != s.Scheme) {
				t.Fatalf("%q gives %v, and a request to %q goes to %s://%s", text, s, address, u.Scheme, u.Host)
			}
		}
	})
}
