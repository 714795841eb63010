package oidcflow

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// deviceRun plays a device sign-in with a clock of its own: answers are the
// token endpoint's, one after the other, the last one for ever.
type deviceRun struct {
	f        *fake
	c        *Client
	now      time.Time
	waits    []time.Duration
	problems int
}

func newDeviceRun(t *testing.T, grant string, answers ...http.HandlerFunc) *deviceRun {
	d := &deviceRun{f: newFake(t), now: testNow}
	d.c = d.f.client()
	d.c.Now = func() time.Time { return d.now }
	d.f.on("/device", saysJSON(200, grant))
	d.f.on("/token", func(w http.ResponseWriter, r *http.Request) {
		h := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		h(w, r)
	})
	return d
}

func (d *deviceRun) options() DeviceOptions {
	return DeviceOptions{
		Prompt:  func(DevicePrompt) error { return nil },
		Problem: func(error) { d.problems++ },
		Wait: func(ctx context.Context, w time.Duration) error {
			d.waits = append(d.waits, w)
			d.now = d.now.Add(w)
			return ctx.Err()
		},
	}
}

const deviceAnswer = `{"device_code":"dc","user_code":"ABCD-EFGH","verification_uri":"https://id.example.com/device","verification_uri_complete":"https://id.example.com/device?c=ABCD-EFGH","expires_in":600,"interval":3}`

func pending(w http.ResponseWriter, r *http.Request) {
	saysJSON(400, `{"error":"authorization_pending"}`)(w, r)
}

func reset(w http.ResponseWriter, _ *http.Request) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

func TestDeviceSignIn(t *testing.T) {
	d := newDeviceRun(t, deviceAnswer,
		pending, saysJSON(400, `{"error":"slow_down"}`), pending,
		reset, reset, saysJSON(503, ``), says(200, "text/html", "<html>wifi"), saysJSON(400, `{"error":"temporarily_unavailable"}`),
		pending, cutShort("200 OK"), saysJSON(200, tokenBody("")))
	o := d.options()
	var shown DevicePrompt
	o.Prompt = func(p DevicePrompt) error { shown = p; return nil }
	d.c.Audience, d.c.Resources = "the-api", []string{"https://a.example"}
	got, err := d.c.DeviceSignIn(t.Context(), d.f.metadata(), o)
	if err != nil || got.Access.Reveal() != "at-1" {
		t.Fatalf("%+v, %v", got, err)
	}
	if shown.UserCode != "ABCD-EFGH" || shown.URI != "https://id.example.com/device" || shown.CompleteURI != "https://id.example.com/device?c=ABCD-EFGH" || !shown.Expiry.Equal(testNow.Add(10*time.Minute)) {
		t.Errorf("%+v", shown)
	}
	s := time.Second
	want := []time.Duration{3 * s, 3 * s, 8 * s, 8 * s, 16 * s, 30 * s, 30 * s, 30 * s, 30 * s, 8 * s, 16 * s}
	if !slices.Equal(d.waits, want) {
		t.Errorf("waits %v, want %v", d.waits, want)
	}
	if d.problems != 2 {
		t.Errorf("%d problems", d.problems)
	}
	d.f.mu.Lock()
	defer d.f.mu.Unlock()
	for i, path := range d.f.paths {
		form := d.f.forms[i]
		switch {
		case form.Get("client_id") != "the-client" || form.Get("resource") != "https://a.example",
			path == "/device" && (form.Get("scope") != "openid offline_access" || form.Get("audience") != "the-api"),
			path == "/token" && (form.Get("grant_type") != deviceGrant || form.Get("device_code") != "dc"):
			t.Errorf("%s: %v", path, form)
		}
	}
}

