package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// The exit codes. Scripts rely on them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitSignIn      = 3
	exitUnreachable = 4
	exitStore       = 5
	exitCannotRun   = 126
	exitNotFound    = 127
	exitInterrupted = 130
)

// usageError is a mistake in the arguments or in the configuration.
type usageError struct {
	message string
	hint    string
}

func (e usageError) Error() string { return e.message }
func (e usageError) Hint() string  { return e.hint }

// Configuration tells the session that a request was not sent because of this
// machine, which says nothing about the provider.
func (e usageError) Configuration() bool { return true }

// failure is any other error that knows its hint.
type failure struct {
	err  error
	hint string
}

func (e failure) Error() string { return e.err.Error() }
func (e failure) Unwrap() error { return e.err }
func (e failure) Hint() string  { return e.hint }

// commandError is why another program could not be run, with the exit code
// that a shell has for it.
type commandError struct {
	failure
	code int
}

// silentExit ends the program with a code and says nothing more.
type silentExit int

func (silentExit) Error() string { return "" }

// exitCode is the one place that turns an error into an exit code.
func exitCode(err error) int {
	var silent silentExit
	var local interface{ Configuration() bool }
	var check checkFailure
	var command commandError
	var doctor doctorFailure
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &silent):
		return int(silent)
	case errors.As(err, &command):
		return command.code
	case errors.As(err, &check):
		return check.code
	case errors.As(err, &doctor):
		return doctor.code
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case session.KindOf(err) == session.StoreUnusable:
		return exitStore // also where it was met on the way to a client secret
	case errors.As(err, &local) && local.Configuration():
		return exitUsage
	}
	switch session.KindOf(err) {
	case session.SignInRequired:
		return exitSignIn
	case session.Unreachable:
		return exitUnreachable
	case session.StoreUnusable:
		return exitStore
	default:
		return exitFailure
	}
}

// report prints an error and its hint, one line each.
func report(w io.Writer, err error) {
	var silent silentExit
	if err == nil || errors.As(err, &silent) {
		return
	}
	text := err.Error()
	if errors.Is(err, context.Canceled) {
		text = "interrupted"
	}
	fmt.Fprintf(w, "oidc-cred: error: %s\n", oneLine(text))
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(w, "oidc-cred: hint: %s\n", oneLine(hint))
	}
}

func hintOf(err error) string {
	var own *session.Error
	if errors.As(err, &own) && own.Hint != "" {
		return own.Hint
	}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return ""
}

// oneLine keeps a message on one line and free of escape characters, whatever
// a server or a file put into it.
func oneLine(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "\n", "; ")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, s)
}
