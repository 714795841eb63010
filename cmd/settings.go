package cmd

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/oidc-cred/oidc-cred/internal/helper"
	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// shape is what a setting's value looks like in the file.
type shape int

const (
	text shape = iota
	list
	table // of texts
)

// setting is one key of a profile. The whole configuration is described by
// these: reading, checking, environment variables and the reference page.
type setting struct {
	key   string
	shape shape
	// check says what was expected of a text, or an error.
	check func(string) error
	// def is the default, as text.
	def string
	// env is the environment variable; "" for none. It stands for the profile
	// in use.
	env string
	// path: the text is a file's name, see [configFile.resolvePath].
	path bool
}

func settings() []setting {
	return []setting{
		{key: "issuer", check: checkIssuer, env: "OIDC_CRED_ISSUER"},
		{key: "client_id", check: notEmpty, env: "OIDC_CRED_CLIENT_ID"},
		{key: "client_secret_env", check: checkEnvName, env: "OIDC_CRED_CLIENT_SECRET_ENV"},
		{key: "client_secret_command", check: notEmpty, env: "OIDC_CRED_CLIENT_SECRET_COMMAND"},
		{key: "client_secret_keychain", check: checkBool, def: "false", env: "OIDC_CRED_CLIENT_SECRET_KEYCHAIN"},
		{key: "token_endpoint_auth_method", check: oneOf(authMethods...), def: "auto", env: "OIDC_CRED_TOKEN_ENDPOINT_AUTH_METHOD"},
		{key: "client_key_file", check: notEmpty, env: "OIDC_CRED_CLIENT_KEY_FILE", path: true},
		{key: "client_key_id", check: checkOneLine, env: "OIDC_CRED_CLIENT_KEY_ID"},
		{key: "token_endpoint_auth_signing_alg", check: oneOf(signingAlgs...), env: "OIDC_CRED_TOKEN_ENDPOINT_AUTH_SIGNING_ALG"},
		{key: "client_assertion_audience", check: checkOneLine, env: "OIDC_CRED_CLIENT_ASSERTION_AUDIENCE"},
		{key: "client_certificate_file", check: notEmpty, env: "OIDC_CRED_CLIENT_CERTIFICATE_FILE", path: true},
		{key: "client_certificate_key_file", check: notEmpty, env: "OIDC_CRED_CLIENT_CERTIFICATE_KEY_FILE", path: true},
		{key: "grant", check: oneOf(grants...), def: grantCode, env: "OIDC_CRED_GRANT"},
		{key: "subject_token_env", check: checkEnvName, env: "OIDC_CRED_SUBJECT_TOKEN_ENV"},
		{key: "subject_token_file", check: notEmpty, env: "OIDC_CRED_SUBJECT_TOKEN_FILE", path: true},
		{key: "subject_token_command", check: notEmpty, env: "OIDC_CRED_SUBJECT_TOKEN_COMMAND"},
		{key: "subject_token_github", check: checkBool, def: "false", env: "OIDC_CRED_SUBJECT_TOKEN_GITHUB"},
		{key: "subject_token_audience", check: checkOneLine, env: "OIDC_CRED_SUBJECT_TOKEN_AUDIENCE"},
		{key: "subject_token_type", check: checkExchangeType, def: "jwt", env: "OIDC_CRED_SUBJECT_TOKEN_TYPE"},
		{key: "requested_token_type", check: checkExchangeType, env: "OIDC_CRED_REQUESTED_TOKEN_TYPE"},
		{key: "scopes", shape: list, check: checkScope, def: "openid profile email offline_access", env: "OIDC_CRED_SCOPES"},
		{key: "audience", env: "OIDC_CRED_AUDIENCE"},
		{key: "resources", shape: list, check: checkAbsoluteURL, env: "OIDC_CRED_RESOURCES"},
		{key: "auth_params", shape: table},
		{key: "pushed_authorization_requests", check: oneOf(autoAlwaysNever...), def: "auto", env: "OIDC_CRED_PUSHED_AUTHORIZATION_REQUESTS"},
		{key: "dpop", check: oneOf(autoAlwaysNever...), def: "auto", env: "OIDC_CRED_DPOP"},
		{key: "redirect", check: checkRedirect, def: "http://127.0.0.1:0/callback", env: "OIDC_CRED_REDIRECT"},
		{key: "post_logout_redirect", check: checkRedirect, env: "OIDC_CRED_POST_LOGOUT_REDIRECT"},
		{key: "hosts", shape: list, check: checkHostPattern},
		// Not OIDC_CRED_TOKEN, which is what `token -o env` exports.
		{key: "token", check: oneOf("access", "id"), def: "access", env: "OIDC_CRED_TOKEN_TYPE"},
		{key: "interactive", check: oneOf("never", "auto"), def: "never", env: "OIDC_CRED_INTERACTIVE"},
		{key: "username", check: checkUsername, def: "oauth2", env: "OIDC_CRED_USERNAME"},
		{key: "vault_role", check: checkOneLine, env: "OIDC_CRED_VAULT_ROLE"},
		{key: "vault_mount", check: checkVaultMount, def: "jwt", env: "OIDC_CRED_VAULT_MOUNT"},
		{key: "vault_token", check: oneOf("access", "id"), def: "id", env: "OIDC_CRED_VAULT_TOKEN"},
		{key: "ca_file", env: "OIDC_CRED_CA_FILE", path: true},
		{key: "refresh_before", check: checkDurationOrPercent, def: "1m", env: "OIDC_CRED_REFRESH_BEFORE"},
		{key: "timeout", check: checkPositiveDuration, def: "10s", env: "OIDC_CRED_TIMEOUT"},
		{key: "store", check: oneOf(cache.StoreNames()...), def: "auto", env: "OIDC_CRED_STORE"},
		{key: "passphrase_command", check: notEmpty, env: "OIDC_CRED_PASSPHRASE_COMMAND"},
		{key: "offline.enabled", check: checkBool, def: "false", env: "OIDC_CRED_OFFLINE_ENABLED"},
		{key: "offline.max_duration", check: checkPositiveDuration, def: "7d", env: "OIDC_CRED_OFFLINE_MAX_DURATION"},
		{key: "offline.on_limit", check: oneOf("sign_out", "deny"), def: "sign_out", env: "OIDC_CRED_OFFLINE_ON_LIMIT"},
		{key: "offline.warn_after", check: checkDuration, def: "1d", env: "OIDC_CRED_OFFLINE_WARN_AFTER"},
		{key: "offline.retry.initial", check: checkPositiveDuration, def: "30s", env: "OIDC_CRED_OFFLINE_RETRY_INITIAL"},
		{key: "offline.retry.factor", check: checkFactor, def: "2", env: "OIDC_CRED_OFFLINE_RETRY_FACTOR"},
		{key: "offline.retry.max", check: checkPositiveDuration, def: "5m", env: "OIDC_CRED_OFFLINE_RETRY_MAX"},
		{key: "offline.retry.jitter", check: checkPercent, def: "10%", env: "OIDC_CRED_OFFLINE_RETRY_JITTER"},
		{key: "offline.repeat_failure_threshold", check: checkCount, def: "3", env: "OIDC_CRED_OFFLINE_REPEAT_FAILURE_THRESHOLD"},
	}
}

