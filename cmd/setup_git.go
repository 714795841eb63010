package cmd

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/setup"
)

func (a *app) setupGitCommand() *cobra.Command {
	var g setup.Git
	c := &cobra.Command{
		Use:   "git HOST…",
		Short: "Let git authenticate to a host with this profile's token",
		Long: `Let git, and with it git-lfs, authenticate to each host with this profile's
token: a helper in git's global configuration, and the host in the profile.`,
		Example: `  oidc-cred setup git git.example.com
  oidc-cred setup git git.example.com git.example.com:8443
  oidc-cred setup git git.example.com --profile work --print`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, hosts []string) error {
			g.Env, g.Out = os.Environ(), a.out
			p, err := a.current()
			if err != nil {
				return notYet(err)
			}
			g.Profile, g.Config = p.name, a.configElsewhere()
			if g.Executable, err = executable(); err != nil {
				return err
			}
			g.Created = a.createdNotes()
			for _, host := range hosts {
				g.Host = host
				if err := g.Check(); err != nil { // all of them before the first is set up
					return setupError(err)
				}
			}
			for _, host := range hosts {
				if err := a.setupGitHost(c.Context(), g, p, host); err != nil {
					return err
				}
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&g.Username, "username", "", "the user name that git sends beside the token")
	f.BoolVar(&g.Print, "print", false, "only show what would be written")
	f.BoolVar(&g.Remove, "remove", false, "undo it")
	return c
}

func (a *app) setupGitHost(ctx context.Context, g setup.Git, p *profile, host string) error {
	g.Host = host
	if err := g.Run(ctx); err != nil {
		return setupError(err)
	}
	if g.Print {
		return a.printHost(p, host)
	}
	if err := a.mapHost(p, "git", host, g.Remove); err != nil || g.Remove || g.Try() == "" {
		return err
	}
	_, err := fmt.Fprintf(a.out, "Try it with: %s\n", g.Try())
	return err
}
