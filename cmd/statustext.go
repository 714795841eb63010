package cmd

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// paint is how the plain form is coloured and how wide it may be.
type paint struct {
	color bool
	width int
}

func (a *app) paint(w io.Writer) paint {
	p := paint{width: 80}
	tty := isTerminal(w)
	escapes := tty
	if file, ok := fileOf(w); ok && tty {
		escapes = a.color != "never" && takesEscapes(file)
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			p.width = width
		}
	}
	switch a.color {
	case "always":
		p.color = true
	case "auto":
		// https://no-color.org: any value that is not empty.
		p.color = escapes && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"
	}
	return p
}

const (
	green  = "32"
	yellow = "33"
	red    = "31"
	bold   = "1"
	faint  = "2"
)

func (p paint) in(code, s string) string {
	if !p.color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// statusText says how things stand to a person.
func (a *app) statusText(statuses []*session.Status, chosen choice) {
	p := a.paint(a.out)
	if len(statuses) == 0 {
		fmt.Fprintln(a.out, "Nobody is signed in.")
		fmt.Fprintln(a.out, p.in(faint, "To start: oidc-cred login --issuer https://id.example.com --client-id CLIENT_ID"))
		return
	}
	for i, s := range statuses {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		a.oneStatus(p, s, a.whyInUse(s.Profile, chosen))
	}
}

// whyInUse says why this is the profile in use, where that is not plain.
func (a *app) whyInUse(profile string, chosen choice) string {
	if profile != chosen.name || chosen.by == byFlag || len(a.config.names) < 2 && chosen.by != byEnv && chosen.by != byFolder {
		return ""
	}
	return "profile in use: " + chosen.source()
}

func (a *app) oneStatus(p paint, s *session.Status, inUse string) {
	now := a.now()
	mark, word, color := "●", "online", green
	switch s.State {
	case session.StateOffline:
		mark, word, color = "◐", "offline", yellow
	case session.StateSignInRequired:
		mark, word, color = "○", "sign-in required", red
		switch {
		case s.Begins() && s.Refused != nil:
			word = "refused"
		case s.Begins():
			word, color = "no token yet", yellow
		case s.Grant != "":
			word = "signed out"
		}
	}
	fmt.Fprintf(a.out, "%s %s %s\n", p.in(color, mark), p.in(bold, s.Profile), p.in(color, word))
	for _, l := range append(lines(s, now), inUse) {
		if l != "" {
			p.wrap(a.out, "  ", 2, oneLine(l))
		}
	}
	for _, w := range s.Warnings {
		if w.Type == offline.WarnUsingExpiredToken {
			continue // the lines above say it
		}
		p.wrap(a.out, "  "+p.in(yellow, "!")+" ", 4, oneLine(w.Message))
	}
}

// headline is the state and its reason in one line.
func headline(s *session.Status, now time.Time) string {
	switch {
	case s.Offline != nil:
		text := "offline since " + clock(s.Offline.Since, now) + ": " + s.Offline.Reason.Text()
		if s.Offline.LastError != "" {
			text += " (" + s.Offline.LastError + ")"
		}
		return text
	case s.State == session.StateSignInRequired && s.Begins():
		return beginsLine(s, now)
	case s.State == session.StateSignInRequired && s.SignedOut != nil:
		why := causeText(s.SignedOut.Cause)
		if s.SignedOut.Cause == offline.CauseRejected && strings.HasPrefix(s.SignedOut.Detail, "ID token: ") {
			why = "oidc-cred ended the session" // the provider did not mean to
		}
		text := "signed out " + ago(s.SignedOut.At, now) + ": " + why
		if s.SignedOut.Detail != "" {
			text += " (" + s.SignedOut.Detail + ")"
		}
		return text
	case s.State == session.StateSignInRequired && s.Token != nil:
		return "the token has expired and there is no refresh token"
	case s.State == session.StateSignInRequired:
		return "not signed in"
	default:
		return "online"
	}
}

// beginsLine is about a session without a person that the next call begins.
func beginsLine(s *session.Status, now time.Time) string {
	switch {
	case s.Refused != nil:
		next := "the next call asks again"
		if wait := s.Refused.Until.Sub(now); wait > 0 {
			next = "it is asked again in " + offline.Short(wait.Round(time.Second))
		}
		return "the provider refused this client " + ago(s.Refused.At, now) + " (" + s.Refused.Detail + "); " + next
	case s.Changed:
		return "the token there is was asked for with other settings: the next call that needs one gets another"
	case s.SignedOut != nil:
		why := causeText(s.SignedOut.Cause)
		switch {
		case s.SignedOut.Cause != offline.CauseRejected:
		case strings.HasPrefix(s.SignedOut.Detail, "ID token: "):
			why = "oidc-cred ended the session"
		default:
			why = "the provider refused this client"
		}
		if s.SignedOut.Detail != "" {
			why += " (" + s.SignedOut.Detail + ")"
		}
		return "the last session ended " + ago(s.SignedOut.At, now) + ": " + why + "; the next call that needs a token asks for one"
	}
	return "no token yet: the next call that needs one gets it"
}

// scopesText cleans each scope by itself: together they may well be longer
// than other texts of a server.
func scopesText(scopes []string) string {
	var shown []string
	for _, s := range scopes[:min(len(scopes), 100)] {
		shown = append(shown, oidcflow.Clean(s))
	}
	return strings.Join(shown, " ")
}

// lines are what is to be said below the profile's name.
func lines(s *session.Status, now time.Time) []string {
	var out []string
	if s.Token != nil {
		who := "signed in"
		if s.Grant != "" {
			who += " as client " + s.ClientID
		} else if name := personOf(s.Username, s.Subject); name != "" {
			who += " as " + name
		}
		out = append(out, who+" at "+hostOf(s.Issuer)+" "+ago(s.LoginAt, now))
	} else {
		out = append(out, "provider "+s.Issuer)
	}
	if s.State != session.StateOnline {
		out = append(out, headline(s, now))
	}
	if t := s.Token; t != nil {
		out = append(out, tokenLine(s, t, now))
		if len(t.Scopes) > 0 {
			out = append(out, "scopes "+scopesText(t.Scopes))
		}
		if t.Bound {
			out = append(out, "the access token is bound to a key of this session (DPoP)")
		}
	}
	if end := s.RefreshExpiry; s.Token != nil && !end.IsZero() {
		if end.After(now) {
			out = append(out, "sign-in ends by "+clock(end, now)+" ("+strings.TrimSpace(inTime(end, now))+"), unless it is renewed before")
		} else {
			out = append(out, "sign-in ended "+ago(end, now)+", by what the provider announced")
		}
	}
	if !s.LastSync.IsZero() {
		out = append(out, "last sync "+ago(s.LastSync, now))
	}
	if s.Grant != "" {
		out = append(out, "grant "+s.Grant+": no person is needed, and no refresh token")
	} else if s.Token != nil && !s.HasRefreshToken && s.State != session.StateSignInRequired {
		out = append(out, "no refresh token: the sign-in ends with the token")
	}
	if f := s.Offline; f != nil {
		next := "next try at the next call"
		if wait := f.NextRetry.Sub(now); wait > 0 {
			next = "next try in " + offline.Short(wait.Round(time.Second))
		}
		out = append(out, fmt.Sprintf("%s, after %s in a row", next, plural(f.Failures, "failure")))
		if f.Advice != "" {
			out = append(out, f.Advice)
		}
		switch {
		case f.LimitPassed:
			out = append(out, "the offline limit passed "+ago(f.MustSignInBy, now))
		case !f.MustSignInBy.IsZero():
			out = append(out, "can go on offline until "+clock(f.MustSignInBy, now)+" ("+strings.TrimSpace(inTime(f.MustSignInBy, now))+")")
		}
	}
	if s.Token != nil && s.Store != "" {
		out = append(out, "key in "+storeText(s.Store))
	}
	if s.State == session.StateSignInRequired && !s.Begins() {
		out = append(out, "run 'oidc-cred login --profile "+s.Profile+"'")
	}
	return out
}

func tokenLine(s *session.Status, t *session.StatusToken, now time.Time) string {
	switch {
	case t.Expiry.IsZero():
		return "token without a stated expiry"
	case !t.Expired:
		return "token expires in " + offline.Short(t.Expiry.Sub(now))
	case s.Offline != nil && s.Offline.Usable:
		return "token expired " + ago(t.Expiry, now) + ", and is used all the same while offline"
	case s.Offline != nil:
		return "token expired " + ago(t.Expiry, now) + ", and is not given out"
	case s.HasRefreshToken:
		return "token expired " + ago(t.Expiry, now) + ", the next call renews it"
	default:
		return "token expired " + ago(t.Expiry, now)
	}
}

func storeText(store string) string {
	switch store {
	case "secret-service":
		return "the desktop's keyring (secret-service)"
	case "keychain":
		return "the Keychain"
	case "wincred":
		return "the Windows Credential Manager"
	case "kwallet":
		return "KWallet"
	case "keyctl":
		return "the kernel's keyring (keyctl)"
	default:
		return "the " + store + " store"
	}
}

func ago(t, now time.Time) string {
	d := now.Sub(t)
	if d < time.Second {
		return "just now"
	}
	return offline.Short(d) + " ago"
}

// clock is a time of day, with the date where it is another day.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// hostOf is the issuer's host, which is what people know a provider by.
func hostOf(issuer string) string {
	if u, err := url.Parse(issuer); err == nil && u.Host != "" {
		return u.Host
	}
	return issuer
}

// wrap prints text behind a lead, broken at spaces to the width, and further
// lines indented alike. The lead takes up so many columns, without its colour.
func (p paint) wrap(w io.Writer, lead string, taken int, text string) {
	indent := max(taken, 4)
	width := max(p.width, 20)
	line, length := lead, taken
	empty := true
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		if !empty && length+1+n > width {
			fmt.Fprintln(w, line)
			line, length, empty = strings.Repeat(" ", indent), indent, true
		}
		if !empty {
			line += " "
			length++
		}
		line += word
		length += n
		empty = false
	}
	fmt.Fprintln(w, line)
}
