package oidcflow

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// pushRun is a provider that takes pushed requests, and a sign-in at it.
type pushRun struct {
	f  *fake
	c  *Client
	md *Metadata
	o  SignInOptions

	browser visit
	opened  []string
}

func newPushRun(t *testing.T, answer http.HandlerFunc) *pushRun {
	p := &pushRun{f: newFake(t)}
	p.c, p.md = p.f.client(), p.f.metadata()
	p.md.PushedAuthorizationRequestEndpoint = p.f.URL + "/par"
	pushed := url.Values{}
	p.f.on("/par", func(w http.ResponseWriter, r *http.Request) {
		pushed = r.Form
		answer(w, r)
	})
	p.f.on("/authorize", func(w http.ResponseWriter, r *http.Request) {
		asked := r.Form
		if asked.Has("request_uri") {
			asked = pushed
		}
		http.Redirect(w, r, asked.Get("redirect_uri")+"?"+approves(asked).Encode(), http.StatusFound)
	})
	p.f.on("/token", saysJSON(200, tokenBody("")))
	p.o = SignInOptions{Complete: accepts, Open: func(ctx context.Context, u string) error {
		p.opened = append(p.opened, u)
		return p.browser.open(ctx, u)
	}}
	return p
}

// signIn gives the query that the browser was sent to, nil if to nothing.
func (p *pushRun) signIn(t *testing.T) (url.Values, error) {
	t.Helper()
	err := p.c.SignIn(t.Context(), p.md, p.o)
	p.browser.wg.Wait()
	if len(p.opened) == 0 {
		return nil, err
	}
	u, parseErr := url.Parse(p.opened[0])
	if parseErr != nil {
		t.Fatal(parseErr)
	}
	return u.Query(), err
}

const pushAnswer = `{"request_uri":"urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c","expires_in":60}`

func TestPush(t *testing.T) {
	p := newPushRun(t, saysJSON(201, pushAnswer))
	p.c.ClientSecret = func(context.Context) (Secret, error) { return NewSecret("s e:c"), nil }
	p.c.Audience, p.c.Resources = "the-api", []string{"https://a.example", "https://b.example"}
	p.c.AuthParams = map[string]string{"login_hint": "ann@example.com", "acr_values": "mfa"}
	p.md.AuthorizationEndpoint += "?tenant=x"
	q, err := p.signIn(t)
	if err != nil {
		t.Fatal(err)
	}
	if len(q) != 3 || q.Get("client_id") != "the-client" || q.Get("tenant") != "x" ||
		q.Get("request_uri") != "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c" {
		t.Errorf("the browser was sent to %v", q)
	}
	if p.f.paths[0] != "/par" {
		t.Errorf("%v", p.f.paths)
	}
	form, head := p.f.forms[0], p.f.heads[0]
	for _, name := range []string{"state", "nonce", "code_challenge", "redirect_uri", "login_hint", "acr_values", "audience", "response_type", "client_id"} {
		if len(form[name]) != 1 || form.Get(name) == "" {
			t.Errorf("%s: %q", name, form[name])
		}
	}
	if form.Get("code_challenge_method") != "S256" || form.Get("scope") != "openid offline_access" || len(form["resource"]) != 2 || form.Has("request_uri") {
		t.Errorf("pushed %v", form)
	}
	if user, password, ok := (&http.Request{Header: head}).BasicAuth(); !ok || user != "the-client" || password != "s+e%3Ac" {
		t.Error("the client did not authenticate")
	}
	// What authenticates the client is in no address.
	if form, _ := p.f.last(); form.Get("code") != "the-code" {
		t.Errorf("token request %v", form)
	}
}

