//go:build !windows

package cmd

import (
	"context"
	"os/exec"
)

// shell runs a command of the user's own configuration.
func shell(ctx context.Context, command string) *exec.Cmd {
	return exec.CommandContext(ctx, "/bin/sh", "-c", command)
}
