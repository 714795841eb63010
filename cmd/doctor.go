package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
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
		Long: `Check the configuration, the credential store, the redirect, what the client
proves with who it is, the way to the provider, its discovery document and this
machine's clock, and say what to do.

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
		{Check: "configuration", Result: "ok", Detail: "profile " + p.name + a.whereFrom(p)},
		a.checkState(), a.checkStore(ctx, p, m.SessionID()),
	}
	if p.text("grant") == grantCode {
		findings = append(findings, checkListen(p))
	}
	findings = append(findings, a.checkClient(ctx, p)...)
	findings = append(findings, a.checkProxy(p)...)
	findings = append(findings, a.checkProvider(ctx, p)...)
	findings = append(findings, a.checkSession(p, m))
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

func (a *app) checkStore(ctx context.Context, p *profile, id string) finding {
	f := finding{Check: "credential store", Result: "ok"}
	keychain, err := a.keychain(p)
	if err == nil {
		f.Detail = keychain.Name()
		store := cache.New(cache.Options{Dir: a.paths.state, Keychain: keychain})
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

func (a *app) checkSession(p *profile, m *session.Manager) finding {
	f := finding{Check: "session", Result: "ok"}
	s, err := m.Status()
	if err != nil {
		return finding{Check: f.Check, Result: "problem", Detail: err.Error(), code: exitStore}
	}
	f.Detail = headline(s, a.now())
	if s.State != session.StateOnline {
		f.Result = "warning"
		f.Hint = "'oidc-cred login --profile " + s.Profile + "' signs in"
		if !p.person() {
			f.Hint = "'oidc-cred login --profile " + s.Profile + "' begins one again"
		}
		switch {
		case !s.Begins() || s.State == session.StateOffline:
		case s.Refused != nil:
			f.Hint = s.Refused.Hint + "; 'oidc-cred token --force-refresh' asks at once"
		default:
			f.Hint = "" // the next call does what there is to do
		}
		if s.State == session.StateOffline {
			f.Hint = "'oidc-cred token --force-refresh' tries at once"
		}
	}
	return f
}