func TestDeviceSignInEnds(t *testing.T) {
	run := func(h http.HandlerFunc) error {
		d := newDeviceRun(t, deviceAnswer, pending, h)
		_, err := d.c.DeviceSignIn(t.Context(), d.f.metadata(), d.options())
		return err
	}
	var refused *AuthorizationError
	if err := run(saysJSON(400, `{"error":"access_denied","error_description":"no\u001b[31m"}`)); !errors.As(err, &refused) || refused.Description != "no" {
		t.Errorf("%v", err)
	}
	if err := run(saysJSON(400, `{"error":"expired_token"}`)); !errors.Is(err, ErrDeviceCodeExpired) {
		t.Errorf("%v", err)
	}
	for name, h := range map[string]http.HandlerFunc{"for ever": pending, "network down for ever": reset} {
		if err := run(h); !errors.Is(err, ErrDeviceCodeExpired) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var answer *oauth2.RetrieveError
	for _, h := range []http.HandlerFunc{
		saysJSON(400, `{"error":"invalid_grant"}`), saysJSON(401, `{"error":"invalid_client"}`), saysJSON(400, `{}`), saysJSON(404, ``),
	} {
		if err := run(h); !errors.As(err, &answer) {
			t.Errorf("%v", err)
		}
	}
	var missing *IDTokenError
	if err := run(saysJSON(200, `{"access_token":"at","token_type":"Bearer"}`)); !errors.As(err, &missing) {
		t.Errorf("%v", err)
	}
}

func TestDeviceSignInIsCancelled(t *testing.T) {
	d := newDeviceRun(t, deviceAnswer, pending)
	ctx, cancel := context.WithCancel(t.Context())
	o := d.options()
	o.Wait = nil
	o.Prompt = func(DevicePrompt) error { cancel(); return nil }
	if _, err := d.c.DeviceSignIn(ctx, d.f.metadata(), o); !errors.Is(err, context.Canceled) || d.f.count("/token") != 0 {
		t.Errorf("%v", err)
	}
	broken := errors.New("broken")
	o.Prompt = func(DevicePrompt) error { return broken }
	if _, err := d.c.DeviceSignIn(t.Context(), d.f.metadata(), o); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	// What is not the network's fault won't pass.
	o = d.options()
	var gone error
	d.c.ClientSecret = func(context.Context) (Secret, error) { return NewSecret("s"), gone }
	o.Prompt = func(DevicePrompt) error { gone = broken; return nil }
	if _, err := d.c.DeviceSignIn(t.Context(), d.f.metadata(), o); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

func TestDeviceAnswer(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		good       bool
		interval   time.Duration
		life       time.Duration
	}{
		{"whole", deviceAnswer, true, 3 * time.Second, 10 * time.Minute},
		{"least", `{"device_code":"dc","user_code":"x","verification_url":"https://id.example.com/d"}`, true, 5 * time.Second, time.Hour},
		{"strings", `{"device_code":"dc","user_code":"x","verification_uri":"https://id.example.com/d","interval":"7","expires_in":"60"}`, true, 7 * time.Second, time.Minute},
		{"absurd", `{"device_code":"dc","user_code":"x","verification_uri":"https://id.example.com/d","interval":-1,"expires_in":1e12}`, true, 5 * time.Second, time.Hour},
		{"no code", `{"user_code":"x","verification_uri":"https://id.example.com/d"}`, false, 0, 0},
		{"no user code", `{"device_code":"dc","user_code":"\u001b[31m","verification_uri":"https://id.example.com/d"}`, false, 0, 0},
		{"no address", `{"device_code":"dc","user_code":"x"}`, false, 0, 0},
		{"a script as address", `{"device_code":"dc","user_code":"x","verification_uri":"javascript:alert(1)"}`, false, 0, 0},
		{"plain http", `{"device_code":"dc","user_code":"x","verification_uri":"http://id.example.com/d"}`, false, 0, 0},
		{"HTML", `<html>`, false, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, err := answerOf(200, tc.body).deviceCode("test", testNow)
			if (err == nil) != tc.good {
				t.Fatal(err)
			}
			if err == nil && (d.interval != tc.interval || !d.prompt.Expiry.Equal(testNow.Add(tc.life))) {
				t.Errorf("%v, %v", d.interval, d.prompt.Expiry)
			}
		})
	}
	d, err := answerOf(200, strings.Replace(deviceAnswer, "https://id.example.com/device?", "file:///x?", 1)).deviceCode("test", testNow)
	if err != nil || d.prompt.CompleteURI != "" {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := testClient().DeviceSignIn(t.Context(), &Metadata{}, DeviceOptions{Prompt: func(DevicePrompt) error { return nil }}); !errors.Is(err, ErrNoDeviceGrant) {
		t.Errorf("%v", err)
	}
}

// A person who presses Ctrl-C does not wait for a provider that is silent.
func TestDeviceSignInIsCancelledWhileAsking(t *testing.T) {
	for _, path := range []string{"/device", "/token"} {
		d := newDeviceRun(t, deviceAnswer, pending)
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		d.f.on(path, func(http.ResponseWriter, *http.Request) { cancel(); <-release })
		if _, err := d.c.DeviceSignIn(ctx, d.f.metadata(), d.options()); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", path, err)
		}
		close(release)
	}
}

