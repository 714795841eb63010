package registry

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

func eachDocker(t *testing.T, test func(t *testing.T, docker string)) {
	for name, path := range dockers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, path)
		})
	}
}

// What the docker CLI does without its engine: it signs in, and it reads and
// writes manifests.
func TestDocker(t *testing.T) {
	eachDocker(t, func(t *testing.T, docker string) {
		u := newUser(t, harness.ProviderOptions{}, byToken, "")
		token, _ := u.Token(t)
		u.good("push", clients(t)[1].push(u, u.image("team/app:v1")))
		before := u.read(".docker/config.json")

		u.good("manifest inspect", u.run(docker, "manifest", "inspect", u.image("team/app:v1")))
		if docker == built(t, "docker") { // version 28 writes to a registry on this machine only without TLS
			u.good("manifest create", u.run(docker, "manifest", "create", u.image("team/app:all"), u.image("team/app:v1")))
			u.good("manifest push", u.run(docker, "manifest", "push", u.image("team/app:all")))
		}
		u.good("pull", clients(t)[0].pull(u, u.image("team/app:v1")))

		// A docker login with our token changes nothing: there is nothing to keep.
		r := u.program(harness.Input{Stdin: token.Token + "\n"}, docker, "login", "-u", "oauth2", "--password-stdin", u.registry.Host)
		u.good("login with our token", r)
		if !strings.Contains(r.Stdout, "Login Succeeded") {
			t.Errorf("login: %q", r.Stdout)
		}
		if after := u.read(".docker/config.json"); strings.Contains(after, token.Token) || strings.Contains(after, `"auth"`) {
			t.Errorf("docker's configuration\n%s\nwas\n%s", after, before)
		}
		// A password that the registry takes would be lost in silence.
		r = u.program(harness.Input{Stdin: personsPassword}, docker, "login", "-u", person, "--password-stdin", u.registry.Host)
		u.bad("login with a password", r, u.registry.Host+" gets the token of profile work from oidc-cred")
		if seen := u.registry.seen(); !slices.Equal(seen, []string{token.Token}) {
			t.Errorf("the registry saw %d other tokens", len(seen)-1)
		}
		u.noSecrets(token.Token)
		u.noSecrets(personsPassword)

		// A registry that answers a login with a token of its own.
		u.registry.set(func(s *registry) { s.identity = true })
		r = u.program(harness.Input{Stdin: token.Token}, docker, "login", "-u", "oauth2", "--password-stdin", u.registry.Host)
		if r.Code != 0 || !strings.Contains(r.Stderr, "oidc-cred: the registry's own token is not kept") {
			t.Errorf("login: exit %d, %q", r.Code, r.Stderr)
		}
		u.registry.seen()
		u.good("pull", clients(t)[0].pull(u, u.image("team/app:v1")))
		if seen := u.registry.seen(); !slices.Equal(seen, []string{token.Token}) {
			t.Errorf("the registry saw %d tokens, want ours", len(seen))
		}
	})
}

// To pull and push, docker hands the credential to its engine; here that is a
// server that only takes it down. A docker login that names no user finds our
// token, and has the engine try it.
func TestDockerEngine(t *testing.T) {
	eachDocker(t, func(t *testing.T, docker string) {
		u := newUser(t, harness.ProviderOptions{}, byToken, "")
		token, _ := u.Token(t)
		e := newEngine(t)
		u.Set("DOCKER_HOST", "tcp://"+e.host)
		for _, image := range []string{u.image("team/app:v1"), "other.example/app:v1"} {
			u.good("pull", u.run(docker, "pull", "-q", image))
			u.good("push", u.run(docker, "push", "-q", image))
		}
		r := u.run(docker, "login", u.registry.Host)
		u.good("login", r)
		if !strings.Contains(r.Stderr, "Authenticating with existing credentials") || !strings.Contains(r.Stdout, "Login Succeeded") {
			t.Errorf("login: %q %q", r.Stdout, r.Stderr)
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, request := range []string{"login at " + u.registry.Host, "pull of " + u.image("team/app"), "push of " + u.image("team/app")} {
			if got := e.auth[request]; got.Username != "oauth2" || got.Password != token.Token || got.IdentityToken != "" {
				t.Errorf("%s came with the user %q and another token", request, got.Username)
			}
		}
		for _, request := range []string{"pull of other.example/app", "push of other.example/app"} {
			if got, came := e.auth[request]; !came || got.Username+got.Password+got.IdentityToken != "" {
				t.Errorf("%s: %v, with the user %q", request, came, got.Username)
			}
		}
	})
}

// engine is as much of docker's engine as a pull and a push need.
type engine struct {
	host string

	mu   sync.Mutex
	auth map[string]engineAuth
}

type engineAuth struct{ Username, Password, IdentityToken, ServerAddress string }

func newEngine(t *testing.T) *engine {
	t.Helper()
	e := &engine{auth: map[string]engineAuth{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.48")
		w.Header().Set("Ostype", "linux")
		// The version comes first in the path, and is of no interest.
		path := r.URL.Path
		if strings.HasPrefix(path, "/v1.") {
			path = path[1+strings.Index(path[1:], "/"):]
		}
		switch {
		case strings.HasSuffix(path, "/_ping"):
			_, _ = w.Write([]byte("OK"))
		case path == "/auth":
			var login engineAuth
			if err := json.NewDecoder(r.Body).Decode(&login); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			e.note("login at "+login.ServerAddress, login)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"Status": "Login Succeeded", "IdentityToken": ""}`))
		case path == "/images/create":
			e.note("pull of "+r.FormValue("fromImage"), sent(r))
		case strings.HasPrefix(path, "/images/") && strings.HasSuffix(path, "/push"):
			e.note("push of "+strings.TrimSuffix(strings.TrimPrefix(path, "/images/"), "/push"), sent(r))
		default:
			http.Error(w, `{"message": "not of this engine"}`, http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	e.host = server.Listener.Addr().String()
	return e
}

func (e *engine) note(request string, auth engineAuth) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.auth[request] = auth
}

// sent is the credential in a request's header.
func sent(r *http.Request) engineAuth {
	var auth engineAuth
	data, err := base64.URLEncoding.DecodeString(r.Header.Get("X-Registry-Auth"))
	if err == nil && len(data) > 0 {
		err = json.Unmarshal(data, &auth)
	}
	if err != nil {
		auth.Username = err.Error()
	}
	return auth
}