// When the request is pushed, when a plain one does, and when the sign-in ends.
func TestPushModes(t *testing.T) {
	good := saysJSON(201, pushAnswer)
	const pushed, plain, ends = "pushed", "plain", "ends"
	for _, tc := range []struct {
		name, mode string
		required   bool
		answer     http.HandlerFunc // nil: no endpoint
		want       string
		code       string // of the AuthorizationError
	}{
		{"offered", "", false, good, pushed, ""},
		{"auto", "auto", false, good, pushed, ""},
		{"required", "auto", true, good, pushed, ""},
		{"always", "always", false, good, pushed, ""},
		{"never", "never", false, good, plain, ""},
		{"never, required", "never", true, good, ends, ""},
		{"200", "", false, saysJSON(200, pushAnswer), pushed, ""},
		{"lifetime as a text", "always", false, saysJSON(201, strings.Replace(pushAnswer, "60", `"60"`, 1)), pushed, ""},

		{"no endpoint", "auto", false, nil, plain, ""},
		{"always without an endpoint", "always", false, nil, ends, ""},
		{"required without an endpoint", "auto", true, nil, ends, ""},

		{"404", "", false, says(404, "text/html", "<html>"), plain, ""},
		{"405", "", false, saysJSON(405, ``), plain, ""},
		{"503", "", false, saysJSON(503, ``), plain, ""},
		{"503 with an error", "", false, saysJSON(503, `{"error":"temporarily_unavailable"}`), plain, ""},
		{"reset", "", false, reset, plain, ""},
		{"portal", "", false, says(200, "text/html", "<html>wifi"), plain, ""},
		{"redirect", "", false, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusTemporaryRedirect) }, plain, ""},
		{"not for this client", "", false, saysJSON(400, `{"error":"unauthorized_client"}`), plain, ""},
		{"empty object", "", false, saysJSON(201, `{}`), plain, ""},

		{"404, always", "always", false, says(404, "text/html", "<html>"), ends, ""},
		{"404, required", "", true, says(404, "text/html", "<html>"), ends, ""},
		{"503, required", "", true, saysJSON(503, ``), ends, ""},
		{"reset, always", "always", false, reset, ends, ""},
		{"not for this client, required", "", true, saysJSON(400, `{"error":"unauthorized_client"}`), ends, "unauthorized_client"},
		{"empty object, required", "", true, saysJSON(201, `{}`), ends, ""},

		{"scope", "", false, saysJSON(400, `{"error":"invalid_scope","error_description":"no such \u001b[31mscope"}`), ends, "invalid_scope"},
		{"redirect refused", "", false, saysJSON(400, `{"error":"invalid_redirect_uri"}`), ends, "invalid_redirect_uri"},
		{"request", "", false, saysJSON(400, `{"error":"invalid_request"}`), ends, "invalid_request"},
		{"client", "", false, saysJSON(401, `{"error":"invalid_client"}`), ends, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPushRun(t, tc.answer)
			p.c.PushedRequests, p.md.RequirePushedAuthorizationRequests = tc.mode, tc.required
			if tc.answer == nil {
				p.md.PushedAuthorizationRequestEndpoint = ""
			}
			q, err := p.signIn(t)
			got := plain
			switch {
			case q == nil:
				got = ends
			case q.Has("request_uri"):
				got = pushed
			}
			if got != tc.want || (err != nil) != (tc.want == ends) {
				t.Fatalf("%s, %v", got, err)
			}
			var refused *AuthorizationError
			if errors.As(err, &refused) != (tc.code != "") || tc.code != "" && refused.Code != tc.code {
				t.Errorf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%q", err)
			}
			if tc.mode == "never" && p.f.count("/par") != 0 {
				t.Error("something was pushed")
			}
		})
	}
}

// The code is bound to the key that the tokens will be bound to, RFC 9449 §10.
func TestPushBindsTheCode(t *testing.T) {
	p := newPushRun(t, saysJSON(201, pushAnswer))
	p.c.DPoP = "always"
	p.f.on("/token", saysJSON(200, strings.Replace(tokenBody(""), "Bearer", "DPoP", 1)))
	var key Secret
	p.o.Complete = func(_ context.Context, got *Tokens, _ string) error { key = got.DPoPKey; return nil }
	q, err := p.signIn(t)
	if err != nil || q.Has("dpop_jkt") {
		t.Fatalf("%v, %v", q, err)
	}
	if jkt, err := thumbprint(key); err != nil || p.f.forms[0].Get("dpop_jkt") != jkt {
		t.Errorf("%v, pushed %v", err, p.f.forms[0])
	}
}