// A "no" to the grant itself is told apart: a browser may still do.
func TestDeviceGrantRefused(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		code   string
		grant  bool
	}{
		{"not for this client", saysJSON(400, `{"error":"unauthorized_client","error_description":"not for you\u001b[31m"}`), "unauthorized_client", true},
		{"not for this client, 403", saysJSON(403, `{"error":"unauthorized_client"}`), "unauthorized_client", true},
		{"unknown client", saysJSON(401, `{"error":"invalid_client"}`), "invalid_client", true},
		{"no such grant", saysJSON(400, `{"error":"unsupported_grant_type"}`), "unsupported_grant_type", true},
		{"off", saysJSON(400, `{"error":"device_flow_disabled"}`), "device_flow_disabled", true},
		{"nothing there", says(404, "text/html", "<html>not found"), "", true},
		{"no POST", saysJSON(405, ``), "", true},
		{"scope", saysJSON(400, `{"error":"invalid_scope"}`), "", false},
		{"down", saysJSON(503, ``), "", false},
		{"reset", reset, "", false},
		{"portal", says(200, "text/html", "<html>wifi"), "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDeviceRun(t, deviceAnswer, pending)
			d.f.on("/device", tc.answer)
			o := d.options()
			o.Prompt = func(DevicePrompt) error { t.Error("a code is shown"); return nil }
			_, err := d.c.DeviceSignIn(t.Context(), d.f.metadata(), o)
			var refused *DeviceGrantError
			if err == nil || errors.As(err, &refused) != tc.grant || tc.grant && refused.Code != tc.code || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%v", err)
			}
			var answer *oauth2.RetrieveError
			if tc.grant && !errors.As(err, &answer) {
				t.Errorf("the answer is not in %v", err)
			}
		})
	}
}

func TestDeviceForm(t *testing.T) {
	c := testClient()
	c.Audience, c.Resources = "the-api", []string{"https://a.example", "https://b.example"}
	c.AuthParams = map[string]string{"login_hint": "ann", "acr_values": "mfa", "prompt": "login", "response_mode": "form_post", "display": "touch", "audience": "other"}
	form, err := c.deviceForm()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"login_hint": "ann", "acr_values": "mfa", "audience": "the-api", "client_id": "the-client"} {
		if got := form[name]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if form.Has("prompt") || form.Has("response_mode") || form.Has("display") || !slices.Equal(form["resource"], c.Resources) {
		t.Errorf("%v", form)
	}
	c.AuthParams = map[string]string{"client_id": "evil"}
	if _, err := c.deviceForm(); err == nil {
		t.Error("auth_params set the client_id")
	}
}

