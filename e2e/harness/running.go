package harness

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// Running is a run of the program that has not ended yet.
type Running struct {
	// Stdin is the program's standard input, open.
	Stdin  io.WriteCloser
	cmd    *exec.Cmd
	stdout bytes.Buffer
	stderr lockedBuffer
	begin  time.Time
	waited bool
}

// Start runs the program in the background. The test's end ends it.
func (c *CLI) Start(t testing.TB, args ...string) *Running {
	t.Helper()
	r := &Running{cmd: exec.Command(Binary, args...), begin: time.Now()}
	r.cmd.Env = c.Env
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	var err error
	if r.Stdin, err = r.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !r.waited {
			_ = r.cmd.Process.Kill()
			_ = r.cmd.Wait()
		}
	})
	return r
}

// Stderr is what the program has said so far.
func (r *Running) Stderr() string { return r.stderr.String() }

// Address waits until the program has shown an address with this beginning.
func (r *Running) Address(t testing.TB, beginning string) string {
	t.Helper()
	var address string
	Eventually(t, 20*time.Second, "an address like "+beginning, func() bool {
		// With what follows it, so that it is whole.
		text := r.Stderr()
		at := strings.Index(text, beginning)
		if at < 0 {
			return false
		}
		end := strings.IndexAny(text[at:], " \t\r\n")
		if end < 0 {
			return false
		}
		address = text[at : at+end]
		return true
	})
	return address
}

// Wait waits for the program's end, for at most a minute.
func (r *Running) Wait(t testing.TB) Result {
	t.Helper()
	limit := time.AfterFunc(time.Minute, func() { _ = r.cmd.Process.Kill() })
	err := r.cmd.Wait()
	r.waited = true
	if !limit.Stop() {
		t.Fatalf("%s did not end within a minute\n%s", r.cmd, r.Stderr())
	}
	result := Result{Stdout: r.stdout.String(), Stderr: r.Stderr(), Took: time.Since(r.begin)}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		result.Code = exit.ExitCode()
	case err != nil:
		t.Fatal(err)
	}
	return result
}

// lockedBuffer can be read while a program writes to it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
