package cmd

import (
	"fmt"
	"strings"
)

// person says whether somebody signs in. The other grants get tokens for the
// client itself, or for a token that something else gave out.
func (p *profile) person() bool {
	switch p.text("grant") {
	case grantCredentials, grantJWTBearer, grantExchange:
		return false
	default:
		return true
	}
}

// has says whether a setting has a value that does something.
func (p *profile) has(key string) bool {
	if def, ok := p.defaults[key]; ok {
		return def != "" && def != "false"
	}
	return p.text(key) != "" && (key != "client_secret_keychain" && key != "subject_token_github" || p.on(key))
}

// those gives the settings that have a value.
func (p *profile) those(keys ...string) []string {
	var found []string
	for _, key := range keys {
		if p.has(key) {
			found = append(found, key)
		}
	}
	return found
}

// secretSources are the settings that say where the client secret is.
func (p *profile) secretSources() []string {
	return p.those("client_secret_env", "client_secret_command", "client_secret_keychain")
}

// subjectSources are the settings that say where the subject token comes from.
func (p *profile) subjectSources() []string {
	return p.those("subject_token_env", "subject_token_file", "subject_token_command", "subject_token_github")
}

// vouchedFor says whether the platform's token is the client's own assertion, RFC
// 7523 §2.2, and the one thing that it authenticates itself with.
func (p *profile) vouchedFor() bool {
	return p.text("grant") == grantCredentials && len(p.subjectSources()) > 0
}

const subjectKeys = "subject_token_env, subject_token_file, subject_token_command or subject_token_github"

// check finds settings that contradict each other, or that need another one.
func (p *profile) check() error {
	for _, check := range []func() error{p.checkKeys, p.checkSecret, p.checkGrant} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (p *profile) wrong(hint, format string, args ...any) error {
	return usageError{message: "profile " + p.name + fmt.Sprintf(format, args...), hint: hint}
}

func (p *profile) checkSecret() error {
	sources := p.secretSources()
	if len(sources) > 1 {
		return p.wrong("keep one of them", " has both %s and %s", sources[0], sources[1])
	}
	method := p.text("token_endpoint_auth_method")
	switch method {
	case "client_secret_basic", "client_secret_post":
		if len(sources) == 0 {
			return p.wrong("set client_secret_env, client_secret_command or client_secret_keychain", " has token_endpoint_auth_method %s and no client secret", method)
		}
	case "none", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth":
		if len(sources) > 0 {
			return p.wrong("remove one of them", " has token_endpoint_auth_method %s and %s, which it does not use", method, sources[0])
		}
	}
	return nil
}

// checkKeys is about the client's key and certificate.
func (p *profile) checkKeys() error {
	method := p.text("token_endpoint_auth_method")
	certificate, key := p.has("client_certificate_file"), p.has("client_certificate_key_file")
	switch {
	case certificate && !key:
		return p.wrong("set client_certificate_key_file; it may be the same file", " has client_certificate_file and no client_certificate_key_file")
	case key && !certificate:
		return p.wrong("set client_certificate_file", " has client_certificate_key_file and no client_certificate_file")
	case strings.HasSuffix(method, "tls_client_auth") && !certificate:
		return p.wrong("set client_certificate_file and client_certificate_key_file", " has token_endpoint_auth_method %s and no client_certificate_file", method)
	case method == "private_key_jwt" && !p.has("client_key_file") && !p.vouchedFor():
		return p.wrong("set client_key_file", " has token_endpoint_auth_method private_key_jwt and no client_key_file")
	case p.has("client_key_file") && method != "private_key_jwt" && method != "auto":
		return p.wrong("remove one of them", " has token_endpoint_auth_method %s and client_key_file, which it does not use", method)
	case p.has("client_key_file") && len(p.secretSources()) > 0:
		return p.wrong("keep one of them", " has both client_key_file and %s", p.secretSources()[0])
	}
	if p.has("client_key_file") {
		return nil
	}
	if alone := p.those("client_key_id", "token_endpoint_auth_signing_alg", "client_assertion_audience"); len(alone) > 0 {
		return p.wrong("set client_key_file, or remove "+alone[0], " has %s and no client_key_file", alone[0])
	}
	return nil
}

// checkGrant is about the grant and the token that some of them start from.
func (p *profile) checkGrant() error {
	grant, sources := p.text("grant"), p.subjectSources()
	if len(sources) > 1 {
		return p.wrong("keep one of them", " has both %s and %s", sources[0], sources[1])
	}
	switch {
	case p.person():
		if len(sources) > 0 {
			return p.wrong("set grant to client_credentials, jwt-bearer or token-exchange, or remove "+sources[0], " has grant %s and %s, which it does not use", grant, sources[0])
		}
	case p.vouchedFor():
		if others := append(p.secretSources(), p.those("client_key_file")...); len(others) > 0 {
			return p.wrong("keep one of them", " has both %s and %s to prove with which client it is", sources[0], others[0])
		}
	case grant != grantCredentials && len(sources) == 0:
		return p.wrong("set "+subjectKeys, " has grant %s and no subject token to begin with", grant)
	}
	if p.has("subject_token_audience") && !p.on("subject_token_github") {
		return p.wrong("remove it: whoever gives out the token decides its audience", " has subject_token_audience, which only subject_token_github takes")
	}
	if grant == grantExchange {
		return nil
	}
	for _, key := range []string{"subject_token_type", "requested_token_type"} {
		if _, atDefault := p.defaults[key]; !atDefault {
			return p.wrong("set grant to token-exchange, or remove "+key, " has grant %s and %s, which it does not use", grant, key)
		}
	}
	return p.checkConfidential(grant)
}

// checkConfidential: RFC 6749 §4.4 is for clients that can prove who they are.
func (p *profile) checkConfidential(grant string) error {
	if grant != grantCredentials {
		return nil
	}
	if len(p.secretSources()) == 0 && !p.vouchedFor() && !p.has("client_key_file") && !p.has("client_certificate_file") {
		return p.wrong("set client_secret_env, client_secret_command, client_secret_keychain, client_key_file, client_certificate_file or one of the subject_token_ sources",
			" has grant client_credentials and nothing to prove with which client it is")
	}
	return nil
}