// A time limit of the caller ends the wait, unless the code ends before it.
func TestDeviceSignInTimeout(t *testing.T) {
	for name, tc := range map[string]struct {
		limit, want time.Duration
		err         error
	}{
		"none":    {0, 10 * time.Minute, ErrDeviceCodeExpired},
		"shorter": {10 * time.Second, 10 * time.Second, ErrSignInTimeout},
		"longer":  {time.Hour, 10 * time.Minute, ErrDeviceCodeExpired},
	} {
		d := newDeviceRun(t, deviceAnswer, pending)
		o := d.options()
		o.Timeout = tc.limit
		o.Prompt = func(p DevicePrompt) error {
			if !p.Expiry.Equal(testNow.Add(tc.want)) {
				t.Errorf("%s: the end is shown as %v", name, p.Expiry)
			}
			return nil
		}
		_, err := d.c.DeviceSignIn(t.Context(), d.f.metadata(), o)
		if !errors.Is(err, tc.err) || !d.now.Equal(testNow.Add(tc.want)) {
			t.Errorf("%s: %v after %v", name, err, d.now.Sub(testNow))
		}
	}
}

// That the provider answers again is told once for each trouble.
func TestDeviceSignInRecovers(t *testing.T) {
	d := newDeviceRun(t, deviceAnswer, pending, reset, reset, pending, pending, saysJSON(503, ``), saysJSON(400, `{"error":"slow_down"}`), saysJSON(200, tokenBody("")))
	o := d.options()
	told := 0
	o.Recovered = func() { told++ }
	if _, err := d.c.DeviceSignIn(t.Context(), d.f.metadata(), o); err != nil || told != 2 || d.problems != 2 {
		t.Errorf("%v; told %d times of %d problems", err, told, d.problems)
	}
}

// What the provider gets wrong is named, and is nobody else's fault.
func TestFaultyAnswers(t *testing.T) {
	for body, field := range map[string]string{
		`{}`:                                   "device_code",
		`{"device_code":"","user_code":"x"}`:   "device_code",
		`{"device_code":"dc"}`:                 "user_code",
		`{"device_code":"dc","user_code":7}`:   "user_code",
		`{"device_code":"dc","user_code":"x"}`: "verification_uri",
		`{"device_code":"dc","user_code":"x","verification_uri":"http://evil.example/"}`:                                    "verification_uri",
		`{"device_code":"dc","user_code":"x","verification_uri":"https://id.example.com/` + strings.Repeat("d", 300) + `"}`: "verification_uri",
	} {
		_, err := answerOf(200, body).deviceCode("test", testNow)
		var faulty *FaultyAnswerError
		if !errors.As(err, &faulty) || faulty.Field != field || faulty.Hint() == "" || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", body, err)
		}
	}
	for _, body := range []string{`{"error":"invalid_scope"}`, `<html>`, `[]`, ``} {
		_, err := answerOf(200, body).deviceCode("test", testNow)
		if answer := (*oauth2.RetrieveError)(nil); !errors.As(err, &answer) {
			t.Errorf("%s: %v", body, err)
		}
	}
	for _, tc := range []struct{ grant, body, field string }{
		{"authorization_code", `{}`, "access_token"},
		{"authorization_code", `{"access_token":"a\nb","token_type":"Bearer"}`, "access_token"},
		{"authorization_code", `{"access_token":"ab"}`, "token_type"},
		{"authorization_code", `{"error":"x"}`, ""},
		{"authorization_code", `<html>`, ""},
		{deviceGrant, `{"access_token":"a\u0000b","token_type":"Bearer"}`, "access_token"},
		{deviceGrant, `{}`, ""},
		{"refresh_token", `{}`, ""},
		{"refresh_token", `{"access_token":"a\nb","token_type":"Bearer"}`, ""},
	} {
		err := answerOf(200, tc.body).faultyToken("test", tc.grant)
		var faulty *FaultyAnswerError
		if errors.As(err, &faulty) != (tc.field != "") || faulty != nil && faulty.Field != tc.field {
			t.Errorf("%s, %s: %v", tc.grant, tc.body, err)
		}
	}
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		90*time.Second + time.Millisecond: "1m30s",
		47 * time.Hour:                    "47h0m0s",
		48 * time.Hour:                    "2 days",
		498754*time.Hour + 44*time.Minute + 21*time.Second: "20781 days",
	} {
		if got := ago(d); got != want {
			t.Errorf("%v: %q", d, got)
		}
	}
}
