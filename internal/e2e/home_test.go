package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// passphrase opens the file store. From 32 characters on it counts as a random
// key, which costs no time to derive.
const passphrase = "a-passphrase-as-a-machine-would-make-it"

// deadline ends a process that should have ended long before.
const deadline = 60 * time.Second

// home is a person's folder for the program, and the environment in which the
// program runs.
type home struct {
	t        testing.TB
	dir      string
	provider *oidctest.Provider
	env      []string
	seen     *witness
}

// newProvider runs a provider until the test ends.
func newProvider(t testing.TB, o oidctest.Options) *oidctest.Provider {
	t.Helper()
	p := oidctest.New(o)
	t.Cleanup(p.Close)
	return p
}

// newHome makes a folder with the profile "work" for the provider, whose key is
// kept in the file store. settings are further lines of the profile.
func newHome(t testing.TB, p *oidctest.Provider, settings ...string) *home {
	t.Helper()
	readSources()
	h := &home{t: t, dir: t.TempDir(), provider: p, seen: newWitness(t, p)}
	h.env = []string{
		"PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(),
		"OIDC_CRED_PASSPHRASE=" + passphrase, "BROWSER=" + self(t), browserVariable + "=1",
	}
	h.seen.folder(h.dir)
	lines := append([]string{"issuer: " + p.Issuer(), "client_id: oidc-cred", "store: file"}, settings...)
	h.config("profiles:\n  work:\n    " + strings.Join(lines, "\n    ") + "\n")
	return h
}

func self(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// config writes the configuration file.
func (h *home) config(text string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, "config.yaml"), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// with is the same home with further environment variables.
func (h *home) with(env ...string) *home {
	c := *h
	c.env = append(slices.Clone(h.env), env...)
	return &c
}

// without is the same home lacking some environment variables.
func (h *home) without(names ...string) *home {
	c := *h
	c.env = slices.DeleteFunc(slices.Clone(h.env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(names, name)
	})
	return &c
}

// copy is another folder with the same content, for the test t.
func (h *home) copy(t testing.TB) *home {
	t.Helper()
	c := *h
	c.t, c.dir = t, t.TempDir()
	if err := os.CopyFS(c.dir, os.DirFS(h.dir)); err != nil {
		t.Fatal(err)
	}
	c.seen = newWitness(t, h.provider)
	c.seen.folder(c.dir)
	return &c
}

// remove deletes something below the home.
func (h *home) remove(name string) {
	h.t.Helper()
	if err := os.RemoveAll(filepath.Join(h.dir, name)); err != nil {
		h.t.Fatal(err)
	}
}

// environment is the whole environment of the program. The system's D-Bus
// session is not in it.
func (h *home) environment() []string {
	return append([]string{"HOME=" + h.dir, "OIDC_CRED_HOME=" + h.dir}, h.env...)
}

// result is how a process ended.
type result struct {
	t              testing.TB
	args           []string
	stdout, stderr string
	code           int
	took           time.Duration
}

// process is a program that has been started.
type process struct {
	cmd            *exec.Cmd
	cancel         context.CancelFunc
	stdout, stderr bytes.Buffer
	start          time.Time
	h              *home
	args           []string
}

// start starts the program.
func (h *home) start(args ...string) *process {
	return h.startWith("", args...)
}

// startWith starts the program with text on its standard input.
func (h *home) startWith(stdin string, args ...string) *process {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	p := &process{cmd: exec.CommandContext(ctx, binary, args...), cancel: cancel, h: h, args: args, start: time.Now()}
	p.cmd.Env = h.environment()
	p.cmd.Stdin = strings.NewReader(stdin)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	// A browser that is left over must not keep the test waiting.
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		cancel()
		h.t.Fatal(err)
	}
	return p
}

// wait waits for the end of the program. Ended by a signal, its code is -1.
func (p *process) wait() result {
	p.h.t.Helper()
	err := p.cmd.Wait()
	took := time.Since(p.start)
	p.cancel()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.h.t.Errorf("%v: %v", p.args, err)
	}
	r := result{t: p.h.t, args: p.args, stdout: p.stdout.String(), stderr: p.stderr.String(), code: p.cmd.ProcessState.ExitCode(), took: took}
	p.h.seen.ran(r)
	return r
}

// run runs the program to its end.
func (h *home) run(args ...string) result {
	h.t.Helper()
	return h.start(args...).wait()
}

// login signs in, which must succeed.
func (h *home) login() {
	h.t.Helper()
	h.run("login").exits(0)
}

// token is a token that must be printed.
func (h *home) token(args ...string) string {
	h.t.Helper()
	r := h.run(append([]string{"token"}, args...)...).exits(0)
	return strings.TrimSuffix(r.stdout, "\n")
}

