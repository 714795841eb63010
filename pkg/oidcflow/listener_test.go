package oidcflow

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func testListener(required bool) (*listener, *contest) {
	c := newContest(expected{state: "s-1", issuer: testIssuer, issuerRequired: required})
	return newListener(redirect{host: "127.0.0.1", port: 8400, path: "/callback"}, c, "id.example.com"), c
}

func ask(h http.Handler, method, target, host string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, target, nil)
	r.Host = host
	h.ServeHTTP(w, r)
	return w
}

// What is not the one answer that is waited for gets a small page and changes
// nothing.
func TestListenerIgnores(t *testing.T) {
	const right, host = "/callback?code=c&state=s-1", "127.0.0.1:8400"
	l, c := testListener(false)
	for _, tc := range []struct {
		name, method, target, host string
		status                     int
	}{
		{"favicon", "GET", "/favicon.ico", host, 404},
		{"root", "GET", "/", host, 404},
		{"path below", "GET", "/callback/x?code=c&state=s-1", host, 404},
		{"slash more", "GET", "/callback/?code=c&state=s-1", host, 404},
		{"other case", "GET", "/Callback?code=c&state=s-1", host, 404},
		{"escaped path", "GET", "/%63allback?code=c&state=s-1", host, 404},
		{"dots", "GET", "/x/../callback?code=c&state=s-1", host, 404},
		{"POST", "POST", right, host, 405},
		{"HEAD", "HEAD", right, host, 405},
		{"OPTIONS", "OPTIONS", right, host, 405},
		{"foreign host", "GET", right, "evil.example:8400", 403},
		{"host without port", "GET", right, "127.0.0.1", 403},
		{"host with another port", "GET", right, "127.0.0.1:8401", 403},
		{"another name of this machine", "GET", right, "localhost:8400", 403},
		{"no host", "GET", right, "", 403},
		{"no state", "GET", "/callback?code=c", host, 400},
		{"empty state", "GET", "/callback?code=c&state=", host, 400},
		{"wrong state", "GET", "/callback?code=c&state=s-2", host, 400},
		{"start of the state", "GET", "/callback?code=c&state=s-", host, 400},
		{"state twice", "GET", "/callback?code=c&state=s-1&state=s-2", host, 400},
		{"code twice", "GET", "/callback?code=c&code=d&state=s-1", host, 400},
		{"error without state", "GET", "/callback?error=access_denied", host, 400},
		{"error with the wrong state", "GET", "/callback?error=access_denied&state=x", host, 400},
		{"broken query", "GET", "/callback?code=%zz&state=s-1", host, 400},
		{"nothing", "GET", "/callback", host, 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := ask(l, tc.method, tc.target, tc.host)
			if w.Code != tc.status || len(c.responses) != 0 || c.taken.Load() != isOpen {
				t.Errorf("status %d, taken %d", w.Code, c.taken.Load())
			}
			if tc.status == 405 && w.Header().Get("Allow") != "GET" {
				t.Error("no Allow header")
			}
		})
	}
	if t.Failed() {
		return
	}
	first := make(chan *httptest.ResponseRecorder)
	go func() { first <- ask(l, "GET", right, host) }()
	if r := <-c.responses; r.verdict != nil || r.code.Reveal() != "c" {
		t.Errorf("%+v", r)
	}
	if w := ask(l, "GET", right, host); w.Code != 400 {
		t.Errorf("the second hit: %d", w.Code)
	}
	select {
	case <-first:
		t.Error("the browser has its page before the sign-in has ended")
	case <-time.After(10 * time.Millisecond):
	}
	l.close(nil)
	if w := <-first; w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
	if w := ask(l, "GET", right, host); w.Code != 400 {
		t.Errorf("after the end: %d", w.Code)
	}
}

// What has the right state ends the sign-in, for better or worse.
func TestListenerVerdict(t *testing.T) {
	iss := "&iss=" + url.QueryEscape(testIssuer)
	for _, tc := range []struct {
		name, query string
		required    bool
		good        bool
		code        string // of the AuthorizationError
	}{
		{"code", "code=c&state=s-1", false, true, ""},
		{"code with the issuer", "code=c&state=s-1" + iss, false, true, ""},
		{"code with the issuer, required", "code=c&state=s-1" + iss, true, true, ""},
		{"another issuer", "code=c&state=s-1&iss=https%3A%2F%2Fevil.example", false, false, ""},
		{"empty issuer", "code=c&state=s-1&iss=", false, false, ""},
		{"issuer missing", "code=c&state=s-1", true, false, ""},
		{"neither", "state=s-1", false, false, ""},
		{"denied", "error=access_denied&state=s-1&error_description=no", false, false, "access_denied"},
		{"denied by another issuer", "error=access_denied&state=s-1&iss=https%3A%2F%2Fevil.example", false, false, ""},
		{"error and code", "error=server_error&code=c&state=s-1", false, false, "server_error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, c := testListener(tc.required)
			page := make(chan *httptest.ResponseRecorder)
			go func() { page <- ask(l, "GET", "/callback?"+tc.query, "127.0.0.1:8400") }()
			r := <-c.responses
			l.close(r.verdict)
			w := <-page
			if (r.verdict == nil) != tc.good || (w.Code == 200) != tc.good {
				t.Errorf("%v, page %d", r.verdict, w.Code)
			}
			var refused *AuthorizationError
			var unusable *ResponseError
			switch {
			case tc.code != "" && (!errors.As(r.verdict, &refused) || refused.Code != tc.code),
				tc.code == "" && !tc.good && !errors.As(r.verdict, &unusable):
				t.Errorf("%v", r.verdict)
			}
		})
	}
}

func TestAuthorizationErrorText(t *testing.T) {
	l, c := testListener(false)
	go ask(l, "GET", "/callback?state=s-1&error=x%1b%5b2Jy&error_uri=https%3A%2F%2Fid.example.com%0a&error_description="+strings.Repeat("a", 2000), "127.0.0.1:8400")
	r := <-c.responses
	l.close(r.verdict)
	var e *AuthorizationError
	if !errors.As(r.verdict, &e) || e.Code != "xy" || e.URI != "https://id.example.com" || len([]rune(e.Description)) != 300 {
		t.Errorf("%+v", r.verdict)
	}
}

// A header that never ends or is too large does not keep the listener.
func TestListenerLimits(t *testing.T) {
	l, _ := testListener(false)
	sockets, r, err := redirect{host: "127.0.0.1", path: "/callback"}.listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.redirect = r
	l.serve(sockets)
	defer l.close(nil)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.uri(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Large", strings.Repeat("x", 64<<10))
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%d", res.StatusCode)
	}
	if l.server.ReadHeaderTimeout <= 0 || l.server.ReadTimeout <= 0 || l.server.IdleTimeout <= 0 {
		t.Error("no time limits")
	}
}
