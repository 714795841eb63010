// Package setup writes other tools' configuration, so that they call
// oidc-cred. Each file is one tool. A run that finds everything in place
// changes nothing; --remove takes out what setup has put in and no more.
package setup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/oidc-cred/oidc-cred/internal/helper"
)

// Error is why the configuration can't be written, with what to do about it.
type Error struct {
	Message string
	Advice  string
	// Usage: the flags or the tool's own files are at fault, not the machine.
	Usage bool
	Err   error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap gives the failure behind it.
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do; it may be empty.
func (e *Error) Hint() string { return e.Advice }

// correctFirst is the advice for a file that is broken before any change.
const correctFirst = "correct it first"

func usage(advice, format string, args ...any) error {
	return &Error{Message: fmt.Sprintf(format, args...), Advice: advice, Usage: true}
}

// backupSuffix names the copy of a file as it was before the first change.
const backupSuffix = ".oidc-cred.bak"

// backup copies the file beside itself before its first change. A copy that is
// there stays: it is the one from before any change of ours. It returns the
// copy's name, or "" if it made none.
func backup(path string) (string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	name := path + backupSuffix
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if errors.Is(err, fs.ErrExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	_, werr := f.Write(data)
	if err := errors.Join(werr, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(name))
	}
	return name, nil
}

// checkProgram refuses a path that another tool could not run from elsewhere.
func checkProgram(path string) error {
	if !filepath.IsAbs(path) || strings.ContainsAny(path, "\r\n\x00") {
		return fmt.Errorf("the path of this program, %q, is not absolute", path)
	}
	return nil
}

// isOurs says whether the words of a command are one of ours: this program or
// another copy of it, speaking the protocol.
func isOurs(words []string, protocol, executable string) bool {
	if len(words) == 0 {
		return false
	}
	called, _ := helper.Called(words[0])
	// Under its name as kubectl's plugin it takes all commands.
	plugin := called == "kubectl" && len(words) > 1 && !strings.HasPrefix(words[1], "-")
	if called != "" && called != "keyring" && !plugin {
		return called == protocol
	}
	if !plugin && !isProgram(words[0]) && words[0] != executable && filepath.ToSlash(executable) != words[0] {
		return false
	}
	i := slices.Index(words, "helper")
	return i > 0 && i+1 < len(words) && words[i+1] == protocol
}

// say writes one line to out.
func say(out io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(out, format+"\n", args...)
	return err
}

// checkSecure refuses a URL where anyone on the way could read a token.
func checkSecure(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return usage("it is like https://host.example.com", "%q is no URL of a web server", text)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return usage("use https://"+u.Host, "%s over plain http would show the token to anyone on the way", u.Host)
	}
	return nil
}
