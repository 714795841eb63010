//go:build !windows

package cmd

import (
	"fmt"
	"syscall"
)

// runCommand puts the command in this process's place, so that nothing stands
// between it and its caller: the terminal's job control, every signal and the
// way it ended are its own. It returns only if that failed.
func runCommand(path string, args, environ []string) error {
	err := syscall.Exec(path, args, environ) //nolint:gosec // running the command is what was asked for
	return commandError{failure{fmt.Errorf("run %s: %w", path, err), "check that it is a program for this system"}, exitCannotRun}
}
