// Package cmd is the command line of oidc-cred.
package cmd

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// Version is what the build knows of itself.
type Version struct{ Version, Commit, Date string }

// Streams are a program's standard streams.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Execute runs the command line and gives the exit code. args[0] is the name
// that the program was called by, which may stand for a helper.
func Execute(version Version, args []string, s Streams) int {
	a := &app{version: version, in: s.In, out: s.Out, err: s.Err, getenv: getenv, now: time.Now}
	root := a.root()
	root.SetArgs(argsFor(args))
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first interrupt asks; a second one ends the process as always.
	context.AfterFunc(ctx, stop)
	err := asUsage(root.ExecuteContext(ctx))
	if err != nil && ctx.Err() != nil {
		err = context.Canceled
	}
	report(s.Err, err)
	return exitCode(err)
}

// argsFor turns the names that other tools call their helpers by into the
// helper command.
func argsFor(args []string) []string {
	if len(args) == 0 {
		return nil
	}
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(args[0])), ".exe")
	switch name {
	case "git-credential-oidc-cred":
		return slices.Concat([]string{"helper", "git"}, args[1:])
	case "kubectl-oidc_cred":
		return slices.Concat([]string{"helper", "kubectl"}, args[1:])
	default:
		return args[1:]
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "oidc-cred",
		Short: "Sign in once with OpenID Connect, get a token every time",
		Long: `oidc-cred signs you in with any OpenID Connect provider and gives every tool a
token, also while the provider is down.

  oidc-cred login --issuer https://id.example.com --client-id CLIENT_ID
  oidc-cred token
  oidc-cred status`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if err := oneOf("auto", "always", "never")(a.color); err != nil {
				return usageError{message: "--color: " + err.Error()}
			}
			return nil
		},
	}
	// A wrong flag or argument is a usage error for every command.
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{message: err.Error(), hint: "run '" + c.CommandPath() + " --help'"}
	})
	f := root.PersistentFlags()
	f.StringVarP(&a.profileFlag, "profile", "p", "", "the profile to use")
	f.StringVar(&a.configFlag, "config", "", "the configuration file")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print no warnings")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "print diagnostics, without secrets, on stderr")
	f.StringVar(&a.color, "color", "auto", "colour: auto, always or never")
	root.AddCommand(
		a.loginCommand(), a.tokenCommand(), a.statusCommand(), a.logoutCommand(),
		a.helperCommand(), a.setupCommand(), a.profileCommand(), a.doctorCommand(), a.versionCommand(),
	)
	for _, c := range root.Commands() {
		wrapArgs(c)
	}
	return root
}

// wrapArgs makes a wrong number of arguments a usage error.
func wrapArgs(c *cobra.Command) {
	check := c.Args
	if check == nil {
		check = cobra.NoArgs
		if c.HasSubCommands() {
			check = nil
		}
	}
	if c.HasSubCommands() && c.RunE == nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{message: "unknown command " + quote(args[0]) + " for " + quote(c.CommandPath()), hint: "run '" + c.CommandPath() + " --help'"}
			}
			return c.Help()
		}
		check = cobra.ArbitraryArgs
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError{message: err.Error(), hint: "run '" + c.CommandPath() + " --help'"}
		}
		return nil
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}

func quote(s string) string { return `"` + s + `"` }

// asUsage turns Cobra's own error for an unknown command into a usage error.
func asUsage(err error) error {
	if err != nil && strings.HasPrefix(err.Error(), "unknown command ") {
		var known usageError
		if !errors.As(err, &known) {
			return usageError{message: strings.SplitN(err.Error(), "\n", 2)[0], hint: "run 'oidc-cred --help'"}
		}
	}
	return err
}
