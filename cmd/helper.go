package cmd

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/helper"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

func (a *app) helperCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "helper PROTOCOL",
		Short: "Speak another tool's credential protocol",
		Long: `Speak another tool's credential protocol on stdin and stdout. People don't call
this; 'oidc-cred setup TOOL' writes the tool's configuration so that it does.`,
	}
	c.AddCommand(a.helperGitCommand(), a.helperKubectlCommand())
	return c
}

func (a *app) helperGitCommand() *cobra.Command {
	var username string
	c := &cobra.Command{
		Use:   "git get|store|erase|capability",
		Short: "git's credential helper protocol",
		Args:  cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.checkOfflineFlags(c); err != nil {
				return err
			}
			verb := ""
			if len(args) > 0 {
				verb = args[0]
			}
			env := a.helperEnv(c)
			if username != "" {
				if err := checkUsername(username); err != nil {
					return usageError{message: "--username: " + err.Error()}
				}
				resolve := env.Resolve
				env.Resolve = func(server helper.Server) (*helper.Target, error) {
					t, err := resolve(server)
					if t != nil {
						t.Username = username
					}
					return t, err
				}
			}
			return asUsageOf(helper.Git(c.Context(), env, verb))
		},
	}
	c.Flags().StringVar(&username, "username", "", "the user name that goes with the token (default: the profile's)")
	a.addOfflineFlags(c)
	return c
}

func (a *app) helperKubectlCommand() *cobra.Command {
	var kind string
	c := &cobra.Command{
		Use:   "kubectl",
		Short: "kubectl's credential plugin protocol (ExecCredential)",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := a.checkOfflineFlags(c); err != nil {
				return err
			}
			if kind != "" {
				if err := checkTokenType(kind); err != nil {
					return err
				}
			}
			return asUsageOf(helper.Kubectl(c.Context(), a.helperEnv(c), helper.KubectlOptions{Profile: a.profileFlag, Type: session.TokenType(kind)}))
		},
	}
	c.Flags().StringVar(&kind, "type", "", "which token: access or id (default id, which kube-apiserver expects)")
	a.addOfflineFlags(c)
	return c
}

// addOfflineFlags adds what overrides the offline policy for one call.
func (a *app) addOfflineFlags(c *cobra.Command) {
	c.Flags().Bool("offline", false, "allow an expired token while the provider can't be reached")
	c.Flags().Bool("no-offline", false, "never give out an expired token")
	a.addSimulateFlag(c)
}

func (a *app) checkOfflineFlags(c *cobra.Command) error {
	if err := exclusive(c, "offline", "no-offline"); err != nil {
		return err
	}
	return a.checkSimulate(c)
}

// offlineOverride is what --offline and --no-offline say; nil is the policy.
func offlineOverride(c *cobra.Command) *bool {
	if on, err := c.Flags().GetBool("offline"); err == nil && c.Flags().Changed("offline") {
		return &on
	}
	if off, err := c.Flags().GetBool("no-offline"); err == nil && off {
		on := false
		return &on
	}
	return nil
}

// asUsageOf gives a helper's usage error the exit code of one.
func asUsageOf(err error) error {
	if usage, ok := err.(*helper.UsageError); ok { //nolint:errorlint // the helper returns it as it is
		return usageError{message: usage.Message, hint: usage.Advice}
	}
	return err
}

func (a *app) helperEnv(c *cobra.Command) helper.Env {
	return helper.Env{
		Stdin: a.in, Stdout: a.out, Stderr: a.err, Getenv: a.getenv, Now: a.now, Warn: a.warn,
		Resolve: func(server helper.Server) (*helper.Target, error) { return a.resolveHost(c, server) },
		Profile: func(name string) (*helper.Target, error) {
			if name != "" {
				a.profileFlag = name
			}
			p, err := a.current()
			if err != nil {
				return nil, err
			}
			return a.target(c, p)
		},
	}
}

// resolveHost finds the profile that a server is mapped to. --profile narrows
// the choice; it never makes up a mapping. Of several profiles with the server
// the one in use is taken.
func (a *app) resolveHost(c *cobra.Command, server helper.Server) (*helper.Target, error) {
	if err := a.load(); err != nil {
		return nil, err
	}
	if a.profileFlag != "" && a.config.profiles[a.profileFlag] == nil {
		return nil, a.unknownProfile(a.profileFlag, byFlag)
	}
	var mapped []string
	for _, name := range a.config.names {
		hosts, _ := a.config.profiles[name]["hosts"].([]string)
		if (a.profileFlag == "" || name == a.profileFlag) && server.Matches(hosts) {
			mapped = append(mapped, name)
		}
	}
	name, err := a.preferred(mapped)
	if err != nil || name == "" {
		return nil, err
	}
	p, err := a.named(name, nil)
	if err != nil {
		return nil, err
	}
	return a.target(c, p)
}

// preferred takes one of several profiles: the one that is chosen here, else
// the file's default, else the first. One alone needs no choice, and serves
// its hosts wherever git is called.
func (a *app) preferred(names []string) (string, error) {
	if len(names) < 2 {
		return firstOf(names...), nil
	}
	chosen, err := a.chosenHere()
	if err != nil {
		return "", err
	}
	for _, name := range []string{chosen.name, a.config.defaultProfile} {
		if slices.Contains(names, name) {
			return name, nil
		}
	}
	return names[0], nil
}

func (a *app) target(c *cobra.Command, p *profile) (*helper.Target, error) {
	m, err := a.manager(p)
	if err != nil {
		return nil, err
	}
	t := &helper.Target{Source: m, Profile: p.name, Username: p.text("username"), Offline: offlineOverride(c)}
	// An expired token is served to a tool that refuses it only where somebody
	// asked for that: in the call, or in the profile.
	t.ServeStale = p.policy().Enabled
	if t.Offline != nil {
		t.ServeStale = *t.Offline
	}
	if p.text("interactive") == "auto" && a.personHere() {
		t.SignIn = func(ctx context.Context) error {
			a.say("oidc-cred: profile %s needs a sign-in", p.name)
			return a.signIn(ctx, p, m, terminalInput())
		}
	}
	return t, nil
}
