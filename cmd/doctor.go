package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// finding is the result of one check.
type finding struct {
	Check  string `json:"check"`
	Result string `json:"result"` // ok, warning, problem
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
	code   int
}

func (a *app) doctorCommand() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check the configuration, the credential store and the way to the provider",
		Long: `Check the configuration, the credential store, the redirect, the way to the
provider, its discovery document and this machine's clock, and say what to do.

The exit code is 0 if all is well, else that of the first problem: 2 the
configuration, 5 the credential store, 4 the provider.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := textOrJSON(output); err != nil {
				return err
			}
			if err := a.checkSimulate(c); err != nil {
				return err
			}
			return a.runDoctor(c.Context(), output)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "text", "output format: text or json")
	a.addSimulateFlag(c)
	return c
}

func (a *app) runDoctor(ctx context.Context, output string) error {
	p, err := a.current()
	if err != nil {
		return err
	}
	m, err := a.manager(p)
	if err != nil {
		return err
	}
	findings := []finding{
		{Check: "configuration", Result: "ok", Detail: fmt.Sprintf("profile %s in %s", p.name, a.paths.config)},
		a.checkState(), a.checkStore(ctx, p), checkListen(p),
	}
	if secret := a.clientSecret(p); secret != nil {
		findings = append(findings, checkSecret(ctx, secret))
	}
	findings = append(findings, a.checkProvider(ctx, p)...)
	findings = append(findings, a.checkSession(m))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	code := exitOK
	for _, f := range findings {
		if f.Result == "problem" && code == exitOK {
			code = f.code
		}
	}
	w := a.out
	if code != exitOK {
		w = a.err // a non-zero exit leaves stdout empty
	}
	if err := a.printFindings(w, findings, output); err != nil || code == exitOK {
		return err
	}
	return doctorFailure{findings: findings, code: code}
}

// doctorFailure is the first problem, for the error line and the exit code.
type doctorFailure struct {
	findings []finding
	code     int
}

func (e doctorFailure) first() finding {
	for _, f := range e.findings {
		if f.Result == "problem" {
			return f
		}
	}
	return finding{}
}

func (e doctorFailure) Error() string {
	n := 0
	for _, f := range e.findings {
		if f.Result == "problem" {
			n++
		}
	}
	return plural(n, "problem") + " found, first: " + e.first().Check
}

// Hint is the first problem's.
func (e doctorFailure) Hint() string {
	if hint := e.first().Hint; hint != "" {
		return hint
	}
	return "the checks above say more"
}

// checkSecret fetches the client secret, and shows nothing of it.
func checkSecret(ctx context.Context, secret func(context.Context) (oidcflow.Secret, error)) finding {
	if _, err := secret(ctx); err != nil {
		return finding{Check: "client secret", Result: "problem", Detail: err.Error(), Hint: hintOf(err), code: exitUsage}
	}
	return finding{Check: "client secret", Result: "ok", Detail: "it can be had"}
}

func (a *app) printFindings(w io.Writer, findings []finding, output string) error {
	if output == "json" {
		return json.NewEncoder(w).Encode(map[string]any{"checks": findings})
	}
	p := a.paint(w)
	for _, f := range findings {
		mark, color := "ok     ", green
		switch f.Result {
		case "warning":
			mark, color = "warning", yellow
		case "problem":
			mark, color = "problem", red
		}
		p.wrap(w, p.in(color, mark)+"  ", 9, f.Check+": "+oneLine(f.Detail))
		if f.Hint != "" {
			p.wrap(w, "         ", 9, oneLine(f.Hint))
		}
	}
	return nil
}

func (a *app) checkState() finding {
	f := finding{Check: "state directory", Result: "ok", Detail: a.paths.state}
	if err := os.MkdirAll(a.paths.state, 0o700); err != nil {
		return finding{Check: f.Check, Result: "problem", Detail: err.Error(), Hint: "make it a folder of yours that you can write to", code: exitStore}
	}
	probe := filepath.Join(a.paths.state, ".doctor")
	if err := cache.WriteFileAtomic(probe, nil, 0o600); err != nil {
		return finding{Check: f.Check, Result: "problem", Detail: err.Error(), Hint: "make it a folder of yours that you can write to", code: exitStore}
	}
	_ = os.Remove(probe)
	return f
}

func (a *app) checkStore(ctx context.Context, p *profile) finding {
	f := finding{Check: "credential store", Result: "ok"}
	keychain, err := cache.OpenKeychain(a.keychainOptions(p))
	if err == nil {
		f.Detail = keychain.Name()
		store := cache.New(cache.Options{Dir: a.paths.state, Keychain: keychain})
		id := session.SessionID(p.name, p.text("issuer"), p.text("client_id"))
		if err = store.Ready(ctx, id); err == nil {
			_, err = store.Load(ctx, id) // a session that is there must open
		}
	}
	if err == nil || errors.Is(err, cache.ErrNotFound) {
		return f
	}
	f.Result, f.Detail, f.code = "problem", err.Error(), exitStore
	var known *cache.KeychainError
	if errors.As(err, &known) {
		f.Hint = known.Hint()
	}
	return f
}

// checkListen tries the loopback redirect's port.
func checkListen(p *profile) finding {
	f := finding{Check: "redirect", Result: "ok", Detail: p.text("redirect")}
	u, err := url.Parse(p.text("redirect"))
	if err != nil {
		return finding{Check: f.Check, Result: "problem", Detail: err.Error(), code: exitUsage}
	}
	port := u.Port()
	if port == "" {
		port = "0" // as at the sign-in: any free one
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(u.Hostname(), port)) //nolint:noctx // loopback
	if err != nil {
		return finding{Check: f.Check, Result: "problem", Detail: err.Error(), Hint: "another program uses the port: end it, or register another redirect with the provider; port 0 means any free one", code: exitUsage}
	}
	_ = listener.Close()
	return f
}

// checkProvider fetches the discovery document, and compares the clocks.
func (a *app) checkProvider(ctx context.Context, p *profile) []finding {
	f := finding{Check: "provider", Result: "ok"}
	client, err := a.flow(p)
	if err != nil {
		return []finding{{Check: f.Check, Result: "problem", Detail: err.Error(), code: exitUsage}}
	}
	dates := &dateKeeper{next: client.HTTP.Transport, now: a.now}
	client.HTTP.Transport = dates
	ctx, cancel := context.WithTimeout(ctx, p.duration("timeout"))
	defer cancel()
	start := time.Now()
	md, err := client.Discover(ctx)
	if err != nil {
		f.Result, f.Detail, f.code = "problem", p.text("issuer")+": "+offline.Describe(err), exitUnreachable
		f.Hint = "check the network, the proxy settings and the issuer"
		var file *oidcflow.CAFileError
		if errors.As(err, &file) {
			f.code, f.Hint = exitUsage, "ca_file must be a file of PEM certificates"
		}
		return []finding{f}
	}
	f.Detail = fmt.Sprintf("%s answered in %s", md.Issuer, time.Since(start).Round(time.Millisecond))
	return []finding{f, dates.finding(), offers(md)}
}

// offers says what the provider lacks.
func offers(md *oidcflow.Metadata) finding {
	f := finding{Check: "discovery document", Result: "ok", Detail: "it has what oidc-cred needs"}
	switch {
	case md.AuthorizationEndpoint == "":
		f.Result, f.Detail, f.Hint = "warning", "the provider has no authorization_endpoint, so there is no sign-in with the browser", "try 'oidc-cred login --device'"
	case md.RevocationEndpoint == "":
		f.Result, f.Detail = "warning", "the provider has no revocation_endpoint, so a sign-out can't be told to it"
	}
	return f
}

func (a *app) checkSession(m *session.Manager) finding {
	f := finding{Check: "session", Result: "ok"}
	s, err := m.Status()
	if err != nil {
		return finding{Check: f.Check, Result: "problem", Detail: err.Error(), code: exitStore}
	}
	f.Detail = headline(s, a.now())
	if s.State != session.StateOnline {
		f.Result = "warning"
		f.Hint = "'oidc-cred login --profile " + s.Profile + "' signs in"
		if s.State == session.StateOffline {
			f.Hint = "'oidc-cred token --force-refresh' tries at once"
		}
	}
	return f
}

// skewTolerance is how far two clocks may stand apart before tokens look
// expired, or not yet valid, to one side.
const skewTolerance = time.Minute

// dateKeeper notes how far the provider's clock, as its Date header tells it,
// stands from this machine's.
type dateKeeper struct {
	next http.RoundTripper
	now  func() time.Time
	skew time.Duration
	seen bool
}

func (d *dateKeeper) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := d.next.RoundTrip(r)
	if err == nil {
		if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
			d.skew, d.seen = d.now().Sub(date), true
		}
	}
	return response, err
}

func (d *dateKeeper) finding() finding {
	f := finding{Check: "clock", Result: "ok", Detail: "agrees with the provider's"}
	switch skew := d.skew.Abs(); {
	case !d.seen:
		f.Detail = "the provider does not tell its time"
	case skew > skewTolerance:
		side := "ahead of"
		if d.skew < 0 {
			side = "behind"
		}
		f.Result, f.Detail, f.Hint = "warning", fmt.Sprintf("this machine's clock is %s %s the provider's", offline.Short(skew), side), "set the clock; tokens may look expired or not yet valid"
	}
	return f
}
