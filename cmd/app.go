package cmd

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/oidc-cred/oidc-cred/internal/eventlog"
	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// app is what every command works with: the streams, the environment, the
// global flags, and the configuration once it is needed.
type app struct {
	version Version
	in      io.Reader
	out     io.Writer
	err     io.Writer
	getenv  func(string) string
	now     func() time.Time

	profileFlag string
	configFlag  string
	quiet       bool
	verbose     bool
	color       string
	// qr is login's --qr; "" is auto.
	qr string
	// simulate is the drill's reason: the network is treated as down.
	simulate string

	config *configFile
	paths  paths
	// chosen is the profile in use, once it was asked for.
	chosen choice
	// keychains are the open ones, by profile: each may ask for a passphrase.
	keychains map[string]cache.Keychain
	// entered is a client secret that was just given to this process.
	entered oidcflow.Secret

	// limit bounds each exchange with the provider beside the profile's timeout,
	// for a tool that waits no longer; 0 is none.
	limit time.Duration

	// interruptible makes an interrupt cancel the command's context from now
	// on, instead of ending the process in the middle of an exchange.
	interruptible func()
}

// fileOf gives the file behind a stream, if it is one.
func fileOf(stream any) (*os.File, bool) {
	if behind, ok := stream.(interface{ stream() any }); ok {
		stream = behind.stream()
	}
	file, ok := stream.(*os.File)
	return file, ok
}

// isTerminal says whether a person is at the other end of a stream.
func isTerminal(stream any) bool {
	file, ok := fileOf(stream)
	return ok && term.IsTerminal(int(file.Fd()))
}

// load reads the configuration file, once.
func (a *app) load() error {
	if a.config != nil {
		return nil
	}
	p, err := findPaths(a.configFlag, a.getenv)
	if err != nil {
		return err
	}
	config, err := readConfig(p.config)
	if err != nil {
		return err
	}
	if config.defaultProfile != "" && len(config.names) > 0 && config.profiles[config.defaultProfile] == nil {
		return usageError{
			message: fmt.Sprintf("%s: default_profile: there is no profile %q", p.config, config.defaultProfile),
			hint:    "'oidc-cred profile list' shows the profiles there are",
		}
	}
	a.paths, a.config = p, config
	return nil
}

// named resolves one profile and checks that it is complete.
func (a *app) named(name string, flags *pflag.FlagSet) (*profile, error) {
	p, err := a.config.resolve(name, flags, a.getenv)
	if err != nil {
		return nil, err
	}
	p.limit = a.limit
	for _, key := range []string{"issuer", "client_id"} {
		if p.text(key) == "" {
			return nil, usageError{
				message: fmt.Sprintf("profile %s has no %s", name, key),
				hint:    fmt.Sprintf("set profiles.%s.%s in %s, or run 'oidc-cred login --profile %s --issuer https://id.example.com --client-id CLIENT_ID'", name, key, a.paths.config, name),
			}
		}
	}
	return p, nil
}

// manager makes the session manager of a profile. It does no I/O.
func (a *app) manager(p *profile) (*session.Manager, error) {
	flow, err := a.flow(p)
	if err != nil {
		return nil, err
	}
	keychain, err := a.keychain(p)
	if err != nil {
		return nil, err
	}
	events := eventlog.Log{Path: a.eventLog()}
	return session.New(session.Config{
		Profile:   p.name,
		Flow:      flow,
		Workload:  a.workload(p),
		Store:     cache.New(cache.Options{Dir: a.paths.state, Keychain: keychain}),
		StoreName: keychain.Name(),
		Documents: cache.Documents{Dir: a.paths.cache},
		Policy:    p.policy(),
		Timeout:   p.exchangeLimit(),
		Now:       a.now,
		OnWait:    a.interruptible,
		OnEvent: func(e offline.Event) {
			// A log that can't be written must not cost a token.
			_ = events.Append(e)
			a.debugf("event %s", e.Type)
		},
	}), nil
}

func (a *app) eventLog() string { return filepath.Join(a.paths.state, "events.log") }

// keychain gives the profile's credential store, without touching it.
func (a *app) keychain(p *profile) (cache.Keychain, error) {
	if open := a.keychains[p.name]; open != nil {
		return open, nil
	}
	open, err := cache.OpenKeychain(a.keychainOptions(p))
	if err != nil {
		return nil, usageError{message: "profile " + p.name + ": " + err.Error()}
	}
	if a.keychains == nil {
		a.keychains = map[string]cache.Keychain{}
	}
	a.keychains[p.name] = open
	return open, nil
}

func (a *app) keychainOptions(p *profile) cache.KeychainOptions {
	return cache.KeychainOptions{
		Backend:     p.text("store"),
		Service:     "oidc-cred",
		Dir:         filepath.Join(a.paths.state, "keys"),
		Passphrase:  func(ctx context.Context) (string, error) { return a.passphrase(ctx, p) },
		Interactive: isTerminal(a.err) && isTerminal(a.in),
		Getenv:      a.getenv,
	}
}

// flow makes the client of the profile's provider. The HTTP client behind it
// is made when the first request goes out.
func (a *app) flow(p *profile) (*oidcflow.Client, error) {
	client := &oidcflow.Client{
		Issuer: p.text("issuer"), ClientID: p.text("client_id"), Scopes: p.list("scopes"),
		Audience: p.text("audience"), Resources: p.list("resources"), AuthParams: p.authParams, Now: a.now, Timeout: p.exchangeLimit(),
		ClientSecret: a.clientSecret(p), AuthMethod: p.text("token_endpoint_auth_method"),
		ClientKey: a.clientKey(p), AssertionAudience: p.text("client_assertion_audience"), MutualTLS: p.has("client_certificate_file"),
		PushedRequests: p.text("pushed_authorization_requests"), DPoP: p.text("dpop"),
	}
	http, err := a.httpClient(p)
	if err != nil {
		return nil, err
	}
	client.HTTP = http
	return client, nil
}

// warn prints warnings, one line each, unless --quiet.
func (a *app) warn(warnings []offline.Warning) {
	for _, w := range warnings {
		if !a.quiet || w.Type == session.WarnNotStored { // that one is a loss
			a.printWarning(string(w.Type), w.Message)
		}
	}
}

func (a *app) warnf(kind, format string, args ...any) {
	if !a.quiet {
		a.printWarning(kind, fmt.Sprintf(format, args...))
	}
}

func (a *app) printWarning(kind, text string) {
	fmt.Fprintf(a.err, "oidc-cred: warning: %s: %s\n", kind, oneLine(text))
}

// say tells a person something that is no warning.
func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.err, format+"\n", args...)
}

func (a *app) debugf(format string, args ...any) {
	if a.verbose {
		fmt.Fprintf(a.err, "oidc-cred: debug: %s\n", oneLine(fmt.Sprintf(format, args...)))
	}
}
