package harness

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
)

// CLI runs the program with a home of its own.
type CLI struct {
	// Home is OIDC_CRED_HOME.
	Home string
	// Env is the whole environment of the program, and of what calls it.
	Env []string
}

// Result is what a run of the program left.
type Result struct {
	Stdout, Stderr string
	Code           int
	Took           time.Duration
}

// NewCLI makes a home that no other test sees, with sessions sealed by a key
// in the file store.
func NewCLI(t testing.TB, env ...string) *CLI {
	t.Helper()
	// Not t.TempDir(): the path of Chromium's socket in TMPDIR must be short.
	dir, err := os.MkdirTemp("", "cli")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &CLI{Home: filepath.Join(dir, "oidc-cred")}
	c.Env = append([]string{
		"PATH=" + filepath.Dir(Binary) + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME=" + dir,
		"TMPDIR=" + dir,
		"LANG=C.UTF-8",
		"NO_COLOR=1",
		"DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent",
		"OIDC_CRED_HOME=" + c.Home,
		"OIDC_CRED_STORE=file",
		"OIDC_CRED_PASSPHRASE=a passphrase long enough to count as a random key",
	}, env...)
	return c
}

// Set adds a variable, or replaces its value.
func (c *CLI) Set(name, value string) { c.Env = append(c.Env, name+"="+value) }

// Config writes the config file.
func (c *CLI) Config(t testing.TB, yaml string) {
	t.Helper()
	if err := os.MkdirAll(c.Home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Home, "config.yaml"), []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Run runs the program and returns whatever happened.
func (c *CLI) Run(t testing.TB, args ...string) Result {
	t.Helper()
	return c.Program(t, Input{}, Binary, args...)
}

// OK runs the program and demands success.
func (c *CLI) OK(t testing.TB, args ...string) Result {
	t.Helper()
	r := c.Run(t, args...)
	if r.Code != 0 {
		t.Fatalf("oidc-cred %s: exit %d\n%s", strings.Join(args, " "), r.Code, r.Stderr)
	}
	return r
}

// Fails runs the program and demands an exit code, and that nothing is on
// standard output.
func (c *CLI) Fails(t testing.TB, code int, args ...string) Result {
	t.Helper()
	r := c.Run(t, args...)
	if r.Code != code {
		t.Fatalf("oidc-cred %s: exit %d, want %d\nstderr: %s", strings.Join(args, " "), r.Code, code, r.Stderr)
	}
	if r.Stdout != "" {
		t.Errorf("oidc-cred %s: exit %d with %d bytes on standard output", strings.Join(args, " "), r.Code, len(r.Stdout))
	}
	return r
}

// Input is where and with what a program runs.
type Input struct {
	Dir, Stdin string
	Env        []string
}

// Program runs any program in the CLI's environment, for at most two minutes.
func (c *CLI) Program(t testing.TB, in Input, name string, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Stdin = strings.NewReader(in.Stdin)
	cmd.Dir = in.Dir
	cmd.Env = slices.Concat(c.Env, in.Env)
	cmd.WaitDelay = 5 * time.Second
	begin := time.Now()
	err := cmd.Run()
	r := Result{Stdout: stdout.String(), Stderr: stderr.String(), Took: time.Since(begin)}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		t.Fatalf("%s %s: no end within the limit\n%s", name, strings.Join(args, " "), r.Stderr)
	case errors.As(err, &exit):
		r.Code = exit.ExitCode()
	case err != nil:
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

// Token is what `token -o json` prints.
type Token struct {
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
	Warnings      []Warning  `json:"warnings"`
}

// Warning is one entry of warnings in JSON output.
type Warning struct {
	Type              string `json:"type"`
	Message           string `json:"message"`
	ExpiredForSeconds int64  `json:"expired_for_seconds"`
}

// Status is one profile of `status -o json`.
type Status struct {
	Profile         string     `json:"profile"`
	Issuer          string     `json:"issuer"`
	ClientID        string     `json:"client_id"`
	Subject         string     `json:"subject"`
	Username        string     `json:"username"`
	State           string     `json:"state"`
	Store           string     `json:"store"`
	LoginAt         *time.Time `json:"login_at"`
	LastSync        *time.Time `json:"last_sync"`
	HasRefreshToken bool       `json:"has_refresh_token"`
	// RefreshTokenExpiresAt is when the sign-in ends, if the provider said so.
	RefreshTokenExpiresAt *time.Time `json:"refresh_token_expires_at"`
	Grant                 string     `json:"grant"`
	InUse                 bool       `json:"in_use"`
	ChosenBy              string     `json:"chosen_by"`
	ChosenIn              string     `json:"chosen_in"`
	Token                 *struct {
		ExpiresAt *time.Time `json:"expires_at"`
		Expired   bool       `json:"expired"`
		Scopes    []string   `json:"scopes"`
		// Bound is true for a token that needs a proof of a key.
		Bound bool `json:"bound"`
	} `json:"token"`
	Offline *struct {
		Since               *time.Time `json:"since"`
		Reason              string     `json:"reason"`
		ConsecutiveFailures int        `json:"consecutive_failures"`
		LastError           string     `json:"last_error"`
		NextRetry           *time.Time `json:"next_retry"`
		MustSignInBy        *time.Time `json:"must_sign_in_by"`
	} `json:"offline"`
	Warnings  []Warning `json:"warnings"`
	SignedOut *struct {
		At     *time.Time `json:"at"`
		Reason string     `json:"reason"`
		Detail string     `json:"detail"`
	} `json:"signed_out"`
}

// Token runs `token -o json`.
func (c *CLI) Token(t testing.TB, args ...string) (Token, Result) {
	t.Helper()
	r := c.OK(t, append([]string{"token", "-o", "json"}, args...)...)
	var token Token
	decode(t, r.Stdout, &token)
	return token, r
}

// Status runs `status -o json` and returns the one profile.
func (c *CLI) Status(t testing.TB) Status {
	t.Helper()
	r := c.OK(t, "status", "-o", "json")
	var status struct {
		Profiles []Status `json:"profiles"`
	}
	decode(t, r.Stdout, &status)
	if len(status.Profiles) != 1 {
		t.Fatalf("status has %d profiles:\n%s", len(status.Profiles), r.Stdout)
	}
	return status.Profiles[0]
}

func decode(t testing.TB, text string, into any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
}