// The values of grant.
const (
	grantCode        = "authorization_code"
	grantDevice      = "device_code"
	grantCredentials = "client_credentials"
	grantJWTBearer   = "jwt-bearer"
	grantExchange    = "token-exchange"
)

// The words of some settings. They are variables that the compiler lays out:
// nothing is done for them when the program starts.
var (
	grants = []string{grantCode, grantDevice, grantCredentials, grantJWTBearer, grantExchange}
	// authMethods are those of RFC 7591 §2, RFC 8705 §2 and OpenID Connect Core
	// §9.
	authMethods = []string{
		"auto", "none", "client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth",
	}
	signingAlgs     = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
	autoAlwaysNever = []string{"auto", "always", "never"}
	// exchangeTypes are the short names of RFC 8693 §3.
	exchangeTypes = []string{"jwt", "id_token", "access_token", "refresh_token", "saml1", "saml2"}
)

func notEmpty(s string) error {
	if strings.TrimSpace(s) == "" {
		return errors.New("expected a text that is not empty")
	}
	return nil
}

func oneOf(names ...string) func(string) error {
	return func(s string) error {
		if slices.Contains(names, s) {
			return nil
		}
		return fmt.Errorf("expected one of %s", strings.Join(names, ", "))
	}
}

// checkIssuer wants what OpenID Connect Discovery §3 asks of an issuer: https,
// no query, no fragment. Plain http is for tests on this machine.
func checkIssuer(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.User != nil {
		return errors.New("expected a URL such as https://id.example.com, without query or fragment")
	}
	if u.Scheme == "https" || u.Scheme == "http" && oidcflow.IsLoopback(u.Hostname()) {
		return nil
	}
	return errors.New("expected an https:// URL (http:// only on this machine's loopback)")
}

