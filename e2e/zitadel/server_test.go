// Package zitadel drives the program against the OpenID provider of
// github.com/zitadel/oidc, with the login pages of its example server.
package zitadel

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// server is a provider on loopback.
type server struct {
	Issuer string
	store  *store

	handler  http.Handler
	cert     *harness.Certificate
	listener string // its address, kept for coming back
	running  *http.Server

	mu       sync.Mutex
	requests []request
}

// request is what the provider was asked.
type request struct {
	path string
	form url.Values
	auth string
}

type options struct {
	// host to listen on, 127.0.0.1 by default.
	host string
	cert *harness.Certificate
}

// start runs a provider until the test ends.
func start(t *testing.T, o options) *server {
	t.Helper()
	if o.host == "" {
		o.host = "127.0.0.1"
	}
	s := &server{store: newStore(), cert: o.cert, listener: net.JoinHostPort(o.host, "0")}
	s.handler = http.NotFoundHandler()
	s.up(t)
	t.Cleanup(func() { _ = s.running.Close() })
	scheme := "http://"
	if o.cert != nil {
		scheme = "https://"
	}
	s.Issuer = scheme + s.listener
	op := exampleop.SetupServer(s.Issuer, s.store, slog.New(slog.DiscardHandler), false)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		s.requests = append(s.requests, request{path: r.URL.Path, form: r.Form, auth: r.Header.Get("Authorization")})
		s.mu.Unlock()
		op.ServeHTTP(w, r)
	})
	return s
}

// up listens on the port that the provider had before, if it had one.
func (s *server) up(t *testing.T) {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", s.listener)
	if err != nil {
		t.Fatal(err)
	}
	s.listener = listener.Addr().String()
	s.running = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		handler := s.handler
		s.mu.Unlock()
		handler.ServeHTTP(w, r)
	})}
	if s.cert != nil {
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{s.cert.TLS}, MinVersion: tls.VersionTLS12})
	}
	running := s.running
	go func() { _ = running.Serve(listener) }()
}

// down closes the port. What was issued stays.
func (s *server) down(t *testing.T) {
	t.Helper()
	if err := s.running.Close(); err != nil {
		t.Fatal(err)
	}
}

// asked gives the requests for a path so far.
func (s *server) asked(path string) []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []request
	for _, r := range s.requests {
		if r.path == path {
			found = append(found, r)
		}
	}
	return found
}

// last is the latest request for a path with this grant type, or any.
func (s *server) last(t *testing.T, path, grant string) request {
	t.Helper()
	asked := s.asked(path)
	for i := len(asked) - 1; i >= 0; i-- {
		if grant == "" || asked[i].form.Get("grant_type") == grant {
			return asked[i]
		}
	}
	t.Fatalf("nothing asked of %s with grant %q", path, grant)
	return request{}
}

// user fills in the provider's login page.
func (s *server) user(transport http.RoundTripper) func(address string) (*harness.Page, error) {
	return func(address string) (*harness.Page, error) {
		page, err := harness.NewWeb(transport).Get(address)
		if err != nil || len(page.Forms) == 0 {
			return page, err
		}
		page, err = page.Submit(url.Values{"username": {alice}, "password": {password}})
		if err == nil && len(page.Forms) == 1 && page.URL.Path != "/login/username" {
			page, err = page.Submit(nil) // response_mode=form_post, sent by the page's script otherwise
		}
		return page, err
	}
}

// post sends a form as another program would, and gives the status.
func (s *server) post(t *testing.T, path string, form url.Values) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Issuer+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.URL.RawQuery = form.Encode()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}
