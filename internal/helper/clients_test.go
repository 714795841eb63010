package helper

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// The real git and kubectl run this test binary as their helper; its session
// is a file.

// TestMain is the helper where a client started it.
func TestMain(m *testing.M) {
	path := os.Getenv("HELPER_TEST_SESSION")
	if path == "" {
		os.Exit(m.Run())
	}
	if err := helperMain(path, os.Args[1:]); err != nil {
		fmt.Fprint(os.Stderr, line(err))
		os.Exit(4)
	}
}

func helperMain(path string, args []string) error {
	target := &Target{Source: fileSource(path), ServeStale: os.Getenv("HELPER_TEST_STALE") != ""}
	env := Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
		Resolve: func(s Server) (*Target, error) {
			if s.Matches([]string{os.Getenv("HELPER_TEST_HOST")}) {
				return target, nil
			}
			return nil, nil
		},
		Profile: func(string) (*Target, error) { return target, nil },
	}
	if args[0] == "kubectl" {
		return Kubectl(context.Background(), env, KubectlOptions{})
	}
	return Git(context.Background(), env, args[1])
}

// fileSource is a session in a file: what it gives now is the first token, and
// a refresh drops it.
type fileSource string

type fileSession struct {
	Tokens  []string
	Stale   bool
	Expired bool
	Runs    int
}

func (f fileSource) read() (s fileSession) {
	data, err := os.ReadFile(string(f))
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		panic(err)
	}
	return s
}

func (f fileSource) write(s fileSession) {
	data, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(string(f), data, 0o600)
	}
	if err != nil {
		panic(err)
	}
}

func (f fileSource) Token(_ context.Context, req session.Request) (*session.Token, error) {
	s := f.read()
	s.Runs++
	if (s.Stale || req.Refused) && len(s.Tokens) > 0 {
		s.Tokens, s.Stale = s.Tokens[1:], false
	}
	f.write(s)
	if len(s.Tokens) == 0 {
		return nil, errSignIn
	}
	tok := &session.Token{Value: oidcflow.NewSecret(s.Tokens[0]), Expiry: time.Now().Add(time.Hour)}
	if s.Expired {
		tok.Expiry, tok.Expired, tok.Reason = time.Now().Add(-time.Hour), true, offline.ReasonNetworkUnavailable
	}
	return tok, nil
}

func (f fileSource) MarkStale(_ context.Context, c oidcflow.Secret) (bool, error) {
	s := f.read()
	if len(s.Tokens) == 0 || s.Tokens[0] != c.Reveal() {
		return false, nil
	}
	s.Stale = true
	f.write(s)
	return true, nil
}

func newFileSource(t *testing.T, s fileSession) fileSource {
	f := fileSource(filepath.Join(t.TempDir(), "session"))
	f.write(s)
	return f
}

// self is the command that runs this binary as a helper.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// gitClient is a git that knows our helper alone, and the server it talks to.
type gitClient struct {
	t   *testing.T
	url string
	env []string
}

func newGitClient(t *testing.T, src fileSource, accepted ...string) *gitClient {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		for _, a := range accepted {
			if a == password || a == bearer {
				w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
				_, _ = fmt.Fprintf(w, "001e# service=git-upload-pack\n0000%04x%040d capabilities^{}\x00\n0000", 4+40+17+1, 0)
				return
			}
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	asked := filepath.Join(dir, "askpass")
	if err := os.WriteFile(asked, []byte("#!/bin/sh\n: >\"$0.ran\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := os.Stat(asked + ".ran"); err == nil {
			t.Error("git asked a person")
		}
	})
	return &gitClient{t: t, url: server.URL, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_ASKPASS=" + asked, "LC_ALL=C",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=credential.helper", "GIT_CONFIG_VALUE_0=" + self(t) + " git",
		"HELPER_TEST_SESSION=" + string(src), "HELPER_TEST_HOST=" + strings.TrimPrefix(server.URL, "http://"),
	}}
}

