package cmd

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/oidc-cred/oidc-cred/internal/eventlog"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

type statusOptions struct {
	output  string
	all     bool
	check   bool
	history bool
}

func (a *app) statusCommand() *cobra.Command {
	var o statusOptions
	c := &cobra.Command{
		Use:   "status",
		Short: "Show who is signed in, and whether the provider can be reached",
		Long: `Show who is signed in, whether the provider could be reached the last time, when
that was, and when the token expires. It reads what is known on this machine and
asks nobody: neither the network nor the credential store.

With --check the exit code tells: 0 usable, 4 usable offline only or the offline
limit has passed, 3 sign in.`,
		Args: cobra.NoArgs,
		RunE: func(_ *cobra.Command, _ []string) error { return a.runStatus(o) },
	}
	f := c.Flags()
	f.StringVarP(&o.output, "output", "o", "text", "output format: text or json")
	f.BoolVar(&o.all, "all", false, "show every profile")
	f.BoolVar(&o.check, "check", false, "set the exit code by the state")
	f.BoolVar(&o.history, "history", false, "show what happened to the sessions")
	return c
}

func (a *app) runStatus(o statusOptions) error {
	if err := textOrJSON(o.output); err != nil {
		return err
	}
	if o.history && o.check {
		return usageError{message: "--history and --check don't go together"}
	}
	statuses, err := a.statuses(o.all)
	if err != nil {
		return err
	}
	chosen := a.chosen
	if o.all && len(statuses) > 0 {
		if chosen, err = a.inUse(); err != nil {
			return err
		}
	}
	if o.history {
		return a.showHistory(o)
	}
	if o.check {
		if code := checkCode(statuses); code != exitOK {
			// Like every non-zero exit, this one leaves stdout empty.
			return checkFailure{code: code, profiles: statuses, now: a.now()}
		}
	}
	if o.output == "json" {
		return a.statusJSON(statuses, chosen)
	}
	a.statusText(statuses, chosen)
	return nil
}

// statuses gives the selected profiles' state. Having none is a state too.
func (a *app) statuses(all bool) ([]*session.Status, error) {
	profiles, err := a.selected(all)
	if err != nil {
		if session.KindOf(err) == session.SignInRequired {
			return nil, nil
		}
		return nil, err
	}
	var statuses []*session.Status
	for _, p := range profiles {
		m, err := a.manager(p)
		if err != nil {
			return nil, err
		}
		s, err := m.Status()
		if err != nil {
			return nil, err
		}
		statuses = append(statuses, s)
	}
	return statuses, nil
}

// checkCode is the exit code of --check: the worst of all profiles'.
func checkCode(statuses []*session.Status) int {
	if len(statuses) == 0 {
		return exitSignIn
	}
	code := exitOK
	for _, s := range statuses {
		switch s.State {
		case session.StateSignInRequired:
			return exitSignIn
		case session.StateOffline:
			code = exitUnreachable
		}
	}
	return code
}

// checkFailure is a state that --check does not let pass.
type checkFailure struct {
	code     int
	profiles []*session.Status
	now      time.Time
}

func (e checkFailure) Error() string {
	var parts []string
	for _, s := range e.profiles {
		if s.State != session.StateOnline {
			parts = append(parts, "profile "+s.Profile+": "+headline(s, e.now))
		}
	}
	if len(parts) == 0 {
		return "nobody is signed in"
	}
	return strings.Join(parts, "; ")
}

// Hint says what to do about the first profile that needs something.
func (e checkFailure) Hint() string {
	if e.code == exitUnreachable {
		for _, s := range e.profiles {
			if s.Offline != nil && s.Offline.Advice != "" {
				return s.Offline.Advice
			}
		}
		return "'oidc-cred token --force-refresh' tries at once"
	}
	for _, s := range e.profiles {
		switch {
		case s.State != session.StateSignInRequired:
		case s.Begins() && s.Refused != nil && s.Refused.Until.After(e.now):
			return s.Refused.Hint + "; 'oidc-cred token --force-refresh' asks at once"
		case s.Begins():
			return "nobody has to sign in: 'oidc-cred token' asks for one"
		default:
			return "run 'oidc-cred login --profile " + s.Profile + "'"
		}
	}
	return "run 'oidc-cred login --issuer https://id.example.com --client-id CLIENT_ID'"
}

type statusOutput struct {
	Profiles []profileOutput `json:"profiles"`
}

type profileOutput struct {
	Profile    string             `json:"profile"`
	Issuer     string             `json:"issuer"`
	ClientID   string             `json:"client_id"`
	Subject    string             `json:"subject"`
	Username   string             `json:"username"`
	State      string             `json:"state"`
	Store      string             `json:"store"`
	LoginAt    *string            `json:"login_at"`
	LastSync   *string            `json:"last_sync"`
	Token      *statusTokenOutput `json:"token"`
	HasRefresh bool               `json:"has_refresh_token"`
	Offline    *offlineOutput     `json:"offline"`
	Warnings   []warningOutput    `json:"warnings"`
	SignedOut  *signedOutOutput   `json:"signed_out,omitempty"`
	// Refused is the provider's "no" to a session without a person.
	Refused *refusedOutput `json:"refused,omitempty"`
	// RefreshExpiry is when the sign-in ends, where the provider announced it.
	RefreshExpiry *string `json:"refresh_token_expires_at"`
	Grant         string  `json:"grant"`
	InUse         bool    `json:"in_use"`
	ChosenBy      string  `json:"chosen_by,omitempty"`
	ChosenIn      string  `json:"chosen_in,omitempty"`
}

