package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
)

// Common is what every tool's setup is told.
type Common struct {
	// Profile whose token the tool gets.
	Profile string
	// Config is oidc-cred's configuration file, if it is not the usual one.
	Config string
	// Executable is the absolute path of oidc-cred.
	Executable string
	// BinDir is where links to it go; "" chooses, see [Common.linkDirs].
	BinDir string
	// Print shows what would be written, and changes nothing.
	Print bool
	// Remove takes it out again.
	Remove bool
	// Created is the file of notes on the files that setup has made; "" takes
	// none.
	Created string

	// Home is the user's home directory.
	Home   string
	Getenv func(string) string
	Out    io.Writer
}

// say writes one line to the output.
func (c Common) say(format string, args ...any) error { return say(c.Out, format, args...) }

func (c Common) getenv(name string) string {
	if c.Getenv == nil {
		return ""
	}
	return c.Getenv(name)
}

// home is a file in the home directory.
func (c Common) home(elem ...string) (string, error) {
	if c.Home == "" {
		return "", usage("set HOME", "there is no home directory to hold the tool's configuration")
	}
	return filepath.Join(append([]string{c.Home}, elem...)...), nil
}

// command is the call of a helper, as a list of words.
func (c Common) command(protocol string, more ...string) []string {
	words := []string{c.Executable, "helper", protocol, "--profile", c.Profile}
	if c.Config != "" {
		words = append(words, "--config", c.Config)
	}
	return append(words, more...)
}

// maxFile bounds a tool's configuration that is read.
const maxFile = 32 << 20

// readFile reads a tool's configuration; a file that is not there is empty.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, usage("", "%s is larger than %d bytes", path, maxFile)
	}
	return os.ReadFile(path)
}

// tryEdit finds what is wrong with an edit, and changes nothing.
func tryEdit(path string, edit func(old []byte) ([]byte, error)) error {
	old, err := readFile(path)
	if err == nil {
		_, err = edit(old)
	}
	return err
}

// editFile changes a tool's configuration: it keeps a copy of the file as it
// was before our first change and replaces it atomically. One that has nothing
// but what setup wrote needs no copy, and is removed with the last of it. A file that is not
// there is empty to edit, and made with perm; one that is keeps its mode, and a
// symbolic link stays one: its target is replaced. It says whether there was
// anything to change.
func (c Common) editFile(path string, perm fs.FileMode, edit func(old []byte) ([]byte, error)) (bool, error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	old, err := readFile(path)
	if err != nil {
		return false, err
	}
	data, err := edit(old)
	if err != nil || bytes.Equal(data, old) {
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, fmt.Errorf("make the folder of %s: %w", path, err)
	}
	files, saved, whole := c.readCreated(), "", true
	if info, err := os.Stat(path); err == nil {
		perm = info.Mode().Perm()
		whole = files.whole(path, old)
	}
	switch {
	case whole && old != nil && nothingIn(data):
		if err := os.Remove(path); err != nil {
			return false, fmt.Errorf("remove %s, which setup has made: %w", path, err)
		}
		c.noteCreated(files, path, "")
		return true, nil
	case !whole:
		if saved, err = backup(path); err != nil {
			return false, fmt.Errorf("keep a copy of %s: %w", path, err)
		}
	}
	if err := cache.WriteFileAtomic(path, data, perm); err != nil {
		return false, fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Chmod(path, perm); err != nil { // the umask may have narrowed it
		return true, fmt.Errorf("write %s: %w", path, err)
	}
	if whole {
		c.noteCreated(files, path, digest(data))
	} else {
		c.noteCreated(files, path, "")
	}
	if saved == "" {
		return true, nil
	}
	return true, c.say("the former configuration is kept in %s", saved)
}
