package main

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The demo, as 'make demo' runs it but without colour, tells its story to the
// end: it takes some ten seconds, for a token to expire.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a token to expire")
	}
	t.Parallel()
	program := buildDemo(t)
	start := time.Now()
	output, code := runDemo(t, program, "-plain")
	if code != 0 {
		t.Fatalf("exit code %d:\n%s", code, output)
	}
	if took := time.Since(start); took > 2*time.Minute {
		t.Errorf("it took %s", took)
	}
	// In this order.
	rest := output
	for _, want := range []string{
		"Sign in", "private file store", "Signed in as ada@example.com", "online",
		"$ oidc-cred token", "at-",
		"The provider goes down", "warning: using_expired_token: the token expired", "identity provider unavailable (HTTP 503)",
		"offline since", "can go on offline until",
		"requests to the provider: 0",
		"$ oidc-cred token --no-offline", "error:", "(exit code 4)",
		"The provider comes back", "online",
		"The provider says no", "invalid_grant", "(exit code 3)", "sign-in required",
		"signed out: the provider ended the session",
		"That is the whole story.",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("no %q in the rest of the story:\n%s", want, output)
		}
		rest = after
	}
	if strings.Contains(output, "\x1b") {
		t.Error("-plain has escape sequences")
	}
	for line := range strings.Lines(output) {
		if len(strings.TrimSpace(line)) == len("at-")+26 && strings.HasPrefix(line, "at-") {
			t.Errorf("a whole token: %s", line)
		}
	}
}

// What the story needs and does not get ends it with an error.
func TestDemoFails(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the demo")
	}
	t.Parallel()
	program := buildDemo(t)
	for want, args := range map[string][]string{
		"the program to show": {"-binary", filepath.Join(t.TempDir(), "absent")},
		// The demo itself is no oidc-cred: it does not know 'login'.
		"scene 1, Sign in": {"-plain", "-binary", program},
	} {
		output, code := runDemo(t, program, args...)
		if code != 1 || !strings.Contains(output, want) {
			t.Errorf("%v: exit code %d, without %q:\n%s", args, code, want, output)
		}
	}
	if output, code := runDemo(t, program, "-color", "blue"); code != 2 {
		t.Errorf("-color blue: exit code %d:\n%s", code, output)
	}
}

func TestLastLines(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		n          int
		text, want string
	}{
		{0, "a\nb\n", "a\nb\n"}, {2, "a\nb\n", "a\nb\n"}, {1, "a\nb\n", "b\n"}, {2, "a\nb\nc", "b\nc\n"}, {3, "", ""},
	} {
		if got := lastLines(test.text, test.n); got != test.want {
			t.Errorf("lastLines(%q, %d) = %q, want %q", test.text, test.n, got, test.want)
		}
	}
}

func buildDemo(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "demo")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build the demo: %v\n%s", err, output)
	}
	return program
}

func runDemo(t *testing.T, program string, args ...string) (string, int) {
	t.Helper()
	var output bytes.Buffer
	run := exec.CommandContext(t.Context(), program, args...)
	run.Stdout, run.Stderr = &output, &output
	err := run.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return output.String(), run.ProcessState.ExitCode()
}