type statusTokenOutput struct {
	ExpiresAt *string  `json:"expires_at"`
	Expired   bool     `json:"expired"`
	Scopes    []string `json:"scopes"`
	// Bound: the token is good only with a key that stays with the session.
	Bound bool `json:"bound,omitempty"`
}

type offlineOutput struct {
	Since               *string `json:"since"`
	Reason              string  `json:"reason"`
	ConsecutiveFailures int     `json:"consecutive_failures"`
	LastError           string  `json:"last_error"`
	NextRetry           *string `json:"next_retry"`
	MustSignInBy        *string `json:"must_sign_in_by"`
}

type refusedOutput struct {
	At *string `json:"at"`
	// NextTry is null where the next call asks.
	NextTry *string `json:"next_try"`
	Detail  string  `json:"detail"`
}

type signedOutOutput struct {
	At     *string `json:"at"`
	Reason string  `json:"reason"`
	Detail string  `json:"detail,omitempty"`
}

func (a *app) statusJSON(statuses []*session.Status, chosen choice) error {
	out := statusOutput{Profiles: []profileOutput{}}
	for _, s := range statuses {
		p := profileOutput{
			Profile: s.Profile, Issuer: s.Issuer, ClientID: s.ClientID, Subject: s.Subject, Username: s.Username,
			State: s.State, Store: s.Store, LoginAt: stamp(s.LoginAt), LastSync: stamp(s.LastSync),
			HasRefresh: s.HasRefreshToken, Warnings: warningsOutput(s.Warnings),
			RefreshExpiry: stamp(s.RefreshExpiry), Grant: firstOf(s.Grant, grantCode),
		}
		if s.Profile == chosen.name {
			p.InUse, p.ChosenBy, p.ChosenIn = true, chosen.by, chosen.path
		}
		if s.Token != nil {
			p.Token = &statusTokenOutput{ExpiresAt: stamp(s.Token.Expiry), Expired: s.Token.Expired, Scopes: nonNil(s.Token.Scopes), Bound: s.Token.Bound}
		}
		if f := s.Offline; f != nil {
			p.Offline = &offlineOutput{
				Since: stamp(f.Since), Reason: string(f.Reason), ConsecutiveFailures: f.Failures, LastError: f.LastError,
				NextRetry: stamp(f.NextRetry), MustSignInBy: stamp(f.MustSignInBy),
			}
		}
		if no := s.Refused; no != nil {
			p.Refused = &refusedOutput{At: stamp(no.At), NextTry: stamp(no.Until), Detail: no.Detail}
		}
		if e := s.SignedOut; e != nil {
			p.SignedOut = &signedOutOutput{At: stamp(e.At), Reason: string(e.Cause), Detail: e.Detail}
		}
		out.Profiles = append(out.Profiles, p)
	}
	encoder := json.NewEncoder(a.out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(out)
}

// showHistory prints the event log, as text or as it is.
func (a *app) showHistory(o statusOptions) error {
	events, err := eventlog.Log{Path: a.eventLog()}.Read()
	if err != nil {
		return err
	}
	name := ""
	if !o.all {
		if p, err := a.current(); err == nil {
			name = p.name
		}
	}
	for _, e := range events {
		if name != "" && e.Profile != name {
			continue
		}
		if o.output == "json" {
			line, err := json.Marshal(e)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s\n", line)
			continue
		}
		fmt.Fprintf(a.out, "%s  %s  %s\n", e.Time.Local().Format(time.DateTime), e.Profile, oneLine(eventText(e)))
	}
	return nil
}

func eventText(e offline.Event) string {
	switch e.Type {
	case offline.EventOfflineEntered:
		return "offline: " + e.Reason.Text()
	case offline.EventOfflineExited:
		return "online again after " + offline.Short(e.Lasted)
	case offline.EventWarning:
		return "warning: " + string(e.Warning) + ": " + e.Message
	case offline.EventTokenRefreshed:
		return "token refreshed"
	case offline.EventSignedIn:
		return "signed in"
	case offline.EventSignedOut:
		return "signed out: " + causeText(e.Cause)
	default:
		return string(e.Type)
	}
}

// causeText says why a session ended.
func causeText(c offline.Cause) string {
	switch c {
	case session.CauseLogout:
		return "by 'oidc-cred logout'"
	case offline.CauseRejected:
		return "the provider ended the session"
	case offline.CauseLimitPassed:
		return "longer without the provider than allowed"
	case session.CauseMissing:
		return "its file or its key is no longer there"
	default:
		return string(c)
	}
}
