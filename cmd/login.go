package cmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

type loginOptions struct {
	device    bool
	noBrowser bool
	limit     string
}

func (o loginOptions) way() way {
	switch {
	case o.device:
		return wayDevice
	case o.noBrowser:
		return wayPaste
	default:
		return wayChosen
	}
}

// check finds flags that the profile's grant has no use for.
func (o loginOptions) check(p *profile) error {
	grant := p.text("grant")
	flag := map[way]string{wayDevice: "--device", wayPaste: "--no-browser"}[o.way()]
	switch {
	case flag != "" && !p.person():
		return usageError{
			message: fmt.Sprintf("%s is for a person who signs in, and profile %s has grant %s", flag, p.name, grant),
			hint:    "run 'oidc-cred login --profile " + p.name + "' without it",
		}
	case o.noBrowser && grant == grantDevice:
		return usageError{
			message: fmt.Sprintf("--no-browser is for the grant authorization_code, and profile %s has grant %s, which shows a code", p.name, grant),
			hint:    "add --grant authorization_code, or leave --no-browser out",
		}
	}
	return nil
}

func (a *app) loginCommand() *cobra.Command {
	var o loginOptions
	c := &cobra.Command{
		Use:   "login",
		Short: "Sign in",
		Long: `Sign in with the system's browser (authorization code with PKCE, through a
loopback redirect). With --issuer and --client-id the profile is saved, together
with the other flags, so that later commands need none of them.

Where no browser can be opened, as over SSH and in a container, login shows a
code to enter on another device if the provider offers that (--device always
does), and otherwise an address to open elsewhere (--no-browser always does),
for which the address that the browser ends at can be pasted.

The grants client_credentials, jwt-bearer and token-exchange need nobody: login
gets a token at once.`,
		Example: `  oidc-cred login --issuer https://id.example.com --client-id CLIENT_ID
  oidc-cred login --profile work
  oidc-cred login --device`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.runLogin(c, o) },
	}
	f := c.Flags()
	f.BoolVar(&o.device, "device", false, "sign in with a code on another device (RFC 8628)")
	f.BoolVar(&o.noBrowser, "no-browser", false, "print the address, and accept the pasted redirect URL")
	f.StringVar(&a.qr, "qr", "auto", "show the address as a QR code beside the code: auto, always or never")
	f.StringVar(&o.limit, "timeout-sign-in", "5m", "how long to wait for the person (with --device also no longer than the code is good)")
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
	addProviderFlags(f)
	groupFlags(c, loginFlags())
	return c
}

func (a *app) runLogin(c *cobra.Command, o loginOptions) error {
	if err := exclusive(c, "device", "no-browser"); err != nil {
		return err
	}
	if err := oneOf(autoAlwaysNever...)(a.qr); err != nil {
		return usageError{message: fmt.Sprintf("--qr: %s, not %q", err, a.qr)}
	}
	limit, err := parseDuration(o.limit)
	if err != nil || limit == 0 {
		return usageError{message: fmt.Sprintf("--timeout-sign-in: %s, not %q", errDuration, o.limit)}
	}
	p, err := a.loginProfile(c)
	if err != nil {
		return err
	}
	if err := o.check(p); err != nil {
		return err
	}
	if err := a.takeClientSecret(c, p); err != nil {
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
	if err := a.checkCertificateFiles(p); err != nil {
		return err
	}
	a.warnOpenKeys(p)
	if !p.person() {
		a.sayNoQR()
	}
	if !c.Flags().Changed("timeout-sign-in") {
		limit = 0 // the default of the way that is taken: a code has its own
	}
	options := a.signInOptions(p, o.way(), limit, a.in)
	options.BeforeStore = func() error { return a.saveLogin(c, p) }
	result, err := m.Login(c.Context(), options)
	if err != nil {
		return a.unsavedLogin(p, sameWay(p, o, noDevice(p, o, err)))
	}
	a.sayLogin(p, result, before)
	if after, err := m.Status(); err == nil && after.Token != nil && after.Token.Bound {
		a.warnBound(p)
	}
	// An interrupt that came too late to stop it is still one to a script.
	return c.Context().Err()
}

// noDevice says what to do where the provider lets this client have no device
// grant and somebody asked for it.
func noDevice(p *profile, o loginOptions, err error) error {
	var own *session.Error
	var refused *oidcflow.DeviceGrantError
	if !errors.As(err, &own) || !errors.Is(err, oidcflow.ErrNoDeviceGrant) && !errors.As(err, &refused) {
		return err
	}
	own.Hint = "allow this client the device grant at the provider, or sign in without --device: 'oidc-cred login --no-browser' takes a pasted address"
	if !o.device {
		own.Hint = "allow this client the device grant at the provider, or set grant of profile " + p.name + " to authorization_code"
	}
	if errors.Is(err, oidcflow.ErrNoDeviceGrant) { // asked for, and there is no such thing
		return usageError{message: own.Message, hint: own.Hint}
	}
	return err
}

// sameWay mends the hint for a sign-in whose way was chosen by a flag.
func sameWay(p *profile, o loginOptions, err error) error {
	var e *session.Error
	if !errors.As(err, &e) {
		return err
	}
	again := func(flags string) string { return "run 'oidc-cred login" + flags + " --profile " + p.name + "' again" }
	switch {
	case o.device:
		e.Hint = strings.ReplaceAll(e.Hint, again(""), again(" --device"))
	case o.noBrowser:
		e.Hint = strings.ReplaceAll(e.Hint, again(""), again(" --no-browser"))
	}
	return err
}

// unsavedLogin mends the hint for a profile that is not in the file yet: its
// name alone is no use to a second try.
func (a *app) unsavedLogin(p *profile, err error) error {
	var e *session.Error
	if errors.As(err, &e) && !p.saved {
		for _, way := range []string{"", " --device", " --no-browser"} {
			e.Hint = strings.ReplaceAll(e.Hint, "run 'oidc-cred login"+way+" --profile "+p.name+"' again", "run the same command again")
		}
		e.Hint = strings.ReplaceAll(e.Hint, "'oidc-cred doctor' checks", "check")
	}
	return err
}

// loginProfile is the profile in use, which may be a new one.
func (a *app) loginProfile(c *cobra.Command) (*profile, error) {
	if err := a.load(); err != nil {
		return nil, err
	}
	chosen, err := a.chooseProfile()
	if err != nil {
		return nil, err
	}
	name, flags := chosen.name, c.Flags()
	isNew := flags.Changed("issuer") && flags.Changed("client-id") || a.profileInEnv()
	switch {
	case chosen.by == byFolder && flags.Changed("issuer") && flags.Changed("client-id"):
		// That would point a saved profile at another provider, and it was
		// somebody's folder that chose which one.
		return nil, usageError{
			message: fmt.Sprintf("%s names profile %s, and --issuer and --client-id would change that profile", chosen.path, name),
			hint:    "say which profile to save with --profile",
		}
	case name == "" && len(a.config.names) > 1 && !isNew:
		return nil, a.severalProfiles()
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
	if err := a.keepClientSecret(c.Context(), p); err != nil {
		return err
	}
	flags := c.Flags()
	if !flags.Changed("issuer") || !flags.Changed("client-id") {
		return nil
	}
	changed := map[string]any{}
	for _, s := range settings() {
		if f := flags.Lookup(flagOf(s)); f != nil && f.Changed {
			changed[s.key] = p.value(s)
		}
	}
	if err := saveProfile(a.paths.config, p.name, changed); err != nil {
		return failure{err: fmt.Errorf("save profile %s: %w", p.name, err), hint: "check the owner and the permissions of " + a.paths.config}
	}
	return nil
}
