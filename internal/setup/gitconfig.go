package setup

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// gitConfig is the user's git configuration, read and written by git itself,
// which locks the file and keeps its comments and order.
type gitConfig struct {
	ctx     context.Context
	program string
	env     []string
	created string // as in [Common]
}

// git config's exit codes, git-config(1).
const (
	exitNoSuchKey    = 1
	exitNothingUnset = 5
)

// run calls git config --global.
func (c *gitConfig) run(args ...string) (string, int, error) {
	program := c.program
	if program == "" {
		program = "git"
	}
	cmd := exec.CommandContext(c.ctx, program, append([]string{"config", "--global"}, args...)...)
	cmd.Env = append(c.environ(), "LC_ALL=C")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return out.String(), 0, nil
	case c.ctx.Err() != nil:
		return "", 0, c.ctx.Err()
	case errors.As(err, &exit):
		said, _, _ := strings.Cut(strings.TrimSpace(errs.String()), "\n")
		return out.String(), exit.ExitCode(), fmt.Errorf("git config: %s", cmp.Or(said, err.Error()))
	default:
		return "", -1, &Error{Message: "git can't be run", Advice: "install git, or use --print and write the lines yourself", Err: err}
	}
}

func (c *gitConfig) environ() []string {
	if c.env == nil {
		return os.Environ()
	}
	return slices.Clone(c.env)
}

// all gives the key's values in order.
func (c *gitConfig) all(key string) ([]string, error) {
	out, code, err := c.run("--null", "--get-all", key)
	if err != nil {
		if code == exitNoSuchKey {
			return nil, nil
		}
		return nil, err
	}
	return splitNull(out), nil
}

func splitNull(out string) []string {
	if out == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
}

// laterHelpers are the helpers for every server that stand behind the key's
// last value. git goes through the file in order, so they get the key's
// credentials too.
func (c *gitConfig) laterHelpers(key string) ([]string, error) {
	out, code, err := c.run("--null", "--get-regexp", `^credential\.(.*\.)?helper$`)
	if err != nil {
		if code == exitNoSuchKey {
			return nil, nil
		}
		return nil, err
	}
	var late []string
	found := false
	for _, entry := range splitNull(out) {
		name, value, _ := strings.Cut(entry, "\n")
		switch {
		case name == key:
			found, late = true, nil
		case name == "credential.helper" && found:
			late = append(late, value)
		}
	}
	return late, nil
}

// movable says whether the URL's section has nothing but helpers, so that git
// drops it with them and makes a new one at the end.
func (c *gitConfig) movable(url string) bool {
	out, _, err := c.run("--null", "--name-only", "--list")
	if err != nil {
		return false
	}
	for _, name := range splitNull(out) {
		if strings.HasPrefix(name, "credential."+url+".") && name != helperKey(url) {
			return false
		}
	}
	return true
}

// write brings the key's values from before to want, with as little change to
// the file as it can. anew writes them all again.
func (c *gitConfig) write(key string, before, want []string, anew bool) error {
	n := len(before)
	same := len(commonPrefix(before, want))
	var err error
	switch {
	case anew, same < n && (n != len(want) || same != n-1):
		if _, code, uerr := c.run("--unset-all", key); uerr != nil && code != exitNothingUnset {
			return uerr
		}
		same = 0
	case same < n: // only the last one differs
		_, _, err = c.run("--fixed-value", "--replace-all", key, want[same], before[same])
		return err
	}
	for _, v := range want[same:] {
		if _, _, err := c.run("--add", key, v); err != nil {
			return err
		}
	}
	return nil
}

// edit has git change the file, and keeps it as it was before our first change,
// as [Common.editFile] does.
func (c *gitConfig) edit(write func() error) (saved string, err error) {
	path := c.path()
	if path == "" {
		return "", write() // git will say what it lacks
	}
	common := Common{Created: c.created}
	files := common.readCreated()
	old, err := readFile(path)
	if err != nil {
		return "", err
	}
	whole := !exists(path) || files.whole(path, old)
	if !whole {
		if saved, err = backup(path); err != nil {
			return "", fmt.Errorf("keep a copy of %s: %w", path, err)
		}
	}
	if err := write(); err != nil {
		return "", err
	}
	data, err := readFile(path)
	switch {
	case err != nil || !whole:
		common.noteCreated(files, path, "")
	case nothingIn(data):
		err = os.Remove(path)
		common.noteCreated(files, path, "")
	default:
		common.noteCreated(files, path, digest(data))
	}
	return saved, err
}

// path is the file that --global means, git-config(1), "FILES".
func (c *gitConfig) path() string {
	env := c.environ()
	if p, ok := lookup(env, "GIT_CONFIG_GLOBAL"); ok {
		return p
	}
	home, _ := lookup(env, "HOME")
	if home == "" && runtime.GOOS == "windows" {
		home, _ = lookup(env, "USERPROFILE")
	}
	if home == "" {
		return ""
	}
	user := filepath.Join(home, ".gitconfig")
	if _, err := os.Stat(user); err == nil {
		return user
	}
	base, _ := lookup(env, "XDG_CONFIG_HOME")
	if base == "" {
		base = filepath.Join(home, ".config")
	}
	if xdg := filepath.Join(base, "git", "config"); exists(xdg) {
		return xdg
	}
	return user
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func lookup(env []string, name string) (string, bool) {
	for i := len(env) - 1; i >= 0; i-- {
		if k, v, _ := strings.Cut(env[i], "="); k == name {
			return v, true
		}
	}
	return "", false
}
