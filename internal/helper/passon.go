package helper

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// passOn hands a call to the keyring command behind this one, with everything
// that it was given, and ends as that ends. Without one there is no password,
// which the keyring command says with its exit code alone.
func passOn(ctx context.Context, env Env, args []string) error {
	program, path := nextKeyring(env.getenv("PATH"))
	if program == "" {
		if slices.Contains(args, "get") {
			return Answered{Code: 1}
		}
		return &UsageError{
			Message: "this keyring command is oidc-cred's, which answers for the servers of its profiles, and no other is behind it in PATH",
			Advice:  "install keyring, or call it by its path",
		}
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = env.Stdin, env.Stdout, env.Stderr
	cmd.Env = append(os.Environ(), "PATH="+path)
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return Answered{Code: exit.ExitCode()}
	}
	return err
}

// nextKeyring finds the keyring command that is not this program, and the PATH
// to run it with. That lacks the folders in which the name is this program:
// should the one that was found be another copy of it, then that one will not
// come back here.
func nextKeyring(list string) (program, path string) {
	name := "keyring"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	var own os.FileInfo
	if exe, err := os.Executable(); err == nil {
		own, err = os.Stat(exe)
		if err != nil {
			own = nil
		}
	}
	var others []string
	for _, dir := range filepath.SplitList(list) {
		file := filepath.Join(dir, name)
		info, err := os.Stat(file) //nolint:gosec // programs are looked for in PATH
		if err == nil && own != nil && os.SameFile(info, own) {
			continue
		}
		others = append(others, dir)
		runs := err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode()&0o111 != 0)
		if program == "" && runs && filepath.IsAbs(dir) {
			program = file
		}
	}
	return program, strings.Join(others, string(os.PathListSeparator))
}
