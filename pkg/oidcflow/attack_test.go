package oidcflow_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// The attack_*_test.go files play attackers against the real client. The page
// docs/security.md names each of them.

// attempt is a sign-in that waits for its answer, as an attacker sees it.
type attempt struct {
	t *testing.T
	// asked is the authorization URL, back the redirect_uri in it.
	asked, back *url.URL
	state       string
	done        chan error
	// completed is set before done is sent.
	completed bool
}

// begin starts a sign-in whose browser goes nowhere by itself. change may
// change the options.
func begin(t *testing.T, c *oidcflow.Client, md *oidcflow.Metadata, change func(*oidcflow.SignInOptions)) *attempt {
	t.Helper()
	a := &attempt{t: t, done: make(chan error, 1)}
	shown := make(chan string, 1)
	o := oidcflow.SignInOptions{
		Timeout: 20 * time.Second,
		Open: func(_ context.Context, address string) error {
			shown <- address
			return nil
		},
		Complete: func(ctx context.Context, tokens *oidcflow.Tokens, nonce string) error {
			keys, err := c.Keys(ctx, md)
			if err != nil {
				return err
			}
			_, err = c.VerifyIDToken(md, keys, tokens.ID, oidcflow.Expect{Nonce: nonce, AccessToken: tokens.Access})
			a.completed = err == nil
			return err
		},
	}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() { a.done <- c.SignIn(ctx, md, o) }()
	select {
	case address := <-shown:
		var err error
		if a.asked, err = url.Parse(address); err != nil {
			t.Fatal(err)
		}
	case err := <-a.done:
		t.Fatalf("the sign-in ended before it began: %v", err)
	}
	var err error
	if a.back, err = url.Parse(a.asked.Query().Get("redirect_uri")); err != nil {
		t.Fatal(err)
	}
	a.state = a.asked.Query().Get("state")
	return a
}

// wait gives how the sign-in ended.
func (a *attempt) wait() error {
	a.t.Helper()
	select {
	case err := <-a.done:
		return err
	case <-time.After(30 * time.Second):
		a.t.Fatal("the sign-in does not end")
		return nil
	}
}

// open says that the sign-in still waits.
func (a *attempt) open() bool {
	select {
	case err := <-a.done:
		a.done <- err
		return false
	default:
		return true
	}
}

// address is the redirect with a query.
func (a *attempt) address(query url.Values) string {
	u := *a.back
	u.RawQuery = query.Encode()
	return u.String()
}

// visit makes a request as a browser that follows nothing, and gives the
// answer with its body read.
func visit(t *testing.T, method, address string, body io.Reader, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(request)
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(page)
}

// answerOf asks the provider as a browser that is signed in there, and gives
// the parameters that it sends back.
func answerOf(t *testing.T, authorizationURL string) url.Values {
	t.Helper()
	response, page := visit(t, http.MethodGet, authorizationURL, nil, nil)
	target, err := response.Location()
	if err != nil {
		t.Fatalf("HTTP %d: %s", response.StatusCode, page)
	}
	return target.Query()
}

func provider(t *testing.T, o oidctest.Options) (*oidctest.Provider, *oidcflow.Client, *oidcflow.Metadata) {
	t.Helper()
	p := oidctest.New(o)
	t.Cleanup(p.Close)
	c := clientOf(t, p)
	md, err := c.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p, c, md
}

func isResponseError(err error) bool {
	var e *oidcflow.ResponseError
	return errors.As(err, &e)
}

func rule(err error) string {
	var e *oidcflow.IDTokenError
	var unknown *oidcflow.UnknownKeyError
	switch {
	case errors.As(err, &e):
		return e.Rule
	case errors.As(err, &unknown):
		return "unknown key"
	case err != nil:
		return err.Error()
	}
	return ""
}

// harmless says whether a text may be written to a terminal: one line, not
// long, and without characters that move the cursor or the order of reading.
func harmless(text string) bool {
	if len([]rune(text)) > 300 {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool {
		return r < 0x20 || r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x2028 || r == 0x2029
	})
}