// exits checks the exit code and what holds for every call: an empty stdout
// unless it is 0, the form of the lines on stderr, an error where it failed.
func (r result) exits(code int) result {
	r.t.Helper()
	if r.code != code {
		r.t.Errorf("%v exits %d, want %d\nstdout: %s\nstderr: %s", r.args, r.code, code, r.stdout, r.stderr)
		return r
	}
	if code != 0 && r.stdout != "" {
		r.t.Errorf("%v exits %d and prints %q", r.args, r.code, r.stdout)
	}
	return r
}

// fails checks an exit code that comes with an error and a hint on stderr.
func (r result) fails(code int) result {
	r.t.Helper()
	r.exits(code)
	errs, hints := 0, 0
	for line := range strings.Lines(r.stderr) {
		switch {
		case strings.HasPrefix(line, "oidc-cred: error: "):
			errs++
		case strings.HasPrefix(line, "oidc-cred: hint: "):
			if errs == 0 {
				r.t.Errorf("%v: the hint stands before the error:\n%s", r.args, r.stderr)
			}
			hints++
		case !strings.HasPrefix(line, "oidc-cred: "):
			r.t.Errorf("%v: a line on stderr of an unknown form: %s", r.args, line)
		}
	}
	if errs != 1 || hints != 1 {
		r.t.Errorf("%v: %d errors and %d hints on stderr, want one each:\n%s", r.args, errs, hints, r.stderr)
	}
	return r
}

// quick checks that the call took no longer than limit.
func (r result) quick(limit time.Duration) result {
	r.t.Helper()
	if r.took > limit {
		r.t.Errorf("%v took %s, want at most %s\nstderr: %s", r.args, r.took.Round(time.Millisecond), limit, r.stderr)
	}
	return r
}

// warnings are the types of the warnings on stderr, in their order.
func (r result) warnings() []string {
	var types []string
	for line := range strings.Lines(r.stderr) {
		if text, ok := strings.CutPrefix(line, "oidc-cred: warning: "); ok {
			kind, _, _ := strings.Cut(text, ":")
			types = append(types, kind)
		}
	}
	return types
}

// decode reads JSON from stdout.
func decode[T any](r result) T {
	r.t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.stdout), &v); err != nil {
		r.t.Fatalf("%v prints %q: %v\nstderr: %s", r.args, r.stdout, err, r.stderr)
	}
	return v
}

// tokenJSON is `token -o json`, contract §1.
type tokenJSON struct {
	Token         string     `json:"token"`
	TokenType     string     `json:"token_type"`
	ExpiresAt     *time.Time `json:"expires_at"`
	Expired       bool       `json:"expired"`
	Offline       bool       `json:"offline"`
	OfflineReason *string    `json:"offline_reason"`
	LastSync      *time.Time `json:"last_sync"`
	Profile       string     `json:"profile"`
	Issuer        string     `json:"issuer"`
	Subject       string     `json:"subject"`
	Scopes        []string   `json:"scopes"`
	Warnings      []struct {
		Type       string `json:"type"`
		Message    string `json:"message"`
		ExpiredFor *int   `json:"expired_for_seconds"`
	} `json:"warnings"`
}

func (j tokenJSON) reason() string {
	if j.OfflineReason == nil {
		return ""
	}
	return *j.OfflineReason
}

// statusJSON is a profile of `status -o json`, contract §3.
type statusJSON struct {
	Profile  string     `json:"profile"`
	State    string     `json:"state"`
	Store    string     `json:"store"`
	LastSync *time.Time `json:"last_sync"`
	Token    *struct {
		ExpiresAt *time.Time `json:"expires_at"`
		Expired   bool       `json:"expired"`
	} `json:"token"`
	HasRefresh bool `json:"has_refresh_token"`
	Offline    *struct {
		Since     *time.Time `json:"since"`
		Reason    string     `json:"reason"`
		Failures  int        `json:"consecutive_failures"`
		LastError string     `json:"last_error"`
		NextRetry *time.Time `json:"next_retry"`
	} `json:"offline"`
}

// status is the state of the profile "work".
func (h *home) status() statusJSON {
	h.t.Helper()
	all := decode[struct{ Profiles []statusJSON }](h.run("status", "-o", "json").exits(0))
	if len(all.Profiles) != 1 {
		h.t.Fatalf("status shows %d profiles", len(all.Profiles))
	}
	return all.Profiles[0]
}

// await waits for the nth request since the counts were reset.
func await(t testing.TB, p *oidctest.Provider, e oidctest.Endpoint, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if err := p.Await(ctx, e, n); err != nil {
		t.Fatal(err)
	}
}
