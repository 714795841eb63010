package oidcflow

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

func TestRefresh(t *testing.T) {
	f := newFake(t)
	f.on("/token", saysJSON(200, `{"access_token":"at-2","token_type":"Bearer","refresh_token":"rt-2","expires_in":60}`))
	c := f.client()
	c.Resources = []string{"https://a.example", "https://b.example"}
	got, err := c.Refresh(t.Context(), f.metadata(), NewSecret("rt-1"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Access.Reveal() != "at-2" || got.Refresh.Reveal() != "rt-2" || !got.Expiry.Equal(testNow.Add(time.Minute)) {
		t.Errorf("%+v", got)
	}
	form, head := f.last()
	if form.Get("grant_type") != "refresh_token" || form.Get("refresh_token") != "rt-1" || form.Get("client_id") != "the-client" ||
		len(form["resource"]) != 2 || form.Has("scope") || head.Get("Authorization") != "" || head.Get("Accept") != "application/json" {
		t.Errorf("sent %v", form)
	}
	if _, err := c.Refresh(t.Context(), f.metadata(), Secret{}); err == nil {
		t.Error("a refresh without a refresh token")
	}
}

func TestClientAuthentication(t *testing.T) {
	secret := func(context.Context) (Secret, error) { return NewSecret("s:/ p"), nil }
	for _, tc := range []struct {
		name    string
		methods []string
		basic   bool
		fails   bool
	}{
		{"nothing stated", nil, true, false},
		{"both", []string{"client_secret_post", "client_secret_basic"}, true, false},
		{"post", []string{"private_key_jwt", "client_secret_post"}, false, false},
		{"neither", []string{"private_key_jwt"}, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t)
			f.on("/token", saysJSON(200, tokenBody("")))
			md, c := f.metadata(), f.client()
			c.ClientID, c.ClientSecret, md.TokenEndpointAuthMethods = "a client", secret, tc.methods
			_, err := c.Refresh(t.Context(), md, NewSecret("rt"))
			if (err != nil) != tc.fails {
				t.Fatal(err)
			}
			if tc.fails {
				return
			}
			form, head := f.last()
			user, pass, ok := (&http.Request{Header: head}).BasicAuth()
			switch {
			case tc.basic && (!ok || user != "a+client" || pass != "s%3A%2F+p" || form.Has("client_secret") || form.Has("client_id")):
				t.Errorf("%q %q %v", user, pass, form)
			case !tc.basic && (ok || form.Get("client_id") != "a client" || form.Get("client_secret") != "s:/ p"):
				t.Errorf("%v", form)
			}
		})
	}
	f := newFake(t)
	c := f.client()
	c.ClientSecret = func(context.Context) (Secret, error) { return Secret{}, nil }
	if _, err := c.Refresh(t.Context(), f.metadata(), NewSecret("rt")); err == nil || f.count("/token") != 0 {
		t.Errorf("an empty client secret: %v", err)
	}
	broken := errors.New("command failed")
	c.ClientSecret = func(context.Context) (Secret, error) { return Secret{}, broken }
	if _, err := c.Refresh(t.Context(), f.metadata(), NewSecret("rt")); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// The token request carries secrets that are good for one server.
func TestTokenEndpointRedirectIsNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		f := newFake(t)
		f.on("/token", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", status) })
		f.on("/elsewhere", saysJSON(200, tokenBody("")))
		_, err := f.client().Refresh(t.Context(), f.metadata(), NewSecret("rt"))
		var e *oauth2.RetrieveError
		if !errors.As(err, &e) || e.Response.StatusCode != status || f.count("/elsewhere") != 0 {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestRefreshErrorHasNoSecret(t *testing.T) {
	f := newFake(t)
	f.on("/token", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"error":"invalid_grant","error_description":"bad","echo":"`+r.FormValue("refresh_token")+`"}`)
	})
	c := f.client()
	c.ClientSecret = func(context.Context) (Secret, error) { return NewSecret("hush"), nil }
	_, err := c.Refresh(t.Context(), f.metadata(), NewSecret("rt-secret"))
	var e *oauth2.RetrieveError
	if !errors.As(err, &e) || e.ErrorCode != "invalid_grant" || e.ErrorDescription != "bad" || e.Response.Header.Get("Retry-After") != "120" {
		t.Fatalf("%v", err)
	}
	if strings.Contains(err.Error(), "rt-secret") || e.Response.Request != nil {
		t.Errorf("%q; request %v", err, e.Response.Request)
	}
	if err.Error() != "token refresh: HTTP 400, invalid_grant: bad" {
		t.Errorf("%q", err)
	}
}

func TestOversizedAnswer(t *testing.T) {
	f := newFake(t)
	f.on("/token", saysJSON(200, tokenBody(`,"x":"`+strings.Repeat("x", maxAnswer)+`"`)))
	_, err := f.client().Refresh(t.Context(), f.metadata(), NewSecret("rt"))
	var e *oauth2.RetrieveError
	if !errors.As(err, &e) || e.ErrorCode != "" {
		t.Errorf("%v", err)
	}
	f.on("/token", says(400, "text/plain", strings.Repeat("x", maxAnswer)))
	_, err = f.client().Refresh(t.Context(), f.metadata(), NewSecret("rt"))
	if !errors.As(err, &e) || len(e.Body) != maxErrorBody {
		t.Errorf("%d bytes kept, %v", len(e.Body), err)
	}
}

// cutShort announces more than it sends and closes the connection.
func cutShort(status string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 "+status+"\r\nContent-Length: 1000\r\n\r\n{\"error\":")
		_ = conn.Close()
	}
}

// A 400 whose body was cut off is no verdict: what it said is missing.
func TestAnswerCutOff(t *testing.T) {
	f := newFake(t)
	for _, status := range []string{"200 OK", "400 Bad Request"} {
		f.on("/token", cutShort(status))
		_, err := f.client().Refresh(t.Context(), f.metadata(), NewSecret("rt"))
		var e *oauth2.RetrieveError
		if !errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &e) {
			t.Errorf("%s: %v", status, err)
		}
	}
	f.on("/token", cutShort("503 Busy"))
	_, err := f.client().Refresh(t.Context(), f.metadata(), NewSecret("rt"))
	var e *oauth2.RetrieveError
	if !errors.As(err, &e) || e.Response.StatusCode != 503 {
		t.Errorf("%v", err)
	}
}

func TestRefreshTimesOut(t *testing.T) {
	f := newFake(t)
	release := make(chan struct{})
	defer close(release)
	f.on("/token", func(http.ResponseWriter, *http.Request) { <-release })
	c := f.client()
	c.Timeout = 30 * time.Millisecond
	if _, err := c.Refresh(t.Context(), f.metadata(), NewSecret("rt")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("own limit: %v", err)
	}
	c.Timeout = 0
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := c.Refresh(ctx, f.metadata(), NewSecret("rt")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller's: %v", err)
	}
}

// Once the provider may have spent the refresh token, its answer is waited
// for.
func TestRefreshIsFinishedAfterItWasSent(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.on("/token", func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		time.Sleep(20 * time.Millisecond) // the client would notice within this
		saysJSON(200, tokenBody(`,"refresh_token":"rt-2"`))(w, nil)
	})
	got, err := f.client().Refresh(ctx, f.metadata(), NewSecret("rt-1"))
	if err != nil || got.Refresh.Reveal() != "rt-2" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := f.client().Refresh(ctx, f.metadata(), NewSecret("rt-1")); !errors.Is(err, context.Canceled) || f.count("/token") != 1 {
		t.Errorf("a request after the end: %v", err)
	}
}

func TestRefreshIsCancelledWhileDialling(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	c := f.client()
	c.HTTP = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		cancel(errors.New("interrupt"))
		<-ctx.Done()
		return nil, ctx.Err()
	}}}
	if _, err := c.Refresh(ctx, f.metadata(), NewSecret("rt")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A token that was not sent may be sent again, one that was may not.
func TestRefreshIsSentOnce(t *testing.T) {
	f := newFake(t)
	var n atomic.Int32
	f.on("/token", func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	})
	for range 3 {
		n.Store(0)
		if _, err := f.client().Refresh(t.Context(), f.metadata(), NewSecret("rt")); err == nil || n.Load() != 1 {
			t.Errorf("sent %d times, %v", n.Load(), err)
		}
	}
}
