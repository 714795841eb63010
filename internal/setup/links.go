package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Tools look for some helpers by name, or can be told a path and no arguments.
// A link of that name makes this program the helper.

// linkDirs are the folders to try, in order: the one that was asked for, else
// the program's own and ~/.local/bin.
func (c Common) linkDirs() []string {
	if c.BinDir != "" {
		return []string{c.BinDir}
	}
	dirs := []string{filepath.Dir(c.Executable)}
	if c.Home != "" {
		dirs = append(dirs, filepath.Join(c.Home, ".local", "bin"))
	}
	return dirs
}

// linkName is the name with the system's ending of programs.
func linkName(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}

// linked finds a link of that name that is ours, "" if there is none.
func (c Common) linked(name string) string {
	for _, dir := range c.linkDirs() {
		if path := filepath.Join(dir, linkName(name)); c.ourLink(path) {
			return path
		}
	}
	return ""
}

// wouldLink is where link would put one, for --print.
func (c Common) wouldLink(name string) string {
	if path := c.linked(name); path != "" {
		return path
	}
	for _, dir := range c.linkDirs() {
		if writable(dir) || dir == c.BinDir {
			return filepath.Join(dir, linkName(name))
		}
	}
	dirs := c.linkDirs()
	return filepath.Join(dirs[len(dirs)-1], linkName(name))
}

// link sees to it that there is a link of that name to this program, and gives
// its path and whether it was made now. It says so where it made one, and where
// the folder is none in which programs are looked for, if onPath is asked for.
func (c Common) link(name string, onPath bool) (path string, made bool, err error) {
	if path := c.linked(name); path != "" && c.current(path) {
		return path, false, c.notePath(path, onPath)
	}
	if c.BinDir == "" {
		// A package may have brought one already.
		if found, ok := c.onPath(name); ok && c.ourLink(found) && c.current(found) {
			return found, false, nil
		}
	}
	var failed error
	for _, dir := range c.linkDirs() {
		path := filepath.Join(dir, linkName(name))
		if _, err := os.Lstat(path); err == nil && !c.ourLink(path) {
			return "", false, usage("choose another folder with --bin-dir, or move it away", "%s is there and not oidc-cred's", path)
		}
		if filepath.Dir(c.Executable) != dir {
			if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // a folder of programs
				failed = errors.Join(failed, err)
				continue
			}
		}
		if err := c.makeLink(path); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		if err := c.say("made %s, which is oidc-cred under the name that is looked for", path); err != nil {
			return "", true, err
		}
		return path, true, c.notePath(path, onPath)
	}
	return "", false, &Error{Message: "no folder for the link " + name + " can be written", Advice: "name one that is in PATH with --bin-dir", Err: failed}
}

// linkFor makes the link that a tool's configuration names, and then writes
// that: write is called for the path, first to see whether it can be done, with
// dry set. Where it fails there is no link that was not there before.
func (c Common) linkFor(name string, write func(path string, dry bool) (bool, error)) (path string, made, edited bool, err error) {
	if _, err := write(c.wouldLink(name), true); err != nil {
		return "", false, false, err
	}
	before := c.linked(name)
	path, made, err = c.link(name, false)
	if err != nil {
		return "", false, false, err
	}
	edited, err = write(path, false)
	if err != nil && made && before == "" {
		_, undo := c.unlink(name)
		err = errors.Join(err, undo)
	}
	return path, made, edited, err
}

// unlink removes the link, if there is one that is ours, and says so.
func (c Common) unlink(name string) (removed bool, err error) {
	path := c.linked(name)
	if path == "" {
		return false, nil
	}
	if c.Print {
		return true, c.say("would remove %s", path)
	}
	if err := os.Remove(path); err != nil {
		return false, fmt.Errorf("remove the link: %w", err)
	}
	return true, c.say("removed %s", path)
}

// makeLink puts a link at the path, in one step, where another of ours may be.
func (c Common) makeLink(path string) error {
	temp := path + ".oidc-cred.tmp"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := linkTo(c.Executable, temp); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	// Renaming one name of a file over another of the same file does nothing.
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// linkTo makes a symbolic link, or a copy on Windows: there these need a
// privilege, and a hard link can't be removed while the program runs under
// another of its names, as it does in --remove.
func linkTo(target, path string) error {
	if runtime.GOOS == "windows" {
		return copyProgram(target, path)
	}
	return os.Symlink(target, path)
}

func copyProgram(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755) //nolint:gosec // a program
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

// ourLink says whether the path is a link to this program, or to another copy
// of it, or (on Windows) a copy under another name.
func (c Common) ourLink(path string) bool {
	info, err := os.Lstat(path)
	if err != nil {
		return false
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(path)
		return err == nil && (isProgram(target) || c.current(path))
	}
	return info.Mode().IsRegular() && filepath.Clean(path) != filepath.Clean(c.Executable) && (c.current(path) || isCopy(path))
}

// current says whether the path leads to this program as it is now.
func (c Common) current(path string) bool {
	a, err := os.Stat(path)
	if err != nil {
		return false
	}
	b, err := os.Stat(c.Executable)
	return err == nil && (os.SameFile(a, b) || runtime.GOOS == "windows" && sameContent(path, c.Executable))
}

// isProgram says whether a path is that of an oidc-cred, by its name.
func isProgram(path string) bool {
	base := strings.ToLower(path[strings.LastIndexAny(path, `/\`)+1:])
	return strings.TrimSuffix(base, ".exe") == "oidc-cred"
}

// sameContent compares two files: copies are made on Windows alone.
func sameContent(a, b string) bool {
	if runtime.GOOS != "windows" {
		return false
	}
	x, err := os.ReadFile(a)
	if err != nil {
		return false
	}
	y, err := os.ReadFile(b)
	return err == nil && bytes.Equal(x, y)
}

// onPath finds a program by its name as the tools do.
func (c Common) onPath(name string) (string, bool) {
	for _, dir := range filepath.SplitList(c.getenv("PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		path := filepath.Join(dir, linkName(name))
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode()&0o111 != 0) {
			return path, true
		}
	}
	return "", false
}

// notePath says what keeps a link from being found by its name.
func (c Common) notePath(path string, onPath bool) error {
	if !onPath {
		return nil
	}
	name := strings.TrimSuffix(filepath.Base(path), ".exe")
	switch found, ok := c.onPath(name); {
	case !ok:
		return c.say("note: %s is not in PATH, so the tool won't find it: add the folder, or choose one with --bin-dir", filepath.Dir(path))
	case found != path && !c.ourLink(found):
		return c.say("note: %s comes first in PATH and is not oidc-cred's", found)
	}
	return nil
}

// writable says whether a file can be made in the folder.
func writable(dir string) bool {
	f, err := os.CreateTemp(dir, ".oidc-cred-*")
	if err != nil {
		return false
	}
	return errors.Join(f.Close(), os.Remove(f.Name())) == nil
}
