package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/pkg/browser"
	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

type loginOptions struct {
	device    bool
	noBrowser bool
	limit     string
}

func (a *app) loginCommand() *cobra.Command {
	var o loginOptions
	c := &cobra.Command{
		Use:   "login",
		Short: "Sign in",
		Long: `Sign in with the system's browser (authorization code with PKCE, through a
loopback redirect). With --issuer and --client-id the profile is saved, so that
later commands need neither.

Without a browser on this machine: --no-browser prints the address to open
elsewhere and takes the pasted redirect URL; --device shows a code instead.`,
		Example: `  oidc-cred login --issuer https://id.example.com --client-id CLIENT_ID
  oidc-cred login --profile work
  oidc-cred login --no-browser`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.runLogin(c, o) },
	}
	f := c.Flags()
	f.BoolVar(&o.device, "device", false, "sign in with a code on another device (RFC 8628)")
	f.BoolVar(&o.noBrowser, "no-browser", false, "print the address, and accept the pasted redirect URL")
	f.StringVar(&o.limit, "timeout-sign-in", "5m", "how long to wait for the browser")
	// These override the profile, and are saved with a new one.
	f.String("issuer", "", "the provider's issuer URL")
	f.String("client-id", "", "the client that is registered with the provider")
	f.String("client-secret-env", "", "environment variable that holds the client secret")
	f.String("client-secret-command", "", "command that prints the client secret")
	f.StringSlice("scope", nil, "scopes to ask for (default openid,profile,email,offline_access)")
	f.String("audience", "", "audience parameter of some providers")
	f.StringSlice("resource", nil, "resource indicators (RFC 8707)")
	f.String("redirect", "", "loopback redirect URL (default http://127.0.0.1:0/callback)")
	f.String("ca-file", "", "PEM file of further trusted certificates")
	f.String("store", "", "where the key is kept: auto, secret-service, keychain, wincred, kwallet, keyctl, pass or file")
	f.String("timeout", "", "limit of one exchange with the provider (default 10s)")
	f.String("refresh-before", "", "refresh a token so long before it expires (default 1m)")
	f.Bool("offline-enabled", false, "allow an expired token while the provider can't be reached")
	f.String("offline-max-duration", "", "longest time without the provider (default 7d)")
	return c
}

func (a *app) runLogin(c *cobra.Command, o loginOptions) error {
	if err := exclusive(c, "device", "no-browser"); err != nil {
		return err
	}
	limit, err := parseDuration(o.limit)
	if err != nil || limit == 0 {
		return usageError{message: fmt.Sprintf("--timeout-sign-in: %s, not %q", errDuration, o.limit)}
	}
	p, err := a.loginProfile(c)
	if err != nil {
		return err
	}
	m, err := a.manager(p)
	if err != nil {
		return err
	}
	before, err := m.Status()
	if err != nil {
		return err
	}
	options := session.LoginOptions{BeforeStore: func() error { return a.saveLogin(c, p) }}
	if o.device {
		options.Device = &oidcflow.DeviceOptions{
			Prompt: func(d oidcflow.DevicePrompt) error { a.showDeviceCode(d); return nil },
			Problem: func(err error) {
				a.say("The provider can't be reached (%s); waiting goes on.", oneLine(offline.Describe(err)))
			},
		}
	} else {
		options.SignIn = a.signInOptions(p, o.noBrowser, limit)
	}
	result, err := m.Login(c.Context(), options)
	if err != nil {
		return a.unsavedLogin(p, err)
	}
	a.sayLogin(result, before)
	// An interrupt that came too late to stop it is still one to a script.
	return c.Context().Err()
}

// unsavedLogin mends the hint for a profile that is not in the file yet: its
// name alone is no use to a second try.
func (a *app) unsavedLogin(p *profile, err error) error {
	var e *session.Error
	if errors.As(err, &e) && !p.saved {
		e.Hint = strings.ReplaceAll(e.Hint, "run 'oidc-cred login --profile "+p.name+"' again", "run the same command again")
		e.Hint = strings.ReplaceAll(e.Hint, "'oidc-cred doctor' checks", "check")
	}
	return err
}

// loginProfile is the profile in use, which may be a new one.
func (a *app) loginProfile(c *cobra.Command) (*profile, error) {
	if err := a.load(); err != nil {
		return nil, err
	}
	name, err := a.config.chooseProfile(a.profileFlag, a.getenv)
	if err != nil {
		return nil, err
	}
	flags := c.Flags()
	isNew := flags.Changed("issuer") && flags.Changed("client-id") || a.profileInEnv()
	switch {
	case name == "" && len(a.config.names) > 1 && !isNew:
		return nil, usageError{message: "there are several profiles and none is the default", hint: "name one with --profile"}
	case name == "" && !isNew, name != "" && a.config.profiles[name] == nil && !isNew:
		who := ""
		if name != "" {
			who = " --profile " + name
		}
		return nil, usageError{
			message: "there is no profile to sign in with yet: --issuer and --client-id are needed",
			hint:    "run 'oidc-cred login" + who + " --issuer https://id.example.com --client-id CLIENT_ID'",
		}
	case name == "":
		name = defaultProfileName
	}
	return a.named(name, flags)
}

