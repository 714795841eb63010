package session

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// What a workload session was asked for is kept with it as a digest. A person's
// sign-in goes on with what was asked at the time until the next one; but a
// workload's settings come from the environment of one call, and a token for
// another API than the call names would be the wrong one.

// askedFor is the digest of what the configuration asks for now; "" for a
// person. The issuer, the client and the grant are in the session's name
// already, and how the client proves who it is makes no other token.
func (m *Manager) askedFor() string {
	w := m.workload
	if w == nil {
		return ""
	}
	return digest(w.Grant, list(m.flow.Scopes), m.flow.Audience, list(m.flow.Resources), w.SubjectTokenType, w.RequestedTokenType)
}

// askedWith is the digest of all that a "no" may be about and that can be seen
// from here without asking anybody.
func (m *Manager) askedWith() string {
	f := m.flow
	has := ""
	for _, there := range []bool{f.ClientSecret != nil, f.ClientKey != nil, f.MutualTLS, m.workload.SubjectToken != nil} {
		if there {
			has += "1"
		} else {
			has += "0"
		}
	}
	return digest(m.askedFor(), f.AuthMethod, f.AssertionAudience, f.DPoP, has)
}

func list(items []string) string { return strings.Join(items, "\x01") }

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// fits says whether the session is what the configuration asks for.
func (m *Manager) fits(rec *record) bool {
	return m.workload == nil || rec.Asked == m.askedFor()
}