// What this machine lacks is said before the browser opens, and the silence of
// an endpoint does not keep a person who gives up.
func TestPushEnds(t *testing.T) {
	broken := errors.New("no secret")
	p := newPushRun(t, saysJSON(201, pushAnswer))
	p.c.ClientSecret = func(context.Context) (Secret, error) { return Secret{}, broken }
	if q, err := p.signIn(t); !errors.Is(err, broken) || q != nil {
		t.Errorf("%v, %v", q, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	p = newPushRun(t, func(http.ResponseWriter, *http.Request) { cancel(); <-release })
	if err := p.c.SignIn(ctx, p.md, p.o); !errors.Is(err, context.Canceled) || len(p.opened) != 0 {
		t.Errorf("%v", err)
	}
	var settings interface {
		Configuration() bool
		Hint() string
	}
	if err := error(&PushedRequestError{"x", "do y"}); !errors.As(err, &settings) || !settings.Configuration() || settings.Hint() == "" {
		t.Error("no hint")
	}
}

// A person who carries the address to another machine has the time of the
// sign-in, not the minute that a pushed request is good for.
func TestPushWithoutBrowser(t *testing.T) {
	sign := func(mode, answer string) (shown []string) {
		p := newPushRun(t, saysJSON(201, answer))
		p.c.PushedRequests = mode
		paste := make(chan string, 1)
		p.o.Open, p.o.Paste = nil, paste
		p.o.Notify = func(u string) {
			if shown = append(shown, u); len(shown) == 2 || !strings.Contains(answer, `:0.01}`) {
				paste <- "a-code-that-is-long"
			}
		}
		if err := p.c.SignIn(t.Context(), p.md, p.o); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
		return shown
	}
	if shown := sign("auto", pushAnswer); len(shown) != 1 || strings.Contains(shown[0], "request_uri") {
		t.Errorf("%q", shown)
	}
	if shown := sign("auto", strings.Replace(pushAnswer, "60", "600", 1)); len(shown) != 1 || !strings.Contains(shown[0], "request_uri=") {
		t.Errorf("%q", shown)
	}
	// A browser that can't be opened is a person with an address, too.
	p := newPushRun(t, saysJSON(201, strings.Replace(pushAnswer, "60", "0.01", 1)))
	var shown []string
	p.o.Open = func(context.Context, string) error { return errors.New("no browser") }
	p.o.Notify = func(u string) {
		if shown = append(shown, u); len(shown) == 2 {
			_ = p.browser.open(t.Context(), u)
		}
	}
	if err := p.c.SignIn(t.Context(), p.md, p.o); err != nil || len(shown) != 2 || !strings.Contains(shown[0], "request_uri=") || strings.Contains(shown[1], "request_uri=") {
		t.Errorf("%v, %q", err, shown)
	}
	p.browser.wg.Wait()
	if shown := sign("always", strings.Replace(pushAnswer, "60", "0.01", 1)); len(shown) != 2 || !strings.Contains(shown[1], "request_uri=") {
		t.Errorf("%q", shown)
	}
}

func TestPushAnswer(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		good       bool
	}{
		{"whole", pushAnswer, true},
		{"https", `{"request_uri":"https://id.example.com/r/1","expires_in":5}`, true},
		{"no lifetime", `{"request_uri":"urn:x:1"}`, false},
		{"no time left", `{"request_uri":"urn:x:1","expires_in":0}`, false},
		{"no name", `{"expires_in":60}`, false},
		{"not absolute", `{"request_uri":"1","expires_in":60}`, false},
		{"scheme alone", `{"request_uri":"urn:","expires_in":60}`, false},
		{"control character", `{"request_uri":"urn:x:\u001b[31m","expires_in":60}`, false},
		{"line end", `{"request_uri":"urn:x:1\r\nX: y","expires_in":60}`, false},
		{"number", `{"request_uri":1,"expires_in":60}`, false},
		{"too long", `{"request_uri":"urn:x:` + strings.Repeat("x", maxRequestURI) + `","expires_in":60}`, false},
		{"error with success", `{"request_uri":"urn:x:1","expires_in":60,"error":"invalid_request"}`, false},
		{"HTML", `<html>`, false},
		{"nothing", ``, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := answerOf(201, tc.body).pushedRequest("test")
			if (err == nil) != tc.good || tc.good && got.life <= 0 {
				t.Errorf("%+v, %v", got, err)
			}
			var answer *oauth2.RetrieveError
			if err != nil && (!errors.As(err, &answer) || strings.ContainsAny(err.Error(), "\x1b\r\n")) {
				t.Errorf("%q", err)
			}
		})
	}
	if _, err := answerOf(202, pushAnswer).pushedRequest("test"); err == nil {
		t.Error("202 was taken")
	}
}

func FuzzPushAnswer(f *testing.F) {
	f.Add(201, pushAnswer)
	f.Add(400, `{"error":"invalid_request"}`)
	f.Add(200, `{"request_uri":"urn:x:\u0000","expires_in":"1e3"}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		got, err := answerOf(status, body).pushedRequest("test")
		if err != nil {
			return
		}
		if status != 200 && status != 201 || got.life <= 0 || got.life > maxLifetime+time.Second || !visible(got.uri) || !isRequestURI(got.uri) {
			t.Fatalf("%d %q gave %+v", status, body, got)
		}
		if _, err := url.Parse("https://id.example.com/a?" + url.Values{"request_uri": {got.uri}}.Encode()); err != nil {
			t.Fatal(err)
		}
	})
}
