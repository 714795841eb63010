package e2e

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// gateAudience is what tokens for the servers behind a gate are issued for.
const gateAudience = "https://packages.test"

// gate is a server of packages that lets Bearer tokens in, RFC 6750.
type gate struct {
	Host     string // 127.0.0.1:port
	URL      string
	cert     *harness.Certificate
	verifier *oidc.IDTokenVerifier

	mu        sync.Mutex
	refuse    map[string]bool
	lenient   bool // takes expired tokens
	deny      bool // takes none
	tokens    []string
	refused   int
	anonymous int
}

// newGate serves the handler behind a check of the token, over TLS if secure.
func newGate(t *testing.T, p *harness.Provider, secure bool, handler http.Handler) *gate {
	t.Helper()
	g := &gate{cert: harness.NewCertificate(t), refuse: map[string]bool{}}
	// The keys are read once, here: the provider may be down later.
	g.verifier = oidc.NewVerifier(p.Issuer, p.Keys(t), &oidc.Config{ClientID: gateAudience, SkipExpiryCheck: true})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if challenge := g.check(r); challenge != "" {
			w.Header().Set("WWW-Authenticate", challenge)
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	g.Host = server.Listener.Addr().String()
	g.URL = "http://" + g.Host
	if secure {
		g.URL = "https://" + g.Host
		server.TLS = &tls.Config{Certificates: []tls.Certificate{g.cert.TLS}, MinVersion: tls.VersionTLS12}
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return g
}

// check gives the challenge of a refusal, "" for none.
func (g *gate) check(r *http.Request) string {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	parsed, err := g.verifier.Verify(r.Context(), token)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !found:
		g.anonymous++
		return `Bearer realm="packages"`
	case err != nil || g.deny || g.refuse[token] || !g.lenient && time.Now().After(parsed.Expiry):
		g.refused++
		return `Bearer realm="packages", error="invalid_token"`
	}
	g.tokens = append(g.tokens, token)
	return ""
}

// set changes the server while it runs.
func (g *gate) set(change func(*gate)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g)
}

// last is the token of the last request that was let in, "" if none was.
func (g *gate) last() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.tokens) == 0 {
		return ""
	}
	return g.tokens[len(g.tokens)-1]
}

// counts says how many requests came without a token, and how many were let in
// and refused with one.
func (g *gate) counts() (anonymous, accepted, refused int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.anonymous, len(g.tokens), g.refused
}
