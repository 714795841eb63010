//go:build linux

package oidcflow

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"strings"
	"testing"
	"time"
)

// look is where the browser is.
func (b *chromium) look() (address, heading string) {
	b.t.Helper()
	var got struct{ Address, Heading string }
	b.evaluate(`({address: location.href, heading: (document.querySelector("h1") || {}).innerText || ""})`, &got)
	return got.Address, got.Heading
}

// goTo opens the address and waits for the page with the heading: on the way
// there may be others that go on by themselves.
func (b *chromium) goTo(address, heading string) string {
	b.t.Helper()
	b.open(address)
	for range 200 {
		at, got := b.look()
		if got == heading {
			return at
		}
		b.call("Runtime.evaluate", map[string]any{"expression": `new Promise(r => setTimeout(r, 20))`, "awaitPromise": true}, nil)
	}
	at, got := b.look()
	b.t.Fatalf("the browser is at %s: %q", at, got)
	return ""
}

// TestFormPostInChromium: a real browser posts the answer from the page that OAuth
// 2.0 Form Post Response Mode shows in its appendix A.
func TestFormPostInChromium(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser := startChromium(t)
	f := newFake(t)
	f.on("/authorize", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!DOCTYPE html><title>Submit This Form</title><body onload="javascript:document.forms[0].submit()">
<form method="post" action="%s"><input type="hidden" name="state" value="%s"><input type="hidden" name="code" value="the+/ code"></form>`,
			html.EscapeString(r.FormValue("redirect_uri")), html.EscapeString(r.FormValue("state")))
	})
	f.on("/token", saysJSON(200, tokenBody("")))
	c := f.client()
	c.AuthParams = map[string]string{"response_mode": "form_post"}
	target, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- c.SignIn(t.Context(), f.metadata(), SignInOptions{
			Complete: accepts, Timeout: time.Minute, Open: func(_ context.Context, u string) error { target <- u; return nil },
		})
	}()
	at := browser.goTo(<-target, "You are signed in")
	if err := <-done; err != nil || strings.ContainsAny(at, "?#") {
		t.Errorf("%v, the browser is at %s", err, at)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, path := range f.paths {
		if path == "/token" && f.forms[i].Get("code") != "the+/ code" {
			t.Errorf("%v", f.forms[i])
		}
	}
}

// TestEndSessionInChromium: a real browser is sent on and comes back, and the ID
// token is in no address that it keeps.
func TestEndSessionInChromium(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser := startChromium(t)
	f := newFake(t)
	referer := "none"
	f.on("/logout", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("id_token_hint") != "header.hush.signature" {
			t.Errorf("asked %v", r.Form)
		}
		referer = r.Referer()
		http.Redirect(w, r, r.FormValue("post_logout_redirect_uri")+"?state="+r.FormValue("state"), http.StatusFound)
	})
	target, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- f.client().EndSession(t.Context(), f.metadata(), EndSessionOptions{
			IDToken: NewSecret("header.hush.signature"), Redirect: "http://localhost/signed-out", Timeout: time.Minute,
			Open: func(_ context.Context, u string) error { target <- u; return nil },
		})
	}()
	at := browser.goTo(<-target, "You are signed out")
	if err := <-done; err != nil || strings.ContainsAny(at, "?#") || !strings.HasSuffix(at, "/signed-out") {
		t.Errorf("%v, the browser is at %s", err, at)
	}
	if referer != "" {
		t.Errorf("the provider was told %q", referer)
	}
}
