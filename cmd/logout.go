package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

type logoutOptions struct {
	all      bool
	noRevoke bool
	browser  bool
}

func (a *app) logoutCommand() *cobra.Command {
	var o logoutOptions
	c := &cobra.Command{
		Use:   "logout",
		Short: "Sign out",
		Long: `Revoke the tokens at the provider, as far as it can be told, and destroy the
session on this machine whatever the provider says.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.runLogout(c, o) },
	}
	f := c.Flags()
	f.BoolVar(&o.all, "all", false, "sign out of every profile")
	f.BoolVar(&o.noRevoke, "no-revoke", false, "don't tell the provider")
	f.BoolVar(&o.browser, "browser", false, "also end the provider's own session in the browser")
	a.addSimulateFlag(c)
	return c
}

func (a *app) runLogout(c *cobra.Command, o logoutOptions) error {
	if err := a.checkSimulate(c); err != nil {
		return err
	}
	profiles, err := a.selected(o.all)
	if err != nil {
		if session.KindOf(err) == session.SignInRequired {
			a.say("Nobody is signed in.")
			return nil
		}
		return err
	}
	var failures []error
	for _, p := range profiles {
		if err := a.logout(c.Context(), p, o); err != nil {
			if errors.Is(err, context.Canceled) || !o.all {
				return err
			}
			report(a.err, err)
			failures = append(failures, err)
		}
	}
	if len(failures) > 0 {
		return silentExit(exitCode(failures[0]))
	}
	return nil
}

// selected gives the profile in use, or all of them.
func (a *app) selected(all bool) ([]*profile, error) {
	if !all {
		p, err := a.current()
		if err != nil {
			return nil, err
		}
		return []*profile{p}, nil
	}
	if err := a.load(); err != nil {
		return nil, err
	}
	var profiles []*profile
	for _, name := range a.config.names {
		p, err := a.named(name, nil)
		if err != nil {
			return nil, err
		}
		profiles = append(profiles, p)
	}
	if len(profiles) == 0 && a.getenv("OIDC_CRED_ISSUER") != "" {
		return a.selected(false)
	}
	return profiles, nil
}

func (a *app) logout(ctx context.Context, p *profile, o logoutOptions) error {
	m, err := a.manager(p)
	if err != nil {
		return err
	}
	result, err := m.Logout(ctx, session.LogoutOptions{NoRevoke: o.noRevoke, EndSession: a.endSession(p, o)})
	if err != nil {
		return err
	}
	if !result.WasSignedIn {
		a.say("Profile %s was not signed in.", p.name)
		return nil
	}
	who := ""
	if name := personOf(result.Username); name != "" {
		who = " " + name
	}
	a.say("Signed out%s (profile %s).", who, p.name)
	switch {
	case result.RevokeError != nil:
		a.warnf("not_revoked", "the provider could not be told (%s), so what it gave out stays valid there until it expires", offline.Describe(result.RevokeError))
	case result.NoRevocation:
		a.warnf("not_revoked", "the provider offers no revocation, so what it gave out stays valid there until it expires")
	}
	if !o.browser {
		return nil
	}
	return a.sayEndSession(p, result)
}

// endSessionLimit is how long the browser may take to come by.
const endSessionLimit = 2 * time.Minute

// endSession is how the browser ends the provider's own session. It is sent to
// an address of this machine first, which only a browser that runs here gets
// to.
func (a *app) endSession(p *profile, o logoutOptions) *oidcflow.EndSessionOptions {
	if !o.browser || !p.person() || a.noBrowserHere() != "" {
		return nil
	}
	end := &oidcflow.EndSessionOptions{Redirect: p.text("post_logout_redirect"), Open: a.openBrowser(p), Timeout: endSessionLimit}
	end.Notify = func(url string) {
		// By now the session here is gone, whatever the browser does.
		a.say("Signed out here. Opening the browser to sign out at %s too. If it does not open, visit this address on this machine:\n\n  %s\n", hostOf(p.text("issuer")), url)
		if end.Redirect != "" {
			a.say("Waiting for the browser to come back. If the provider stays at a page of its own, Ctrl-C ends this.")
		}
	}
	return end
}

// sayEndSession says what became of the provider's own session.
func (a *app) sayEndSession(p *profile, result *session.Logout) error {
	provider := hostOf(p.text("issuer"))
	switch err := result.EndSessionError; {
	case !p.person():
		a.warnf("no_end_session", "profile %s has grant %s: nobody has a session in the browser", p.name, p.text("grant"))
	case result.EndSessionURL == "" || errors.Is(err, oidcflow.ErrNoEndSession):
		a.warnf("no_end_session", "the provider has no end_session_endpoint to open in the browser")
	case err != nil:
		return failure{
			err:  fmt.Errorf("the session at %s may go on in the browser: %w", provider, err),
			hint: "sign out at the provider's own page, or open " + result.EndSessionURL,
		}
	case result.SessionEnded && p.text("post_logout_redirect") != "":
		a.say("The browser came back: the session at %s has ended there.", provider)
	case result.SessionEnded:
		a.say("The browser went to %s, which ends the session there or asks.", provider)
	default: // no browser here
		a.say("No browser opens here (%s). This address, in the browser that you signed in with, ends the session at %s there:\n\n  %s\n",
			a.noBrowserHere(), provider, result.EndSessionURL)
	}
	return nil
}
