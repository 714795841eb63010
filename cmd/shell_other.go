//go:build !windows

package cmd

import (
	"context"
	"os"
	"os/exec"
	"syscall"
)

// shell runs a command of the user's own configuration.
func shell(ctx context.Context, command string) *exec.Cmd {
	run := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	if hasTerminal() {
		// It may ask on the terminal, which only the group in front may do.
		return run
	}
	// What it has started ends with it, or a pipeline that waits for our
	// standard error would wait for that as well.
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	run.Cancel = func() error { return syscall.Kill(-run.Process.Pid, syscall.SIGKILL) }
	return run
}

// hasTerminal says whether this process has a terminal at all, whatever its
// streams are.
func hasTerminal() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	_ = tty.Close()
	return true
}
