package oidctest

import (
	"crypto/rand"
	"maps"
	"slices"
	"strings"
	"time"
)

// state is what the provider has given out. [Provider.mu] guards it.
type state struct {
	codes     map[string]*code
	refreshes map[string]*refreshToken
	accesses  map[string]*accessToken
	devices   map[string]*device
	consents  map[string]consent
	granted   map[string]int
	reused    int
	rotations int
	secrets   []string
	pushes    map[string]pushed
	jtis      map[string]bool // of proofs, assertions and subject tokens
	replays   int
	nonce     string // the DPoP nonce that is given out now
	nonces    map[string]bool
	ends      []EndSession
	trusted   map[string]*SubjectIssuer
	workload  *SubjectIssuer // of SubjectToken; made at the first call
}

func newState() state {
	return state{
		codes: map[string]*code{}, refreshes: map[string]*refreshToken{}, accesses: map[string]*accessToken{},
		devices: map[string]*device{}, consents: map[string]consent{}, granted: map[string]int{},
		pushes: map[string]pushed{}, jtis: map[string]bool{}, nonces: map[string]bool{},
		trusted: map[string]*SubjectIssuer{},
	}
}

// session is what one sign-in began: a family of refresh tokens, RFC 9700
// §4.14.2.
type session struct {
	client, subject string
	scopes          []string
	nonce           string
	audience        []string // of access tokens: the parameters audience and resource
	signedIn        time.Time
	acr             string
	ended           bool
}

type code struct {
	*session
	redirect, challenge string
	key                 string // dpop_jkt, RFC 9449 §10
	expires             time.Time
	used                bool
}

type refreshToken struct {
	*session
	expires time.Time // zero: never
	spent   time.Time // zero: not spent
	key     string    // of a public client, RFC 9449 §5
}

type accessToken struct {
	*session
	binding
	expires time.Time
	revoked bool
}

// secret makes a random text, and remembers it for [Provider.Secrets].
func (p *Provider) secret(prefix string, padding int) string {
	return p.remember(prefix + rand.Text() + strings.Repeat("0", padding))
}

func (p *Provider) remember(secret string) string {
	p.secrets = append(p.secrets, secret)
	return secret
}

// Secrets are all tokens, codes, device codes, verifiers and client secrets
// that the provider has given out or received. None of them may be found in a
// log or a file.
func (p *Provider) Secrets() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	secrets := slices.Clone(p.secrets)
	for c := range maps.Values(p.clients) {
		if c.Secret != "" {
			secrets = append(secrets, c.Secret)
		}
	}
	return secrets
}

// Change changes the settings; what is under way keeps the old ones.
func (p *Provider) Change(change func(*Settings)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.settings.clone()
	change(&s)
	p.settings = s.clone()
}

// Settings is a copy of the settings.
func (p *Provider) Settings() Settings {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settings.clone()
}

// Lifetime sets how long new access tokens live.
func (p *Provider) Lifetime(d time.Duration) { p.Change(func(s *Settings) { s.Lifetime = d }) }

// RevokeAll ends all sessions: the next refresh gets invalid_grant.
func (p *Provider) RevokeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for token := range maps.Values(p.refreshes) {
		token.ended = true
	}
	for token := range maps.Values(p.accesses) {
		token.ended = true
	}
}

// ForgetAll ends all sessions as a provider does whose database was lost.
func (p *Provider) ForgetAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.refreshes)
	clear(p.accesses)
	clear(p.codes)
}

// Active says whether an access or refresh token would be accepted now.
func (p *Provider) Active(token string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.refreshes[token]; t != nil {
		return !t.ended && t.spent.IsZero() && (t.expires.IsZero() || p.now().Before(t.expires))
	}
	return p.liveAccess(token) != nil
}

// Subject is who a valid access token belongs to, or "". A test's resource
// server asks it.
func (p *Provider) Subject(token string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.liveAccess(token); t != nil {
		return t.subject
	}
	return ""
}

func (p *Provider) liveAccess(token string) *accessToken {
	t := p.accesses[token]
	if t == nil || t.revoked || t.ended || !p.now().Before(t.expires) {
		return nil
	}
	return t
}

// Granted is how often the grant type got its tokens: authorization_code,
// refresh_token or urn:ietf:params:oauth:grant-type:device_code.
func (p *Provider) Granted(grantType string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.granted[grantType]
}

// Reused is how often a spent refresh token came again. It stays 0 as long as
// exactly one process refreshes.
func (p *Provider) Reused() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reused
}