// saveLogin writes the profile to the file when the sign-in has succeeded.
func (a *app) saveLogin(c *cobra.Command, p *profile) error {
	flags := c.Flags()
	if !flags.Changed("issuer") || !flags.Changed("client-id") {
		return nil
	}
	changed := map[string]any{}
	for _, s := range settings() {
		if f := flags.Lookup(flagOf(s)); f != nil && f.Changed {
			if s.shape == list {
				changed[s.key] = p.list(s.key)
			} else {
				changed[s.key] = p.text(s.key)
			}
		}
	}
	if err := saveProfile(a.paths.config, p.name, changed); err != nil {
		return failure{err: fmt.Errorf("save profile %s: %w", p.name, err), hint: "check the owner and the permissions of " + a.paths.config}
	}
	return nil
}

func (a *app) sayLogin(l *session.Login, before *session.Status) {
	who := l.Username
	if who == "" {
		who = l.Subject
	}
	if who == "" {
		who = "(the provider did not say who)"
	}
	a.say("Signed in as %s at %s (profile %s).", oneLine(who), hostOf(l.Issuer), l.Profile)
	if before.Token != nil && before.Subject != "" && before.Subject != l.Subject {
		a.say("The former session of %s has been replaced.", oneLine(firstOf(before.Username, before.Subject)))
	}
	if !l.Refreshable {
		a.warnf("no_refresh_token", "the provider gave no refresh token, so the sign-in ends when the token expires%s; the scope offline_access, prompt=consent in auth_params, or a setting of the client at the provider usually brings one", inTime(l.Expiry, a.now()))
	}
	if len(l.Missing) > 0 && l.Refreshable {
		a.warnf("scopes_not_granted", "the provider did not grant: %s", strings.Join(l.Missing, " "))
	}
	if l.StaleUserInfo {
		a.warnf(string(offline.WarnStaleUserInfo), "the user's details could not be read")
	}
}

// inTime says when, relative to now: " in 2 hours"; nothing if it is unknown.
func inTime(t, now time.Time) string {
	if t.IsZero() || !t.After(now) {
		return ""
	}
	return " in " + offline.Short(t.Sub(now))
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// signInOptions are for the browser; without one the URL is shown and the
// redirect may be pasted.
func (a *app) signInOptions(p *profile, noBrowser bool, limit time.Duration) oidcflow.SignInOptions {
	o := oidcflow.SignInOptions{Redirect: p.text("redirect"), Timeout: limit}
	if !noBrowser {
		o.Open = a.openBrowser
		o.Notify = func(url string) {
			a.say("Opening the browser to sign in at %s. If it does not open, visit:\n\n  %s\n", hostOf(p.text("issuer")), url)
		}
		return o
	}
	o.Notify = func(url string) {
		a.say("Sign in at %s with this address, in any browser:\n\n  %s\n", hostOf(p.text("issuer")), url)
		if a.in != nil {
			a.say("On another machine the browser ends at a page that it can't load. Paste that page's address here:")
		}
	}
	o.Paste = a.pastedLines()
	o.PasteProblem = func(err error) {
		a.say("That is not it: %s. Paste the whole address of the page that the browser ended at.", oneLine(err.Error()))
	}
	return o
}

// pastedLines reads what is typed. At the end of the input nothing more comes,
// and the loopback listener goes on.
func (a *app) pastedLines() <-chan string {
	lines := make(chan string)
	go func() {
		input := bufio.NewScanner(io.LimitReader(a.in, 1<<20))
		input.Buffer(nil, 64<<10)
		for input.Scan() {
			if line := strings.TrimSpace(input.Text()); line != "" {
				lines <- line
			}
		}
	}()
	return lines
}

func (a *app) showDeviceCode(d oidcflow.DevicePrompt) {
	a.say("To sign in, open this address on any device:\n\n  %s\n\nand enter the code:\n\n  %s\n", d.URI, d.UserCode)
	if d.CompleteURI != "" {
		a.say("or open this address, which has the code in it:\n\n  %s\n", d.CompleteURI)
	}
}

// openBrowser honours $BROWSER, a list of commands separated by colons in
// which %s stands for the address, before the system's own way.
func (a *app) openBrowser(_ context.Context, url string) error {
	if list := a.getenv("BROWSER"); list != "" {
		return a.openWith(list, url)
	}
	// What the browser's launcher prints must not reach our stdout, which is
	// the result's, nor clutter stderr.
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
	if a.verbose {
		browser.Stdout, browser.Stderr = a.err, a.err
	}
	if err := browser.OpenURL(url); err != nil {
		return fmt.Errorf("open the browser: %w", err)
	}
	return nil
}

func (a *app) openWith(list, url string) error {
	err := errors.New("$BROWSER names no command")
	for _, command := range strings.Split(list, string(os.PathListSeparator)) {
		words := strings.Fields(command)
		if _, err := exec.LookPath(strings.TrimSpace(command)); err == nil {
			words = []string{strings.TrimSpace(command)} // a path that may have spaces in it
		}
		if len(words) == 0 {
			continue
		}
		given := false
		for i, word := range words {
			if strings.Contains(word, "%s") {
				words[i], given = strings.ReplaceAll(word, "%s", url), true
			}
		}
		if !given {
			words = append(words, url)
		}
		run := exec.Command(words[0], words[1:]...) //nolint:noctx // the user's own browser, which outlives us
		if a.verbose {
			run.Stdout, run.Stderr = a.err, a.err
		}
		if err = run.Start(); err == nil {
			go func() { _ = run.Wait() }()
			return nil
		}
	}
	return fmt.Errorf("open the browser: %w", err)
}
