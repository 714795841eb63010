package glewlwyd

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// person is alice at a browser. The login page of this provider is a script; she
// does the requests that it makes.
type person struct {
	t   *testing.T
	s   *server
	web *harness.Web
}

func (s *server) person(t *testing.T) *person {
	return &person{t: t, s: s, web: harness.NewWeb(s.http)}
}

// open opens an address that the program gives, signs in and grants what the
// client asks for.
func (p *person) open(address string) (*harness.Page, error) {
	page, err := p.web.Get(address)
	for step := 0; err == nil && step < 3 && page.URL.Path == "/login.html"; step++ {
		query := page.URL.Query()
		if query.Get("callback_url") == "" {
			return page, nil // it only says something
		}
		if err := p.signIn(query.Get("client_id"), query.Get("scope")); err != nil {
			return nil, err
		}
		next := query.Get("callback_url")
		if strings.Contains(next, "?") {
			next += "&g_continue"
		} else {
			next += "?g_continue"
		}
		page, err = p.web.Get(next)
	}
	if err == nil && len(page.Forms) == 1 && page.Forms[0].Values.Has("code") {
		page, err = page.Submit(nil) // response_mode=form_post
	}
	return page, err
}

func (p *person) signIn(client, scopes string) error {
	if status, answer := p.s.send(p.t, p.web.Client(), http.MethodPost, p.s.URL+"/api/auth/", object{"username": alice, "password": password}); status != http.StatusOK {
		return fmt.Errorf("signing in: status %d: %s", status, answer)
	}
	if client == "" {
		return nil
	}
	if status, answer := p.s.send(p.t, p.web.Client(), http.MethodPut, p.s.URL+"/api/auth/grant/"+url.PathEscape(client), object{"scope": scopes}); status != http.StatusOK {
		return fmt.Errorf("granting %s to %s: status %d: %s", scopes, client, status, answer)
	}
	return nil
}

// signIn signs alice in with the program and returns the last page she saw.
func (s *server) signIn(t *testing.T, c *harness.CLI, args ...string) *harness.Page {
	t.Helper()
	visitor := harness.NewVisitor(t, s.person(t).open)
	c.Set("BROWSER", visitor.Program)
	c.OK(t, append([]string{"login", "--timeout-sign-in", "20s"}, args...)...)
	return visitor.Page(t)
}
