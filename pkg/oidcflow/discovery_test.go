package oidcflow

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

const discoveryPath = "/.well-known/openid-configuration"

func TestDiscover(t *testing.T) {
	f := newFake(t)
	for _, path := range []string{"", "/", "/tenant", "/tenant/"} {
		doc := f.document()
		doc["issuer"] = f.URL + path
		f.on(strings.TrimSuffix(path, "/")+discoveryPath, saysJSON(200, string(mustJSON(t, doc))))
		c := f.client()
		c.Issuer = f.URL + path
		md, err := c.Discover(t.Context())
		if err != nil || md.Issuer != f.URL+path {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestDiscoverIssuer(t *testing.T) {
	for _, issuer := range []string{"", "http://id.example.com", "ftp://id.example.com", "https://id.example.com?x"} {
		if _, err := (&Client{Issuer: issuer}).Discover(t.Context()); err == nil {
			t.Errorf("%q was asked", issuer)
		}
	}
}

func TestDiscoverHostile(t *testing.T) {
	f := newFake(t)
	good := string(mustJSON(t, f.document()))
	for _, tc := range []struct {
		name    string
		answer  http.HandlerFunc
		status  int // of the RetrieveError; 0: a MetadataError
		success bool
	}{
		{"portal", says(200, "text/html", "<html>sign in to the wifi</html>"), 200, false},
		{"not found", saysJSON(404, `{}`), 404, false},
		{"no content", saysJSON(204, ``), 204, false},
		{"empty", saysJSON(200, ``), 200, false},
		{"list", saysJSON(200, `[]`), 200, false},
		{"truncated", saysJSON(200, good[:len(good)-2]), 200, false},
		{"nested", saysJSON(200, strings.Repeat(`{"a":`, 20000)), 200, false},
		{"too large", saysJSON(200, good[:len(good)-1]+`,"x":"`+strings.Repeat("x", maxAnswer)+`"}`), 200, false},
		{"trouble", saysJSON(503, `{"error":"temporarily_unavailable"}`), 503, false},
		{"another issuer", saysJSON(200, strings.Replace(good, `"issuer":"`+f.URL, `"issuer":"https://evil.example`, 1)), 0, false},
		{"object without anything", saysJSON(200, `{}`), 0, false},
		{"as text", says(200, "text/plain", good), 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f.on(discoveryPath, tc.answer)
			_, err := f.client().Discover(t.Context())
			var answer *oauth2.RetrieveError
			var document *MetadataError
			switch {
			case tc.success:
				if err != nil {
					t.Error(err)
				}
			case tc.status != 0:
				if !errors.As(err, &answer) || answer.Response.StatusCode != tc.status {
					t.Errorf("%v", err)
				}
			case !errors.As(err, &document):
				t.Errorf("%v", err)
			}
		})
	}
}

func TestDiscoverRedirects(t *testing.T) {
	f := newFake(t)
	good := saysJSON(200, string(mustJSON(t, f.document())))
	redirectTo := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
	}
	chain := func(n int) {
		f.on(discoveryPath, redirectTo("/hop1"))
		for i := 1; i < n; i++ {
			f.on(fmt.Sprintf("/hop%d", i), redirectTo(fmt.Sprintf("/hop%d", i+1)))
		}
		f.on(fmt.Sprintf("/hop%d", n), good)
	}
	chain(5)
	if _, err := f.client().Discover(t.Context()); err != nil {
		t.Errorf("five redirects: %v", err)
	}
	var answer *oauth2.RetrieveError
	chain(6)
	if _, err := f.client().Discover(t.Context()); !errors.As(err, &answer) || answer.Response.StatusCode != 302 {
		t.Errorf("six redirects: %v", err)
	}
	f.on(discoveryPath, redirectTo(discoveryPath))
	if _, err := f.client().Discover(t.Context()); !errors.As(err, &answer) || answer.Response.StatusCode != 302 {
		t.Errorf("a circle: %v", err)
	}
	for _, to := range []string{"http://portal.example/", "ftp://id.example.com/", "https://user:pass@id.example.com/"} {
		f.on(discoveryPath, redirectTo(to))
		if _, err := f.client().Discover(t.Context()); !errors.As(err, &answer) || answer.Response.StatusCode != 302 {
			t.Errorf("to %s: %v", to, err)
		}
	}
}

// From https there is no way back to http, not even on this machine.
func TestRedirectToPlainHTTP(t *testing.T) {
	plain := newFake(t)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain.URL+discoveryPath, http.StatusFound)
	}))
	t.Cleanup(s.Close)
	c := &Client{Issuer: s.URL, ClientID: "x", HTTP: s.Client()}
	var answer *oauth2.RetrieveError
	if _, err := c.Discover(t.Context()); !errors.As(err, &answer) || answer.Response.StatusCode != 302 || plain.count(discoveryPath) != 0 {
		t.Errorf("%v", err)
	}
}