func checkAbsoluteURL(s string) error {
	if u, err := url.Parse(s); err != nil || !u.IsAbs() || u.Fragment != "" {
		return errors.New("expected an absolute URI without fragment (RFC 8707 section 2)")
	}
	return nil
}

func checkRedirect(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" || !oidcflow.IsLoopback(u.Hostname()) || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return errors.New("expected a loopback URL such as http://127.0.0.1:0/callback (RFC 8252 section 7.3)")
	}
	if port := u.Port(); port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return errors.New("expected a port up to 65535, or 0 for any free one")
		}
	}
	return nil
}

// checkAuthParam keeps auth_params away from what the protocol's security or
// the loopback answer rests on.
func checkAuthParam(name, value string) error {
	return oidcflow.CheckAuthParam(name, value)
}

// checkScope wants a scope-token of RFC 6749 §3.3.
func checkScope(s string) error {
	for _, r := range s {
		if r <= ' ' || r > '~' || r == '"' || r == '\\' {
			return errors.New("expected a scope without spaces, quotes and backslashes (RFC 6749 section 3.3)")
		}
	}
	return notEmpty(s)
}

func checkHostPattern(s string) error {
	if helper.CheckPattern(s) != nil {
		return errors.New("expected a host such as git.example.com, *.example.com or git.example.com:8443")
	}
	return nil
}

func checkEnvName(s string) error {
	if s == "" || strings.ContainsAny(s, "= \t\n") {
		return errors.New("expected the name of an environment variable")
	}
	return nil
}

// checkOneLine wants something that fits into a header, a claim or a URL.
func checkOneLine(s string) error {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return errors.New("expected a text on one line")
	}
	return notEmpty(s)
}

// checkVaultMount wants the path of an auth method in Vault's API.
func checkVaultMount(s string) error {
	for part := range strings.SplitSeq(strings.Trim(s, "/"), "/") {
		if strings.Trim(part, ".") == "" || strings.ContainsFunc(part, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`?#%\`, r) }) {
			return errors.New("expected the path of an auth method, such as jwt")
		}
	}
	return nil
}

// checkExchangeType wants a token type identifier, RFC 8693 §3.
func checkExchangeType(s string) error {
	if oidcflow.TokenTypeURI(exchangeType(s)) == "" {
		return errors.New("expected one of " + strings.Join(exchangeTypes, ", ") + " or a URI (RFC 8693 section 3)")
	}
	return nil
}

// exchangeType is a token type's identifier in full.
func exchangeType(s string) string {
	if slices.Contains(exchangeTypes, s) {
		return "urn:ietf:params:oauth:token-type:" + s
	}
	return s
}

func checkUsername(s string) error {
	if strings.ContainsAny(s, "\n\r\x00") {
		return errors.New("expected a user name on one line")
	}
	return notEmpty(s)
}

func checkBool(s string) error {
	if _, err := strconv.ParseBool(s); err != nil {
		return errors.New("expected true or false")
	}
	return nil
}

func checkDuration(s string) error {
	_, err := parseDuration(s)
	return err
}

func checkPositiveDuration(s string) error {
	if d, err := parseDuration(s); err != nil || d == 0 {
		return errDuration
	}
	return nil
}

func checkPercent(s string) error {
	_, err := parsePercent(s)
	return err
}

func checkDurationOrPercent(s string) error {
	if checkPercent(s) == nil || checkDuration(s) == nil {
		return nil
	}
	return errors.New("expected a duration such as 1m or a percentage of the lifetime such as 20%")
}

func checkFactor(s string) error {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 1 && f <= 1000) {
		return errors.New("expected a number from 1 to 1000")
	}
	return nil
}

func checkCount(s string) error {
	if n, err := strconv.Atoi(s); err != nil || n < 0 || n > 1_000_000 {
		return errors.New("expected a whole number from 0")
	}
	return nil
}
