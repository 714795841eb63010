package session

import (
	"cmp"
	"errors"
	"net"
	"strings"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// codeHint says what to look at for an OAuth error that names its cause; "" for
// any other.
func (m *Manager) codeHint(code, detail string) string {
	switch code {
	case "invalid_scope": // RFC 6749 §5.2
		return "check scopes of profile " + m.profile + " against those that the provider allows this client"
	case "invalid_target": // RFC 8707 §2
		return "check audience and resources of profile " + m.profile
	case "invalid_dpop_proof": // RFC 9449 §5
		if m.flow.DPoP != "never" {
			return "set this machine's clock, which DPoP proofs are dated by; 'oidc-cred doctor' compares it with the provider's"
		}
	}
	// RFC 9449 has no code for a proof that is missing, so some say it in words.
	if m.flow.DPoP == "never" && strings.Contains(strings.ToLower(code+detail), "dpop") {
		return "the provider demands DPoP: set dpop of profile " + m.profile + " to auto"
	}
	return ""
}

// idTokenHint says what to do about a wrong ID token of a sign-in.
func (m *Manager) idTokenHint(err *oidcflow.IDTokenError) string {
	const theirs = "the provider is at fault: tell its operators"
	switch {
	case err.ClockRelated():
		return "set this machine's clock; 'oidc-cred doctor' compares it with the provider's"
	case err.Hint() != "":
		return err.Hint()
	}
	switch err.Rule {
	case "missing":
		return "the client must be one of OpenID Connect at the provider, with the scope openid allowed; for plain OAuth 2.0 leave openid out of scopes of profile " + m.profile
	case "nonce":
		return "sign in again; if it happens again, " + theirs
	case "iss":
		return "check the issuer of profile " + m.profile
	case "aud", "azp":
		return "check the client_id of profile " + m.profile
	case "signature":
		return "check the issuer of profile " + m.profile + "; if it is right, " + theirs
	}
	return theirs
}

// The alerts of TLS that are about the certificate of the side that gets them,
// RFC 8446 §6.2, in the words of crypto/tls, whose type for them is unexported.
var certificateAlerts = [...]string{
	"bad certificate", "unsupported certificate", "revoked certificate", "expired certificate", "unknown certificate",
	"unknown certificate authority", "certificate required", "access denied",
}

// certificateHint says what to look at when the server refuses the client's
// certificate, or misses one; "" if that is not what happened.
func (m *Manager) certificateHint(err error) string {
	var op *net.OpError
	for errors.As(err, &op) && op.Op != "remote error" {
		err = op.Err
	}
	if op == nil || op.Op != "remote error" || op.Err == nil {
		return ""
	}
	for _, alert := range certificateAlerts {
		if op.Err.Error() != "tls: "+alert {
			continue
		}
		if !m.flow.MutualTLS {
			return "the server wants a certificate of the client: set client_certificate_file and client_certificate_key_file of profile " + m.profile
		}
		return "the server refused the certificate in client_certificate_file of profile " + m.profile + ": have the provider register or trust it, or get a new one"
	}
	return ""
}

// rejectionHint says what to look at when the provider says no to a sign-in's
// request.
func (m *Manager) rejectionHint(err error, f offline.Failure) string {
	hint := cmp.Or(hintIn(err), m.codeHint(f.Code, f.Detail))
	if m.workload != nil {
		return cmp.Or(hint, m.checkWorkload())
	}
	return cmp.Or(hint, m.checkClient())
}
