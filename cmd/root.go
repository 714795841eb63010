// Package cmd is the command line of oidc-cred.
package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
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
	out := &output{Writer: s.Out}
	a := &app{version: version, in: s.In, out: out, err: s.Err, getenv: getenv, now: time.Now}
	args = argsFor(args)
	root := a.root(args)
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(out)
	root.SetErr(s.Err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a.interruptible = sync.OnceFunc(func() { onInterrupt(s.Err, cancel) })
	called, err := root.ExecuteContextC(ctx)
	err = asUsage(called, err)
	if err != nil && ctx.Err() != nil {
		err = context.Canceled
	}
	if out.err != nil && !errors.As(err, new(silentExit)) {
		err = failure{err: fmt.Errorf("write the result: %w", out.err), hint: "check where standard output goes"}
	}
	report(s.Err, err)
	return exitCode(err)
}

// output remembers the first failure to write, so that no command has to check
// each line, and none ends with 0 when its result is lost.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

func (o *output) stream() any { return o.Writer }

// onInterrupt cancels at the first interrupt; a second one ends the process as
// always.
//
// What is on the wire is finished all the same: the answer may have the only
// copy of a rotated refresh token. Who waits for that is told why.
func onInterrupt(stderr io.Writer, cancel func()) {
	signals := make(chan os.Signal, 1)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // nohup, or a job in the background
			signal.Notify(signals, s)
		}
	}
	go func() {
		<-signals
		signal.Stop(signals)
		cancel()
		time.Sleep(interruptPatience)
		fmt.Fprintln(stderr, "oidc-cred: waiting for the provider's answer, which may have a new refresh token; interrupt again to give it up")
	}()
}

// interruptPatience is how long an interrupted command may take in silence.
const interruptPatience = 500 * time.Millisecond

// root makes the command tree. Helpers run at every call of git and kubectl,
// so of the commands only the one that is called is made, see [addCalled].
func (a *app) root(args []string) *cobra.Command {
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
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if !quick(c) {
				a.interruptible()
			}
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
	below := args[min(1, len(args)):]
	if addCalled(root, args, map[string]func() *cobra.Command{
		"login": a.loginCommand, "token": a.tokenCommand, "status": a.statusCommand, "logout": a.logoutCommand,
		"exec":    a.execCommand,
		"helper":  func() *cobra.Command { return a.helperCommand(below) },
		"setup":   func() *cobra.Command { return a.setupCommand(below) },
		"profile": a.profileCommand, "doctor": a.doctorCommand, "version": a.versionCommand,
	}) {
		root.CompletionOptions.DisableDefaultCmd = true
	} else {
		root.SetHelpCommand(helpCommand(root))
		if len(args) > 0 && args[0] == "completion" {
			root.InitDefaultCompletionCmd(args...) // so that its arguments are checked as well
		}
	}
	for _, c := range root.Commands() {
		wrapArgs(c)
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		root.Version = a.version.Version
		root.SetVersionTemplate("oidc-cred {{.Version}}\n")
	}
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		a.completeValues(root)
	}
	return root
}

// addCalled makes the subcommand that args begin with, and says so, or all of
// them where it is not plain which one is called. The others' flags would cost
// more than a token.
func addCalled(c *cobra.Command, args []string, makers map[string]func() *cobra.Command) bool {
	if len(args) > 0 && makers[args[0]] != nil {
		c.AddCommand(makers[args[0]]())
		return true
	}
	for _, name := range slices.Sorted(maps.Keys(makers)) {
		c.AddCommand(makers[name]())
	}
	return false
}

// helpCommand is Cobra's, but for a topic that there is not, which is a usage
// error here and success there.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about any command",
		Args:  cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			found, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usageError{message: "there is no command " + quote(strings.Join(args, " ")), hint: "run 'oidc-cred --help'"}
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	}
}

// quick says whether a command is over in moments, unless the session has to
// ask the provider. Listening for signals starts threads, which costs such a
// command a good part of its time; without it an interrupt ends the process.
func quick(c *cobra.Command) bool {
	for ; c.HasParent(); c = c.Parent() {
		switch c.Name() {
		case "token", "exec", "status", "helper", "version", "profile":
			return true
		}
	}
	return false
}

// wrapArgs makes a wrong number of arguments a usage error.
func wrapArgs(c *cobra.Command) {
	check := c.Args
	if c.HasSubCommands() && c.RunE == nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			if err := noSuchCommand(c, args); err != nil {
				return err
			}
			return c.Help()
		}
		check = cobra.ArbitraryArgs
	}
	c.Args = func(c *cobra.Command, args []string) error {
		err := check(c, args)
		if known := (usageError{}); errors.As(err, &known) {
			return known
		}
		if errors.As(err, new(silentExit)) { // said already
			return err
		}
		if err != nil {
			message := fmt.Sprintf("'%s' is to be called as '%s'", c.CommandPath(), c.UseLine())
			if len(args) > 0 {
				message += ", without " + quote(args[len(args)-1])
			}
			return usageError{message: message, hint: "run '" + c.CommandPath() + " --help'"}
		}
		return nil
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}

// noSuchCommand refuses what a command with subcommands was called with.
func noSuchCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError{message: "unknown command " + quote(args[0]) + " for " + quote(c.CommandPath()), hint: "run '" + c.CommandPath() + " --help'"}
}

// exclusive refuses two flags that contradict each other.
func exclusive(c *cobra.Command, a, b string) error {
	if c.Flags().Changed(a) && c.Flags().Changed(b) {
		return usageError{message: "--" + a + " and --" + b + " don't go together", hint: "run '" + c.CommandPath() + " --help'"}
	}
	return nil
}

// textOrJSON checks --output where there are these two forms.
func textOrJSON(output string) error {
	if err := oneOf("text", "json")(output); err != nil {
		return usageError{message: "--output: " + err.Error() + ", not " + quote(output)}
	}
	return nil
}

// completeValues lets the shell complete what flags take.
func (a *app) completeValues(root *cobra.Command) {
	_ = root.RegisterFlagCompletionFunc("color", cobra.FixedCompletions([]string{"auto", "always", "never"}, cobra.ShellCompDirectiveNoFileComp))
	_ = root.RegisterFlagCompletionFunc("profile", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		if a.load() != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.config.names, cobra.ShellCompDirectiveNoFileComp
	})
	formats := map[string][]string{"token": {outputRaw, outputJSON, outputHeader, outputEnv, outputExec}}
	words := map[string][]string{
		"qr": autoAlwaysNever, "grant": grants, "dpop": autoAlwaysNever, "pushed-authorization-requests": autoAlwaysNever,
		"token-endpoint-auth-method": authMethods, "token-endpoint-auth-signing-alg": signingAlgs,
	}
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Flags().Lookup("output") != nil {
			values := formats[c.Name()]
			if values == nil {
				values = []string{"text", "json"}
			}
			_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		}
		if c.Flags().Lookup("type") != nil {
			_ = c.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{"access", "id"}, cobra.ShellCompDirectiveNoFileComp))
		}
		for name, values := range words {
			if c.Flags().Lookup(name) != nil {
				_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
}

func quote(s string) string { return `"` + s + `"` }

// asUsage turns Cobra's own error for an unknown command, which has no type,
// into a usage error, and gives every usage error a hint.
func asUsage(called *cobra.Command, err error) error {
	var known usageError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
	case strings.HasPrefix(err.Error(), "unknown command "):
		known.message, _, _ = strings.Cut(err.Error(), "\n")
	default:
		return err
	}
	if known.hint == "" {
		known.hint = "run '" + called.CommandPath() + " --help'"
	}
	return known
}
