package cmd

import (
	"context"
	"os/exec"
	"syscall"
)

// shell runs a command of the user's own configuration. cmd.exe does not read
// its command line as other programs do: with /S it takes what stands between
// the first quote and the last as it is, while os/exec would put backslashes
// before the quotes within.
func shell(ctx context.Context, command string) *exec.Cmd {
	run := exec.CommandContext(ctx, "cmd")
	run.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd /S /C "` + command + `"`}
	return run
}
