package kube

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/plugin/pkg/authenticator/token/oidc"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// apiServer is as much of an API server as kubectl needs to list namespaces.
// Who may is decided by kube-apiserver's own OpenID Connect authenticator.
type apiServer struct {
	URL  string
	cert *harness.Certificate
	auth authenticator.Token

	mu       sync.Mutex
	requests int
	told     int      // of them, by seen
	refused  []string // why
	phase    string   // of the namespace "work"
}

type object = map[string]any

func newAPIServer(t *testing.T, issuer *harness.Provider, cert *harness.Certificate) *apiServer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	prefix := ""
	auth, err := oidc.New(ctx, oidc.Options{
		JWTAuthenticator: apiserver.JWTAuthenticator{
			Issuer: apiserver.Issuer{
				URL:                  issuer.Issuer,
				CertificateAuthority: string(cert.CA),
				Audiences:            []string{harness.ClientID},
			},
			ClaimMappings: apiserver.ClaimMappings{
				Username: apiserver.PrefixedClaimOrExpression{Claim: "sub", Prefix: &prefix},
				Groups:   apiserver.PrefixedClaimOrExpression{Claim: "groups", Prefix: &prefix},
			},
		},
		CAContentProvider:    caContent(cert.CA),
		SupportedSigningAlgs: []string{"RS256", "ES256"},
	})
	if err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, 30*time.Second, "the authenticator to read the issuer's keys", func() bool {
		return auth.HealthCheck() == nil
	})
	s := &apiServer{cert: cert, auth: auth, phase: "Active"}
	mux := http.NewServeMux()
	mux.HandleFunc("/version", s.as(func(user.Info) any {
		return object{"major": "1", "minor": "33", "gitVersion": "v1.33.0"}
	}))
	mux.HandleFunc("/api", s.as(func(user.Info) any { return object{"kind": "APIVersions", "versions": []string{"v1"}} }))
	mux.HandleFunc("/apis", s.as(func(user.Info) any {
		return object{"kind": "APIGroupList", "apiVersion": "v1", "groups": []any{}}
	}))
	mux.HandleFunc("/api/v1", s.as(func(user.Info) any {
		return object{"kind": "APIResourceList", "groupVersion": "v1", "resources": []object{{
			"name": "namespaces", "singularName": "namespace", "namespaced": false, "kind": "Namespace",
			"verbs": []string{"get", "list", "watch"}, "shortNames": []string{"ns"},
		}}}
	}))
	mux.HandleFunc("/api/v1/namespaces/work", s.as(func(user.Info) any { return s.namespace() }))
	mux.HandleFunc("/api/v1/namespaces", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("sendInitialEvents") != "" {
			// Newer clients list by watching, where the server can do that.
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnprocessableEntity)
			answer(w, object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": http.StatusUnprocessableEntity})
			return
		}
		if r.URL.Query().Get("watch") != "" {
			// A short watch, so that a command that waits asks again and again.
			s.as(func(user.Info) any {
				time.Sleep(1200 * time.Millisecond)
				return object{"type": "MODIFIED", "object": s.namespace()}
			})(w, r)
			return
		}
		s.as(func(user.Info) any {
			return object{"kind": "NamespaceList", "apiVersion": "v1", "metadata": object{"resourceVersion": "1"}, "items": []object{s.namespace()}}
		})(w, r)
	})
	// Not a path of Kubernetes: who the authenticator says is asking.
	mux.HandleFunc("/whoami", s.as(func(u user.Info) any { return object{"name": u.GetName(), "groups": u.GetGroups()} }))

	server := httptest.NewUnstartedServer(mux)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert.TLS}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	s.URL = "https://127.0.0.1:" + port(t, server.Listener.Addr())
	return s
}

// as answers what f gives, to those who prove who they are.
func (s *apiServer) as(f func(user.Info) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests++
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		who, ok, err := s.auth.AuthenticateToken(r.Context(), token)
		if err != nil || !ok {
			why := "no token for this issuer"
			if err != nil {
				why = err.Error()
			}
			s.mu.Lock()
			s.refused = append(s.refused, r.URL.Path+": "+why)
			s.mu.Unlock()
			w.WriteHeader(http.StatusUnauthorized)
			answer(w, object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "Unauthorized", "reason": "Unauthorized", "code": http.StatusUnauthorized})
			return
		}
		answer(w, f(who.User))
	}
}

func answer(w http.ResponseWriter, body any) { _ = json.NewEncoder(w).Encode(body) }

func (s *apiServer) namespace() object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return object{
		"kind": "Namespace", "apiVersion": "v1",
		"metadata": object{"name": "work", "uid": "1", "resourceVersion": strconv.Itoa(s.requests), "creationTimestamp": "2020-01-01T00:00:00Z"},
		"status":   object{"phase": s.phase},
	}
}

func (s *apiServer) setPhase(phase string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = phase
}

// seen says how many requests came since the last call, and why some were
// refused.
func (s *apiServer) seen() (requests int, refused []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests, refused = s.requests-s.told, s.refused
	s.told, s.refused = s.requests, nil
	return requests, refused
}

type caContent []byte

func (c caContent) CurrentCABundleContent() []byte { return c }

func port(t *testing.T, address net.Addr) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address.String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
