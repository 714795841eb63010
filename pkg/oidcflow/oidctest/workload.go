package oidctest

import (
	"crypto/rand"
	"maps"
	"time"
)

// SubjectIssuer signs tokens about who runs a program, as a CI system or a
// cluster does. A provider trusts those of [Options] and [Provider.Trust] for
// the jwt-bearer and token-exchange grants.
type SubjectIssuer struct {
	// Issuer is the "iss" of its tokens.
	Issuer string
	key    signingKey
}

// NewSubjectIssuer makes an issuer with a key of its own. It panics if there
// is no randomness.
func NewSubjectIssuer(issuer string) *SubjectIssuer {
	key, err := newKey("subject-key-1", "ES256")
	if err != nil {
		panic(err)
	}
	return &SubjectIssuer{Issuer: issuer, key: key}
}

// Token signs a token for an audience, good for ten minutes from now on. The
// claims override those that it has by itself; nil removes one.
func (s *SubjectIssuer) Token(now time.Time, audience string, claims map[string]any) string {
	all := map[string]any{
		"iss": s.Issuer, "sub": "repo:example/project:ref:refs/heads/main", "aud": audience,
		"iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(), "jti": rand.Text(),
	}
	override(all, claims)
	return s.key.jwt("JWT", all, SignatureGood)
}

// Trust lets further issuers' subject tokens in.
func (p *Provider) Trust(issuers ...*SubjectIssuer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trusted = maps.Clone(p.trusted)
	for _, s := range issuers {
		p.trusted[s.Issuer] = s
	}
}

// SubjectToken is a token of an issuer that this provider trusts, meant for
// it; the claims override those that it has by itself. It is among
// [Provider.Secrets].
func (p *Provider) SubjectToken(claims map[string]any) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.workload == nil {
		p.workload = NewSubjectIssuer("https://ci.example.com")
		p.trusted[p.workload.Issuer] = p.workload
	}
	return p.remember(p.workload.Token(p.now(), p.issuer, claims))
}
