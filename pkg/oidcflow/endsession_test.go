package oidcflow

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// get asks without following a redirect.
func get(t *testing.T, target, host string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// The ID token reaches the provider, and no address that is handed to a program.
func TestEndSession(t *testing.T) {
	f := newFake(t)
	var asked url.Values
	f.on("/logout", func(w http.ResponseWriter, r *http.Request) {
		asked = r.Form
		if to := r.FormValue("post_logout_redirect_uri"); to != "" {
			http.Redirect(w, r, to+"?"+url.Values{"state": {r.FormValue("state")}}.Encode(), http.StatusFound)
			return
		}
		says(200, "text/html", "signed out at the provider")(w, r)
	})
	for _, redirect := range []string{"", "http://127.0.0.1:0/bye", "http://localhost:0", "http://127.0.0.1/"} {
		t.Run(redirect, func(t *testing.T) {
			var browser visit
			var opened, shown string
			err := f.client().EndSession(t.Context(), f.metadata(), EndSessionOptions{
				IDToken: NewSecret("header.hush.signature"), Redirect: redirect, Timeout: 10 * time.Second,
				Notify: func(u string) { shown = u },
				Open: func(ctx context.Context, u string) error {
					opened = u
					return browser.open(ctx, u)
				},
			})
			browser.wg.Wait()
			if err != nil || browser.err != nil || browser.status != 200 {
				t.Fatalf("%v; browser %d, %v", err, browser.status, browser.err)
			}
			u, err := url.Parse(opened)
			if err != nil || !IsLoopback(u.Hostname()) || len(u.Path) != 44 || strings.Contains(opened, "hush") || shown != opened {
				t.Errorf("opened %q, shown %q", opened, shown)
			}
			if asked.Get("id_token_hint") != "header.hush.signature" || asked.Get("client_id") != "the-client" || asked.Has("logout_hint") {
				t.Errorf("the provider was asked %v", asked)
			}
			if redirect == "" {
				if asked.Has("state") || asked.Has("post_logout_redirect_uri") || !strings.Contains(browser.page, "at the provider") {
					t.Errorf("asked %v, page %s", asked, browser.page)
				}
				return
			}
			back, err := url.Parse(asked.Get("post_logout_redirect_uri"))
			if err != nil || back.Host != u.Host || len(asked.Get("state")) != 43 || strings.Contains(asked.Get("state"), u.Path[1:]) {
				t.Errorf("asked %v", asked)
			}
			if !strings.Contains(browser.page, "You are signed out") {
				t.Errorf("the last page is %s", browser.page)
			}
		})
	}
}

func TestEndSessionEnds(t *testing.T) {
	f := newFake(t)
	c, md := f.client(), f.metadata()
	silent := func(context.Context, string) error { return nil }
	if err := c.EndSession(t.Context(), &Metadata{}, EndSessionOptions{Open: silent}); !errors.Is(err, ErrNoEndSession) {
		t.Errorf("no endpoint: %v", err)
	}
	if err := c.EndSession(t.Context(), &Metadata{Issuer: testIssuer, EndSessionEndpoint: "javascript:alert(1)"}, EndSessionOptions{Open: silent}); err == nil {
		t.Error("a script as the endpoint")
	}
	if err := c.EndSession(t.Context(), md, EndSessionOptions{}); err == nil {
		t.Error("no way to the browser")
	}
	if err := c.EndSession(t.Context(), md, EndSessionOptions{Open: silent, Redirect: "https://example.com/bye"}); err == nil || !strings.Contains(err.Error(), "post_logout_redirect") {
		t.Errorf("a redirect elsewhere: %v", err)
	}
	if err := c.EndSession(t.Context(), md, EndSessionOptions{Open: silent, Timeout: 10 * time.Millisecond}); !errors.Is(err, ErrEndSessionTimeout) {
		t.Errorf("time limit: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := c.EndSession(ctx, md, EndSessionOptions{Notify: func(string) { cancel() }}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	broken := errors.New("no browser")
	fails := func(context.Context, string) error { return broken }
	if err := c.EndSession(t.Context(), md, EndSessionOptions{Open: fails}); !errors.Is(err, broken) {
		t.Errorf("no browser: %v", err)
	}
	var browser visit
	f.on("/logout", says(200, "text/html", ""))
	err := c.EndSession(t.Context(), md, EndSessionOptions{Open: fails, Notify: func(u string) { _ = browser.open(t.Context(), u) }})
	browser.wg.Wait()
	if err != nil {
		t.Errorf("no browser, but a person: %v", err)
	}

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	var e *ListenError
	err = c.EndSession(t.Context(), md, EndSessionOptions{Open: silent, Redirect: "http://" + taken.Addr().String() + "/bye"})
	if !errors.As(err, &e) || !strings.Contains(e.Hint(), "post_logout_redirect") {
		t.Errorf("%v", err)
	}
}

// A provider that comes back without the state, or with another one, has not
// shown that it ended anything.
func TestEndSessionWrongState(t *testing.T) {
	f := newFake(t)
	var back string
	f.on("/logout", func(w http.ResponseWriter, r *http.Request) {
		back = r.FormValue("post_logout_redirect_uri")
		for _, query := range []string{"", "?state=", "?state=x", "?state=" + r.FormValue("state") + "&state=x", "?state=%zz"} {
			if res, page := get(t, back+query, ""); res.StatusCode != 400 || !strings.Contains(page, "another sign-out") {
				t.Errorf("%q: %d", query, res.StatusCode)
			}
		}
		if res, _ := get(t, back+"?state="+r.FormValue("state"), "evil.example"); res.StatusCode != 403 {
			t.Errorf("foreign host: %d", res.StatusCode)
		}
		http.Redirect(w, r, back+"?state="+r.FormValue("state"), http.StatusSeeOther)
	})
	var browser visit
	err := f.client().EndSession(t.Context(), f.metadata(), EndSessionOptions{Open: browser.open, Redirect: "http://127.0.0.1:0/bye", Timeout: 10 * time.Second})
	browser.wg.Wait()
	if err != nil || browser.status != 200 {
		t.Errorf("%v, %d", err, browser.status)
	}
}

func TestEndPage(t *testing.T) {
	newPage := func(state string) *endPage {
		return &endPage{
			where: redirect{host: "127.0.0.1", port: 8400, path: "/bye"}, start: "/start", target: "https://id.example.com/logout?id_token_hint=hush",
			state: state, provider: "id.example.com", mayKnow: func(*http.Request) bool { return true }, done: make(chan struct{}),
		}
	}
	const host = "127.0.0.1:8400"
	e := newPage("")
	for _, tc := range []struct {
		method, target, host string
		status               int
	}{
		{"GET", "/", host, 404},
		{"GET", "/bye?state=", host, 404},
		{"GET", "/favicon.ico", host, 404},
		{"GET", "/start/", host, 404},
		{"GET", "/Start", host, 404},
		{"POST", "/start", host, 405},
		{"HEAD", "/start", host, 405},
		{"OPTIONS", "/start", host, 405},
		{"GET", "/start", "evil.example:8400", 403},
		{"GET", "/start", "localhost:8400", 403},
		{"GET", "/start", "", 403},
	} {
		if w := ask(e, tc.method, tc.target, tc.host); w.Code != tc.status || w.Header().Get("Location") != "" || e.sent.Load() {
			t.Errorf("%s %s: %d", tc.method, tc.target, w.Code)
		}
	}
	// Someone else on this machine is refused, and takes nothing away.
	e.mayKnow = func(*http.Request) bool { return false }
	if w := ask(e, "GET", "/start", host); w.Code != 403 || w.Header().Get("Location") != "" {
		t.Errorf("a stranger: %d", w.Code)
	}
	e.mayKnow = func(*http.Request) bool { return true }
	w := ask(e, "GET", "/start", host)
	if w.Code != 302 || w.Header().Get("Location") != e.target || w.Body.Len() != 0 ||
		w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%d, %v", w.Code, w.Header())
	}
	<-e.done
	if w := ask(e, "GET", "/start", host); w.Code != 404 || w.Header().Get("Location") != "" {
		t.Errorf("the second time: %d", w.Code)
	}

	e = newPage("s-1")
	if w := ask(e, "GET", "/bye?state=s-1", host); w.Code != 400 {
		t.Errorf("back before it went: %d", w.Code)
	}
	ask(e, "GET", "/start", host)
	for range 2 {
		if w := ask(e, "GET", "/bye?state=s-1", host); w.Code != 200 {
			t.Errorf("%d", w.Code)
		}
	}
	<-e.done
}

func TestEndSessionTarget(t *testing.T) {
	c := testClient()
	md := &Metadata{EndSessionEndpoint: testIssuer + "/logout"}
	for length, want := range map[int]bool{1000: true, 7000: true, 9000: false} {
		target, err := c.endSessionTarget(md, NewSecret(strings.Repeat("x", length)), "http://127.0.0.1:1/", "s-1")
		if err != nil || strings.Contains(target, "id_token_hint") != want || len(target) > maxEndSessionURL || !strings.Contains(target, "state=s-1") {
			t.Errorf("%d: %d characters, %v", length, len(target), err)
		}
	}
}

// FuzzEndPage: no request but the right one gets at the ID token.
func FuzzEndPage(f *testing.F) {
	f.Add("GET", "/bye?state=s-1", "127.0.0.1:8400")
	f.Add("GET", "/start", "127.0.0.1:8400")
	f.Add("POST", "/start?x", "evil.example")
	f.Fuzz(func(t *testing.T, method, target, host string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		e := &endPage{
			where: redirect{host: "127.0.0.1", port: 8400, path: "/bye"}, start: "/start", target: "https://id.example.com/?hush",
			state: "s-1", mayKnow: func(*http.Request) bool { return true }, done: make(chan struct{}),
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, &http.Request{Method: method, URL: u, Host: host, Header: http.Header{}})
		right := method == http.MethodGet && u.EscapedPath() == "/start" && host == "127.0.0.1:8400"
		if (w.Header().Get("Location") != "") != right {
			t.Fatalf("%q %q %q: %d", method, target, host, w.Code)
		}
	})
}
