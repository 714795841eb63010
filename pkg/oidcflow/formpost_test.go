package oidcflow

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const formType = "application/x-www-form-urlencoded"

func testFormListener() (*listener, *contest) {
	c := newContest(expected{state: "s-1", issuer: testIssuer, formPost: true})
	return newListener(redirect{host: "127.0.0.1", port: 8400, path: "/callback"}, c, "id.example.com"), c
}

func postForm(h http.Handler, target, kind, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.Host = "127.0.0.1:8400"
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	h.ServeHTTP(w, r)
	return w
}

// What is not the one form that is waited for changes nothing, from an attacker's
// page too.
func TestFormPostIgnores(t *testing.T) {
	const right = "code=c&state=s-1"
	l, c := testFormListener()
	for _, tc := range []struct {
		name, target, kind, body string
		status                   int
	}{
		{"wrong state", "/callback", formType, "code=evil&state=s-2", 400},
		{"no state", "/callback", formType, "code=evil", 400},
		{"state twice", "/callback", formType, right + "&state=s-1", 400},
		{"code twice", "/callback", formType, right + "&code=evil", 400},
		{"iss twice", "/callback", formType, right + "&iss=a&iss=b", 400},
		{"error with the wrong state", "/callback", formType, "error=access_denied&state=x", 400},
		{"broken", "/callback", formType, "code=%zz&state=s-1", 400},
		{"empty", "/callback", formType, "", 400},
		{"no type", "/callback", "", right, 415},
		{"text", "/callback", "text/plain", right, 415},
		{"JSON", "/callback", "application/json", `{"code":"c","state":"s-1"}`, 415},
		{"multipart", "/callback", "multipart/form-data; boundary=x", right, 415},
		{"broken type", "/callback", formType + "; =", right, 415},
		{"huge", "/callback", formType, right + "&x=" + strings.Repeat("x", maxForm), 413},
		{"state in the address", "/callback?state=s-1", formType, "code=c", 400},
		{"all in the address", "/callback?" + right, formType, "", 400},
		{"address as well", "/callback?x=y", formType, right, 400},
		{"elsewhere", "/other", formType, right, 404},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := postForm(l, tc.target, tc.kind, tc.body)
			if w.Code != tc.status || len(c.responses) != 0 || c.taken.Load() != isOpen {
				t.Errorf("status %d, taken %d", w.Code, c.taken.Load())
			}
		})
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT"} {
		w := ask(l, method, "/callback?"+right, "127.0.0.1:8400")
		if w.Code != 405 || w.Header().Get("Allow") != "POST" || c.taken.Load() != isOpen {
			t.Errorf("%s: %d", method, w.Code)
		}
		if method == "GET" && !strings.Contains(w.Body.String(), "response_mode=form_post") {
			t.Error("the page does not say why")
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/callback", strings.NewReader(right))
	r.Host = "evil.example:8400"
	r.Header.Set("Content-Type", formType)
	w := httptest.NewRecorder()
	if l.ServeHTTP(w, r); w.Code != 403 {
		t.Errorf("foreign host: %d", w.Code)
	}
	if t.Failed() {
		return
	}
	first := make(chan *httptest.ResponseRecorder)
	go func() { first <- postForm(l, "/callback", formType+"; charset=UTF-8", right) }()
	if r := <-c.responses; r.verdict != nil || r.code.Reveal() != "c" {
		t.Errorf("%+v", r)
	}
	if w := postForm(l, "/callback", formType, right); w.Code != 400 {
		t.Errorf("the second form: %d", w.Code)
	}
	l.close(nil)
	if w := <-first; w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
}

// posts is an authorization endpoint that lets the browser post the answer, as
// the specification's page does with a script.
func posts(answer func(url.Values) url.Values) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		form := answer(r.Form)
		go func() {
			res, err := http.Post(r.FormValue("redirect_uri"), formType, strings.NewReader(form.Encode())) //nolint:gosec,noctx // to this machine
			if err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
		}()
	}
}

func TestSignInFormPost(t *testing.T) {
	f := newFake(t)
	var asked url.Values
	f.on("/authorize", func(w http.ResponseWriter, r *http.Request) {
		asked = r.Form
		// An attacker's page was faster.
		res, err := http.Post(r.FormValue("redirect_uri"), formType, strings.NewReader("code=evil&state=guessed")) //nolint:gosec,noctx // to this machine
		if err != nil {
			t.Error(err)
			return
		}
		_ = res.Body.Close()
		if res.StatusCode != 400 {
			t.Errorf("the attacker's form: %d", res.StatusCode)
		}
		posts(func(q url.Values) url.Values {
			return url.Values{"code": {"the-code"}, "state": {q.Get("state")}, "iss": {f.URL}}
		})(w, r)
	})
	f.on("/token", saysJSON(200, tokenBody("")))
	c := f.client()
	c.AuthParams = map[string]string{"response_mode": "form_post"}
	var browser visit
	err := c.SignIn(t.Context(), f.metadata(), SignInOptions{Open: browser.open, Complete: accepts, Timeout: 10 * time.Second})
	browser.wg.Wait()
	if err != nil || asked.Get("response_mode") != "form_post" {
		t.Fatalf("%v, asked %v", err, asked)
	}
	if form, _ := f.last(); form.Get("code") != "the-code" {
		t.Errorf("%v", form)
	}

	f.on("/authorize", posts(func(q url.Values) url.Values {
		return url.Values{"code": {"the-code"}, "state": {q.Get("state")}, "iss": {"https://evil.example"}}
	}))
	err = c.SignIn(t.Context(), f.metadata(), SignInOptions{Open: browser.open, Complete: accepts, Timeout: 10 * time.Second})
	browser.wg.Wait()
	var wrong *ResponseError
	if !errors.As(err, &wrong) {
		t.Errorf("another issuer: %v", err)
	}
}

func FuzzForm(f *testing.F) {
	f.Add(formType, "code=c&state=s-1")
	f.Add(formType+"; charset=utf-8", "state=s-1&error=access_denied&error_description=%1b")
	f.Add("multipart/form-data; boundary=x", "--x")
	f.Add(formType, "state=s-1&code=a;code=b")
	f.Fuzz(func(t *testing.T, kind, body string) {
		l, c := testFormListener()
		l.close(nil) // the end of the sign-in is not waited for
		c.taken.Store(isOpen)
		w := postForm(l, "/callback", kind, body)
		select {
		case r := <-c.responses:
			if !strings.Contains(body, "s-1") && !strings.Contains(body, "%") || r.verdict == nil && r.code.IsZero() {
				t.Fatalf("%q %q was taken", kind, body)
			}
		default:
			if w.Code < 400 {
				t.Fatalf("%q %q: %d", kind, body, w.Code)
			}
		}
		if len(body) > maxForm/4 { // each character becomes three at most
			return
		}
		// The one that is right is always taken.
		l, c = testFormListener()
		go postForm(l, "/callback", formType, "state=s-1&code=c&session_state="+url.QueryEscape(body))
		select {
		case <-c.responses:
		case <-time.After(10 * time.Second):
			t.Fatal("the right form was not taken")
		}
		l.close(context.Canceled)
	})
}
