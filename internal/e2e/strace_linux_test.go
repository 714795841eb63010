package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// trace runs the program under strace and gives the lines of its network and
// file system calls.
func (h *home) trace(args ...string) []string {
	h.t.Helper()
	strace := testenv.Program(h.t, "strace")
	log := filepath.Join(h.t.TempDir(), "log")
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, strace, append([]string{"-f", "-qq", "-e", "trace=network,file,process", "-o", log, binary}, args...)...)
	cmd.Env = h.environment()
	if output, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(output), "ptrace") {
			testenv.Need(h.t, "strace", "this machine does not allow tracing: "+string(output))
		}
		h.t.Fatalf("%v: %v\n%s", args, err, output)
	}
	data, err := os.ReadFile(log)
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

var (
	networkCall = regexp.MustCompile(`^\d+ +(socket|connect|bind|listen|accept4?|sendto|sendmsg|recvfrom|recvmsg|socketpair|getsockopt|setsockopt)\(`)
	programCall = regexp.MustCompile(`^\d+ +(execve|fork|vfork)\(`)
	writeCall   = regexp.MustCompile(`^\d+ +(openat\(.*(O_WRONLY|O_RDWR|O_CREAT)|rename|unlink|mkdir|chmod|fchmodat|symlink|link)`)
)

// TestSystemCalls: a helper is called for every git command. What needs no
// network, no lock and no key takes none.
func TestSystemCalls(t *testing.T) {
	t.Parallel()
	p := newProvider(t, oidctest.Options{})
	h := newHome(t, p, "hosts: [git.example.com]", "offline: {enabled: true}")
	h.login()
	h.token()
	for _, c := range []struct {
		args []string
		key  bool // the sealed session and its key are read
	}{
		{[]string{"token"}, true},
		{[]string{"token", "-o", "json"}, true},
		{[]string{"token", "--type", "id"}, true},
		{[]string{"helper", "kubectl"}, true},
		{[]string{"status"}, false},
		{[]string{"status", "-o", "json"}, false},
		{[]string{"status", "--all", "--check"}, false},
		{[]string{"profile", "list"}, false},
		{[]string{"version"}, false},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			h := *h
			h.t = t
			lines := h.trace(c.args...)
			if len(lines) < 3 {
				t.Fatalf("strace has seen next to nothing: %q", lines)
			}
			for _, line := range lines {
				if networkCall.MatchString(line) {
					t.Errorf("network: %s", line)
				}
				if programCall.MatchString(line) && !strings.Contains(line, binary) {
					t.Errorf("another program: %s", line)
				}
				if writeCall.MatchString(line) && !strings.Contains(line, "/dev/") && !strings.Contains(line, "/sys/kernel/mm/") {
					t.Errorf("written: %s", line)
				}
				if strings.Contains(line, ".lock") {
					t.Errorf("lock: %s", line)
				}
				if !c.key && (strings.Contains(line, ".key") || strings.Contains(line, ".sealed")) {
					t.Errorf("secrets: %s", line)
				}
			}
			reads := slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, ".key") })
			if reads != c.key {
				t.Errorf("the key was read: %t", reads)
			}
		})
	}
}

// TestNoSecretInArguments: what the program hands to others is seen by every
// user of the machine.
func TestNoSecretInArguments(t *testing.T) {
	t.Parallel()
	p := newProvider(t, oidctest.Options{Clients: []oidctest.Client{{ID: "oidc-cred", Secret: "a-client-secret-that-nobody-may-see"}}})
	h := newHome(t, p, "client_secret_env: WORK_SECRET").with("WORK_SECRET=a-client-secret-that-nobody-may-see")
	for _, args := range [][]string{{"login"}, {"token", "--force-refresh"}, {"logout", "--browser"}} {
		for _, line := range h.trace(args...) {
			if strings.Contains(line, "execve(") {
				h.seen.note(line)
			}
		}
	}
}
