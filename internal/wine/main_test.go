package wine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// prefixVariable is set by tools/windows once the Wine prefix is ready. Only
// then do these tests run.
const prefixVariable = "OIDC_CRED_TEST_WINE"

// deadline ends a process that should have ended long before.
const deadline = 60 * time.Second

const passphrase = "a-passphrase-as-a-machine-would-make-it"

// program and browser are the Windows programs, built once.
var program, browser string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if !ready() {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "oidc-cred-wine")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program, browser = filepath.Join(dir, "oidc-cred.exe"), filepath.Join(dir, "browser.exe")
	for path, source := range map[string]string{program: "github.com/oidc-cred/oidc-cred", browser: "./testdata/browser"} {
		build := exec.Command("go", "build", "-trimpath", "-o", path, source)
		build.Env = append(os.Environ(), "GOOS=windows", "CGO_ENABLED=0", "GOFLAGS="+os.Getenv(prefixVariable))
		if output, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", source, err, output)
			return 1
		}
	}
	return m.Run()
}

func ready() bool { _, ok := os.LookupEnv(prefixVariable); return ok && runtime.GOOS != "windows" }

// needWine skips the test outside of tools/windows.
func needWine(t *testing.T) string {
	t.Helper()
	if !ready() {
		t.Skip("tools/windows runs this, a part of `make test` of its own")
	}
	return testenv.Program(t, "wine")
}

// home is a person's folder for the program, and its environment.
type home struct {
	t        *testing.T
	wine     string
	dir      string
	provider *oidctest.Provider
	env      []string
}

// newHome makes a folder with a blank in its path, and a provider.
func newHome(t *testing.T, store string) *home {
	t.Helper()
	h := &home{t: t, wine: needWine(t), dir: filepath.Join(t.TempDir(), "a b"), provider: oidctest.New(oidctest.Options{})}
	t.Cleanup(h.provider.Close)
	if err := os.Mkdir(h.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "OIDC_CRED_") && !strings.HasPrefix(entry, "DISPLAY=") {
			h.env = append(h.env, entry)
		}
	}
	h.env = append(h.env, "OIDC_CRED_HOME="+windowsPath(h.dir), "OIDC_CRED_STORE="+store,
		"OIDC_CRED_PASSPHRASE="+passphrase, "BROWSER="+windowsPath(browser))
	return h
}

// windowsPath is where Wine shows a file of this system.
func windowsPath(path string) string { return "Z:" + strings.ReplaceAll(path, "/", `\`) }

// with is the same home with further environment variables.
func (h *home) with(env ...string) *home {
	c := *h
	c.env = append(append([]string{}, h.env...), env...)
	return &c
}

// result is how a process ended.
type result struct {
	t              *testing.T
	args           []string
	stdout, stderr string
	code           int
}

// run runs the program to its end.
func (h *home) run(args ...string) result { h.t.Helper(); return h.runWith("", args...) }

// runWith runs the program with text on its standard input.
func (h *home) runWith(stdin string, args ...string) result {
	h.t.Helper()
	p := h.start(args...)
	p.types(stdin)
	_ = p.stdin.Close()
	return p.wait()
}

// process is a program that has been started.
type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	ctx            context.Context
	args           []string
	stdin          io.WriteCloser
	stdout, stderr buffer
}

// buffer can be read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// start starts the program.
func (h *home) start(args ...string) *process {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), deadline)
	h.t.Cleanup(cancel)
	p := &process{t: h.t, ctx: ctx, args: args, cmd: exec.CommandContext(ctx, h.wine, append([]string{program}, args...)...)}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = h.env, &p.stdout, &p.stderr
	p.cmd.WaitDelay = time.Second
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		h.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	return p
}

// types writes to the standard input; the program need not read it.
func (p *process) types(text string) { _, _ = io.WriteString(p.stdin, text) }

// await waits until stderr holds a match, and gives it.
func (p *process) await(pattern *regexp.Regexp) string {
	p.t.Helper()
	for p.ctx.Err() == nil {
		if found := pattern.FindString(p.stderr.String()); found != "" {
			return found
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.t.Fatalf("%v: no %s on stderr: %s", p.args, pattern, p.stderr.String())
	return ""
}

// wait waits for the end of the program.
func (p *process) wait() result {
	p.t.Helper()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || p.ctx.Err() != nil {
		p.t.Fatalf("%v: %v, %v\nstdout: %s\nstderr: %s", p.args, err, p.ctx.Err(), p.stdout.String(), p.stderr.String())
	}
	return result{t: p.t, args: p.args, stdout: p.stdout.String(), stderr: p.stderr.String(), code: p.cmd.ProcessState.ExitCode()}
}

// exits checks the exit code, and that there is nothing on stdout unless it
// is 0, and no carriage return in anything.
func (r result) exits(code int) result {
	r.t.Helper()
	if r.code != code {
		r.t.Fatalf("%v exits %d, want %d\nstdout: %s\nstderr: %s", r.args, r.code, code, r.stdout, r.stderr)
	}
	if code != 0 && r.stdout != "" {
		r.t.Errorf("%v exits %d and prints %q", r.args, r.code, r.stdout)
	}
	if strings.Contains(r.stdout+r.stderr, "\r") {
		r.t.Errorf("%v prints a carriage return: %q, %q", r.args, r.stdout, r.stderr)
	}
	return r
}

// says checks that stderr holds the text.
func (r result) says(text string) result {
	r.t.Helper()
	if !strings.Contains(r.stderr, text) {
		r.t.Errorf("%v: stderr does not say %q:\n%s", r.args, text, r.stderr)
	}
	return r
}

// login signs in with further flags; nothing may come on stdout.
func (h *home) login(args ...string) {
	h.t.Helper()
	r := h.run(append([]string{"login", "--issuer", h.provider.Issuer(), "--client-id", "oidc-cred", "--offline-enabled"}, args...)...)
	if r.exits(0).says("Signed in as user-1"); r.stdout != "" {
		h.t.Errorf("login prints %q", r.stdout)
	}
}

// token is a token that must be printed, and known to the provider.
func (h *home) token(args ...string) string {
	h.t.Helper()
	r := h.run(append([]string{"token"}, args...)...).exits(0)
	token, whole := strings.CutSuffix(r.stdout, "\n")
	if !whole || !h.provider.Active(token) {
		h.t.Fatalf("%v prints no token that the provider knows\nstderr: %s", r.args, r.stderr)
	}
	return token
}
