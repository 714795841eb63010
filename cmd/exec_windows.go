package cmd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
)

// runCommand runs the command and ends with its exit code. Windows can't put it
// in this process's place. An interrupt reaches both from the console, and what
// comes of it is the command's to say.
func runCommand(path string, args, environ []string) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	defer signal.Stop(signals)
	cmd := &exec.Cmd{Path: path, Args: args, Env: environ, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		return silentExit(exit.ExitCode())
	}
	return commandError{failure{fmt.Errorf("run %s: %w", path, err), "check that it is a program for this system"}, exitCannotRun}
}
