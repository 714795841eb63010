package cmd

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/helper"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

type execOptions struct {
	env         []string
	kind        string
	minValid    string
	interactive bool
}

func (a *app) execCommand() *cobra.Command {
	var o execOptions
	c := &cobra.Command{
		Use:   "exec --env NAME [--env NAME=access|id] -- COMMAND [ARGUMENT...]",
		Short: "Run a command with a token in its environment",
		Long: `Run a command with a token in its environment and nowhere else. On Unix the
command takes this program's place, so signals, the terminal and the exit code
are its own; on Windows its exit code is passed on.

Exit codes: the command's, or before it runs: 2 usage, 3 sign in, 4 the provider
can't be reached and no cached token may be used, 5 the credential store can't
be used, 126 the command can't be run, 127 it is not found.`,
		Example: `  oidc-cred exec --env GITLAB_TOKEN -- glab api user
  oidc-cred exec --env ACCESS_TOKEN --env ID_TOKEN=id -- ./deploy.sh`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.runExec(c, o, args) },
	}
	f := c.Flags()
	f.SetInterspersed(false) // what follows the command is the command's
	f.StringArrayVar(&o.env, "env", nil, "the variable for the token; NAME=access or NAME=id says which one")
	f.StringVar(&o.kind, "type", "", "which token where --env does not say it: access or id (default: the profile's)")
	f.StringVar(&o.minValid, "min-valid", "", "refresh the token if it would live for less, such as 10m")
	f.BoolVar(&o.interactive, "interactive", false, "sign in with the browser if that is needed")
	a.addOfflineFlags(c)
	return c
}

// tokenVariable is a variable and the token that goes into it.
type tokenVariable struct {
	name string
	kind session.TokenType // "" is the profile's
}

func readVariables(texts []string) ([]tokenVariable, error) {
	if len(texts) == 0 {
		return nil, usageError{message: "--env NAME is missing: the variable that gets the token"}
	}
	var all []tokenVariable
	for _, text := range texts {
		name, kind, typed := strings.Cut(text, "=")
		if !variableName(name) {
			return nil, usageError{message: "--env: expected the name of a variable, not " + quote(name)}
		}
		if typed && checkTokenType(kind) != nil {
			return nil, usageError{message: "--env: expected " + name + "=access or " + name + "=id, not " + quote(text)}
		}
		if slices.ContainsFunc(all, func(v tokenVariable) bool { return sameVariable(v.name, name) }) {
			return nil, usageError{message: "--env: " + name + " is given twice"}
		}
		all = append(all, tokenVariable{name, session.TokenType(kind)})
	}
	return all, nil
}

// variableName keeps to the names that shells know.
func variableName(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// sameVariable: on Windows the case of names does not count.
func sameVariable(a, b string) bool {
	return a == b || runtime.GOOS == "windows" && strings.EqualFold(a, b)
}

func (a *app) runExec(c *cobra.Command, o execOptions, args []string) error {
	variables, err := readVariables(o.env)
	if err != nil {
		return err
	}
	flags := tokenOptions{output: outputRaw, kind: o.kind, minValid: o.minValid, interactive: o.interactive}
	if err := flags.check(c); err != nil {
		return err
	}
	if err := a.checkOfflineFlags(c); err != nil {
		return err
	}
	// Before a token is asked for that nobody would use.
	path, err := findCommand(args[0])
	if err != nil {
		return err
	}
	p, err := a.current()
	if err != nil {
		return err
	}
	req, err := flags.request(c, p)
	if err != nil {
		return err
	}
	environ, err := a.tokenEnviron(c.Context(), p, req, variables, o.interactive)
	if err != nil {
		return err
	}
	return runCommand(path, args, environ)
}

// tokenEnviron is this process's environment with the tokens.
func (a *app) tokenEnviron(ctx context.Context, p *profile, req session.Request, variables []tokenVariable, interactive bool) ([]string, error) {
	m, err := a.manager(p)
	if err != nil {
		return nil, err
	}
	environ := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.ContainsFunc(variables, func(v tokenVariable) bool { return sameVariable(v.name, name) })
	})
	var warnings []offline.Warning
	tokens := map[session.TokenType]*session.Token{}
	for _, v := range variables {
		req := req
		if v.kind != "" {
			req.Type = v.kind
		}
		token := tokens[req.Type]
		if token == nil {
			// Stdin is the command's, so a person is asked at the terminal itself.
			if token, err = a.tokenOf(ctx, p, m, req, interactive, terminalInput); err != nil {
				return nil, err
			}
			if token.Bound {
				return nil, fromHelper(helper.BoundError(p.name))
			}
			tokens[req.Type] = token
			for _, w := range token.Warnings {
				if !slices.Contains(warnings, w) {
					warnings = append(warnings, w)
				}
			}
		}
		environ = append(environ, v.name+"="+token.Value.Reveal())
	}
	a.warn(warnings)
	return environ, nil
}

// findCommand gives the program's path, as a shell would find it, but never in
// the working folder for a bare name.
func findCommand(name string) (string, error) {
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, exec.ErrDot):
		return "", commandError{failure{err, "give its path: ." + string(os.PathSeparator) + name}, exitCannotRun}
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return "", commandError{failure{errors.New(quote(name) + " is not found"), "check its name and PATH"}, exitNotFound}
	default:
		return "", commandError{failure{err, "check that it is a program that you may run"}, exitCannotRun}
	}
}
