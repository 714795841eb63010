package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/helper"
	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

type tokenOptions struct {
	output      string
	kind        string
	minValid    string
	force       bool
	interactive bool
	out         string
	refused     bool
}

const (
	outputRaw    = "raw"
	outputJSON   = "json"
	outputHeader = "header"
	outputEnv    = "env"
	outputExec   = "exec-credential"
)

func (a *app) tokenCommand() *cobra.Command {
	var o tokenOptions
	c := &cobra.Command{
		Use:   "token",
		Short: "Print a token",
		Long: `Print one token on stdout and nothing else. A token that is still good comes
from the cache, without the network; one that is due is refreshed; and while the
provider can't be reached the cached one is printed as far as the profile's
offline policy allows, with a warning on stderr.

Exit codes: 0 printed, 2 usage, 3 sign in, 4 the provider can't be reached and
no cached token may be used, 5 the credential store can't be used.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.runToken(c, o) },
	}
	f := c.Flags()
	f.StringVarP(&o.output, "output", "o", outputRaw, "output format: raw, json, header, env or exec-credential")
	f.StringVar(&o.kind, "type", "", "which token: access or id (default: the profile's, or id for exec-credential)")
	f.StringVar(&o.minValid, "min-valid", "", "refresh the token if it would live for less, such as 10m")
	f.BoolVar(&o.force, "force-refresh", false, "ask the provider for a new token now")
	f.BoolVar(&o.interactive, "interactive", false, "sign in with the browser if that is needed")
	f.StringVar(&o.out, "out", "", "write the token to this file instead of stdout")
	f.BoolVar(&o.refused, "refused-stdin", false, "a server refused the token on stdin: print another one")
	a.addOfflineFlags(c)
	return c
}

// addSimulateFlag adds the drill.
func (a *app) addSimulateFlag(c *cobra.Command) {
	c.Flags().StringVar(&a.simulate, "simulate-offline", "", "drill: treat the network as down, for this reason")
	c.Flags().Lookup("simulate-offline").NoOptDefVal = string(offline.ReasonNetworkUnavailable)
}

func (a *app) checkSimulate(c *cobra.Command) error {
	if c.Flags().Changed("simulate-offline") && !slices.Contains(drillReasons(), a.simulate) {
		return usageError{message: "--simulate-offline: expected one of " + strings.Join(drillReasons(), ", ")}
	}
	return nil
}

// request turns the flags into what the session is asked for.
func (o tokenOptions) request(c *cobra.Command, p *profile) (session.Request, error) {
	req := session.Request{ForceRefresh: o.force, Offline: offlineOverride(c)}
	kind := o.kind
	switch {
	case kind != "":
	case o.output == outputExec:
		kind = "id"
	default:
		kind = p.tokenType()
	}
	req.Type = session.TokenType(kind)
	if o.minValid != "" {
		d, err := parseDuration(o.minValid)
		if err != nil {
			return req, err
		}
		req.MinValid = d
	}
	return req, nil
}

// check finds what is wrong with the flags, before anything else is looked at.
func (o tokenOptions) check(c *cobra.Command) error {
	formats := []string{outputRaw, outputJSON, outputHeader, outputEnv, outputExec}
	if !slices.Contains(formats, o.output) {
		return usageError{message: fmt.Sprintf("--output: expected one of %s, not %q", strings.Join(formats, ", "), o.output)}
	}
	if err := exclusive(c, "refused-stdin", "force-refresh"); err != nil {
		return err
	}
	if o.out != "" && c.Flags().Changed("output") && o.output != outputRaw {
		return usageError{message: "--out writes the bare token and goes with no other --output than raw"}
	}
	if c.Flags().Changed("out") && o.out == "" {
		return usageError{message: "--out: expected the name of a file"}
	}
	if c.Flags().Changed("type") {
		if err := checkTokenType(o.kind); err != nil {
			return err
		}
	}
	if c.Flags().Changed("min-valid") {
		if _, err := parseDuration(o.minValid); err != nil {
			return usageError{message: fmt.Sprintf("--min-valid: %s, not %q", err, o.minValid)}
		}
	}
	return nil
}

func checkTokenType(kind string) error {
	if err := oneOf("access", "id")(kind); err != nil {
		return usageError{message: fmt.Sprintf("--type: %s, not %q", err, kind)}
	}
	return nil
}

func (a *app) runToken(c *cobra.Command, o tokenOptions) error {
	if err := o.check(c); err != nil {
		return err
	}
	if err := a.checkOfflineFlags(c); err != nil {
		return err
	}
	p, err := a.current()
	if err != nil {
		return err
	}
	req, err := o.request(c, p)
	if err != nil {
		return err
	}
	m, err := a.manager(p)
	if err != nil {
		return err
	}
	var refused oidcflow.Secret
	if o.refused {
		if refused, err = a.reportRefused(c.Context(), m); err != nil {
			return err
		}
	}
	input := func() io.Reader { return a.in }
	if o.refused {
		input = terminalInput // stdin was the token
	}
	token, err := a.tokenOf(c.Context(), p, m, req, o.interactive, input)
	if err != nil {
		return err
	}
	if o.refused && token.Value.Equal(refused) {
		token.Warnings = append(token.Warnings, refusedWarning)
	}
	if token.Bound {
		if o.output != outputJSON {
			return fromHelper(helper.BoundError(p.name))
		}
		token.Warnings = append(token.Warnings, boundWarning)
	}
	text, err := a.format(token, o.output)
	if err != nil {
		return err
	}
	a.warn(token.Warnings)
	if o.out != "" {
		return writeToken(o.out, token.Value.Reveal())
	}
	_, err = a.out.Write(text)
	return err
}

// tokenOf asks the session, and signs in first where that is needed and wanted.
// input is where a person may answer then.
func (a *app) tokenOf(ctx context.Context, p *profile, m *session.Manager, req session.Request, interactive bool, input func() io.Reader) (*session.Token, error) {
	token, err := m.Token(ctx, req)
	if err == nil {
		return token, nil
	}
	if (interactive || p.text("interactive") == "auto" && a.personHere()) && session.KindOf(err) == session.SignInRequired {
		return a.signInFor(ctx, p, m, req, err, input())
	}
	var refused *session.Error
	if errors.As(err, &refused) {
		a.warn(refused.Warnings)
	}
	return nil, err
}

// boundWarning goes with the one form in which a bound token is shown: for
// whoever looks into it.
var boundWarning = offline.Warning{
	Type:    "dpop_bound_token",
	Message: "the access token is bound to a key that does not leave oidc-cred (DPoP), so a server takes it from no other program",
}

// personHere says whether somebody sits at a terminal.
func (a *app) personHere() bool { return isTerminal(a.err) }

// signInFor signs in because a token was asked for that there is none of.
func (a *app) signInFor(ctx context.Context, p *profile, m *session.Manager, req session.Request, why error, input io.Reader) (*session.Token, error) {
	a.say("oidc-cred: %s; signing in", oneLine(why.Error()))
	if err := a.signIn(ctx, p, m, input); err != nil {
		return nil, err
	}
	req.ForceRefresh = false
	return m.Token(ctx, req)
}

func writeToken(path, token string) error {
	// A device, a pipe or a folder would be replaced by a file: as root, for
	// everybody on the machine. A link stays one.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return usageError{message: "--out: " + path + " is no regular file", hint: "without --out the token is printed on stdout"}
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if err := cache.WriteFileAtomic(path, []byte(token), 0o600); err != nil {
		return failure{err: fmt.Errorf("write the token: %w", err), hint: "check that the folder " + filepath.Dir(path) + " exists and is yours"}
	}
	return nil
}

func (a *app) format(t *session.Token, output string) ([]byte, error) {
	value := t.Value.Reveal()
	switch output {
	case outputJSON:
		return tokenJSON(t)
	case outputHeader:
		return []byte("Authorization: Bearer " + value + "\n"), nil
	case outputEnv:
		lines := "export OIDC_CRED_TOKEN=" + shellQuote(value) + "\n"
		if !t.Expiry.IsZero() {
			lines += "export OIDC_CRED_TOKEN_EXPIRES_AT=" + shellQuote(t.Expiry.UTC().Format(time.RFC3339)) + "\n"
		}
		return []byte(lines), nil
	case outputExec:
		version, err := helper.ExecAPIVersion(a.getenv)
		if err != nil {
			return nil, usageError{message: err.Error()}
		}
		return helper.ExecCredential(t, version, a.now())
	default:
		return []byte(value + "\n"), nil
	}
}

// shellQuote quotes for POSIX shells: in single quotes nothing is special but
// the single quote itself.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

type tokenOutput struct {
	Token         string          `json:"token"`
	TokenType     string          `json:"token_type"`
	ExpiresAt     *string         `json:"expires_at"`
	Expired       bool            `json:"expired"`
	Offline       bool            `json:"offline"`
	OfflineReason *string         `json:"offline_reason"`
	LastSync      *string         `json:"last_sync"`
	Profile       string          `json:"profile"`
	Issuer        string          `json:"issuer"`
	Subject       string          `json:"subject"`
	Scopes        []string        `json:"scopes"`
	Warnings      []warningOutput `json:"warnings"`
}

type warningOutput struct {
	Type       string `json:"type"`
	Message    string `json:"message"`
	ExpiredFor *int64 `json:"expired_for_seconds,omitempty"`
}

func tokenJSON(t *session.Token) ([]byte, error) {
	out := tokenOutput{
		Token: t.Value.Reveal(), TokenType: string(t.Type), ExpiresAt: stamp(t.Expiry), Expired: t.Expired,
		Offline: t.Offline, LastSync: stamp(t.LastSync), Profile: t.Profile, Issuer: t.Issuer, Subject: t.Subject,
		Scopes: nonNil(t.Scopes), Warnings: warningsOutput(t.Warnings),
	}
	if t.Offline && t.Reason != offline.ReasonNone {
		reason := string(t.Reason)
		out.OfflineReason = &reason
	}
	data, err := json.Marshal(out)
	return append(data, '\n'), err
}

func warningsOutput(warnings []offline.Warning) []warningOutput {
	out := make([]warningOutput, 0, len(warnings))
	for _, w := range warnings {
		o := warningOutput{Type: string(w.Type), Message: w.Message}
		if w.Type == offline.WarnUsingExpiredToken {
			seconds := int64(w.ExpiredFor / time.Second)
			o.ExpiredFor = &seconds
		}
		out = append(out, o)
	}
	return out
}

// stamp is RFC 3339 in UTC, or nil, which is null in JSON.
func stamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(time.RFC3339)
	return &s
}

func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