func (g *gitClient) run(args ...string) (string, error) {
	cmd := exec.CommandContext(g.t.Context(), testenv.Program(g.t, "git"), args...)
	cmd.Env, cmd.Dir = g.env, g.t.TempDir()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestRealGit(t *testing.T) {
	t.Run("a good token", func(t *testing.T) {
		src := newFileSource(t, fileSession{Tokens: []string{"T1", "T2"}})
		g := newGitClient(t, src, "T1")
		if out, err := g.run("ls-remote", g.url); err != nil || out != "" {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("a refused token is renewed", func(t *testing.T) {
		src := newFileSource(t, fileSession{Tokens: []string{"T1", "T2"}})
		g := newGitClient(t, src, "T2")
		out, err := g.run("ls-remote", g.url)
		if _, cerr := g.run("credential", "capability"); cerr == nil {
			if err != nil { // a git that asks again
				t.Errorf("%v\n%s", err, out)
			}
		} else if err == nil || !src.read().Stale {
			t.Errorf("%v, %+v\n%s", err, src.read(), out)
		}
		if out, err := g.run("ls-remote", g.url); err != nil {
			t.Errorf("the second command: %v\n%s", err, out)
		}
	})
	t.Run("an expired one, offline", func(t *testing.T) {
		src := newFileSource(t, fileSession{Tokens: []string{"T1"}, Expired: true})
		g := newGitClient(t, src, "T1")
		if out, err := g.run("ls-remote", g.url); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("signed out", func(t *testing.T) {
		g := newGitClient(t, newFileSource(t, fileSession{}))
		out, err := g.run("ls-remote", g.url)
		if err == nil || strings.Count(out, "oidc-cred: error: ") != 1 || !strings.Contains(out, "told us to quit") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// kubeServer is as much of an API server as kubectl get pods needs.
func kubeServer(t *testing.T) (url string, tokens func() []string) {
	t.Helper()
	answers := map[string]string{
		"/api":                            `{"kind":"APIVersions","versions":["v1"]}`,
		"/apis":                           `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`,
		"/api/v1":                         `{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"pods","namespaced":true,"kind":"Pod","verbs":["get","list"]}]}`,
		"/api/v1/namespaces/default/pods": `{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[]}`,
	}
	var mu sync.Mutex
	var seen []string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, r.Header.Get("Authorization"))
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if answers[r.URL.Path] == "" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = fmt.Fprint(w, answers[r.URL.Path])
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string { mu.Lock(); defer mu.Unlock(); return seen }
}

func kubectls(t *testing.T) []string {
	t.Helper()
	path := testenv.Program(t, "kubectl")
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	// Some machines have a dispatcher in PATH and the real ones beside it.
	var found []string
	for _, version := range []string{"1.27", "1.33"} {
		p := filepath.Join(filepath.Dir(path), "kubectl."+version)
		if _, err := os.Stat(p); err == nil {
			found = append(found, p)
		}
	}
	if found == nil {
		found = []string{path}
	}
	return found
}

func TestRealKubectl(t *testing.T) {
	for _, kubectl := range kubectls(t) {
		for _, version := range []string{ExecV1, ExecV1beta1} {
			for _, tt := range []struct {
				name  string
				s     fileSession
				stale string
				want  string // "" is a failure
			}{
				{"live", fileSession{Tokens: []string{"T1"}}, "", "Bearer T1"},
				{"stale, asked for", fileSession{Tokens: []string{"T1"}, Expired: true}, "1", "Bearer T1"},
				{"stale", fileSession{Tokens: []string{"T1"}, Expired: true}, "", ""},
				{"signed out", fileSession{}, "", ""},
			} {
				if tt.want == "" && version != ExecV1 {
					continue // no answer, so no version
				}
				t.Run(filepath.Base(kubectl)+" "+version[strings.LastIndex(version, "/")+1:]+" "+tt.name, func(t *testing.T) {
					url, tokens := kubeServer(t)
					src := newFileSource(t, tt.s)
					dir := t.TempDir()
					config := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"x",
						"clusters":[{"name":"x","cluster":{"server":%q,"insecure-skip-tls-verify":true}}],
						"contexts":[{"name":"x","context":{"cluster":"x","user":"x"}}],
						"users":[{"name":"x","user":{"exec":{"apiVersion":%q,"command":%q,"args":["kubectl"],"interactiveMode":"IfAvailable","provideClusterInfo":true}}}]}`,
						url, version, self(t))
					if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600); err != nil {
						t.Fatal(err)
					}
					cmd := exec.CommandContext(t.Context(), kubectl, "get", "pods")
					cmd.Env = []string{"KUBECONFIG=" + filepath.Join(dir, "config"), "HOME=" + dir, "HELPER_TEST_SESSION=" + string(src), "HELPER_TEST_STALE=" + tt.stale}
					var out bytes.Buffer
					cmd.Stdout, cmd.Stderr = &out, &out
					err := cmd.Run()
					if tt.want == "" {
						if err == nil || !strings.Contains(out.String(), "oidc-cred: error: ") {
							t.Errorf("%v\n%s", err, out.String())
						}
						if len(tokens()) > 0 {
							t.Errorf("requests with %q", tokens())
						}
						return
					}
					if err != nil || len(tokens()) < 4 || tokens()[0] != tt.want {
						t.Errorf("%v, %q\n%s", err, tokens(), out.String())
					}
					if runs := src.read().Runs; runs != 1 {
						t.Errorf("the helper ran %d times for %d requests", runs, len(tokens()))
					}
				})
			}
		}
	}
}
