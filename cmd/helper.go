package cmd

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/helper"
)

// helperMakers are the protocols; each has a file of its own.
func (a *app) helperMakers() map[string]func() *cobra.Command {
	return map[string]func() *cobra.Command{
		"git": a.helperGitCommand, "kubectl": a.helperKubectlCommand, "docker": a.helperDockerCommand,
		"cargo": a.helperCargoCommand, "go": a.helperGoCommand, "terraform": a.helperTerraformCommand,
		"aws": a.helperAWSCommand, "gcp": a.helperGCPCommand, "bazel": a.helperBazelCommand,
		"keyring": a.helperKeyringCommand, "pnpm": a.helperPnpmCommand, "vault": a.helperVaultCommand,
	}
}

// helperCommand has the protocol that args call, or all of them where that is
// not plain.
func (a *app) helperCommand(args []string) *cobra.Command {
	c := &cobra.Command{
		Use:   "helper PROTOCOL",
		Short: "Speak another tool's credential protocol",
		Long: `Speak another tool's credential protocol on stdin and stdout. People don't call
this; 'oidc-cred setup TOOL' writes the tool's configuration so that it does.`,
	}
	addCalled(c, args, a.helperMakers())
	return c
}

// protocol makes the command of a helper that needs no flags but those that
// all have: --offline, --no-offline and the drill.
func (a *app) protocol(use, short string, args cobra.PositionalArgs, run func(context.Context, helper.Env, []string) error) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.checkOfflineFlags(c); err != nil {
				return err
			}
			return fromHelper(run(c.Context(), a.helperEnv(c), args))
		},
	}
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

// fromHelper gives a helper's usage error the exit code of one, and lets an
// error that was answered in the protocol be.
func fromHelper(err error) error {
	if answered := (helper.Answered{}); errors.As(err, &answered) {
		return silentExit(answered.Code)
	}
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
		Mapped: a.mapped,
	}
}

// mapped gives the profiles with hosts; --profile narrows them to one.
func (a *app) mapped() ([]helper.Mapping, error) {
	if err := a.loadNarrowed(); err != nil {
		return nil, err
	}
	var all []helper.Mapping
	for _, name := range a.config.names {
		hosts, _ := a.config.profiles[name]["hosts"].([]string)
		if len(hosts) == 0 || a.profileFlag != "" && name != a.profileFlag {
			continue
		}
		p, err := a.named(name, nil)
		if err != nil {
			return nil, err
		}
		all = append(all, helper.Mapping{Profile: name, Username: p.text("username"), Hosts: hosts})
	}
	return all, nil
}

// loadNarrowed reads the configuration and checks that --profile is in it.
func (a *app) loadNarrowed() error {
	if err := a.load(); err != nil {
		return err
	}
	if a.profileFlag != "" && a.config.profiles[a.profileFlag] == nil {
		return a.unknownProfile(a.profileFlag, byFlag)
	}
	return nil
}

// resolveHost finds the profile that a server is mapped to. --profile narrows
// the choice; it never makes up a mapping. Of several profiles with the server
// the one in use is taken.
func (a *app) resolveHost(c *cobra.Command, server helper.Server) (*helper.Target, error) {
	p, err := a.mappedTo(server)
	if err != nil || p == nil {
		return nil, err
	}
	return a.target(c, p)
}

func (a *app) mappedTo(server helper.Server) (*profile, error) {
	if err := a.loadNarrowed(); err != nil {
		return nil, err
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
	return a.named(name, nil)
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
	t := &helper.Target{
		Source: m, Profile: p.name, Username: p.text("username"), Offline: offlineOverride(c), Notes: a.paths.cache,
		Keep: m.Kept(), Timeout: p.exchangeLimit(), Setting: p.text,
		HTTP: func(caFile string) (*http.Client, error) { return a.serverClient(p, caFile) },
	}
	// An expired token is served to a tool that refuses it only where somebody
	// asked for that: in the call, or in the profile.
	t.ServeStale = p.on("offline.enabled")
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
