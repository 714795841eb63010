package cmd

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// resolved is the profile work with further lines.
func resolved(t *testing.T, lines ...string) (*profile, error) {
	t.Helper()
	c, err := parseText(t, "profiles:\n  work:\n    issuer: https://id.example.com\n    client_id: cli\n    "+strings.Join(lines, "\n    ")+"\n")
	if err != nil {
		t.Fatal(err)
	}
	return c.resolve("work", nil, func(string) string { return "" })
}

// Settings that contradict each other are told with both names.
func TestContradictions(t *testing.T) {
	for _, test := range []struct{ lines, want string }{
		{"client_secret_env: A\nclient_secret_command: b", "has both client_secret_env and client_secret_command"},
		{"client_secret_env: A\nclient_secret_keychain: true", "has both client_secret_env and client_secret_keychain"},
		{"client_secret_command: a\nclient_secret_keychain: true", "has both client_secret_command and client_secret_keychain"},
		{"client_secret_env: A\ntoken_endpoint_auth_method: none", "has token_endpoint_auth_method none and client_secret_env, which it does not use"},
		{"client_secret_env: A\ntoken_endpoint_auth_method: private_key_jwt", "has token_endpoint_auth_method private_key_jwt and no client_key_file"},
		{"token_endpoint_auth_method: client_secret_post", "has token_endpoint_auth_method client_secret_post and no client secret"},
		{"token_endpoint_auth_method: private_key_jwt", "has token_endpoint_auth_method private_key_jwt and no client_key_file"},
		{"token_endpoint_auth_method: self_signed_tls_client_auth", "has token_endpoint_auth_method self_signed_tls_client_auth and no client_certificate_file"},
		{"token_endpoint_auth_method: tls_client_auth\nclient_certificate_file: a\nclient_certificate_key_file: b\nclient_key_file: c", "has token_endpoint_auth_method tls_client_auth and client_key_file, which it does not use"},
		{"client_certificate_file: a", "has client_certificate_file and no client_certificate_key_file"},
		{"client_certificate_key_file: a", "has client_certificate_key_file and no client_certificate_file"},
		{"client_key_file: a\nclient_secret_env: A", "has both client_key_file and client_secret_env"},
		{"client_key_id: a", "has client_key_id and no client_key_file"},
		{"token_endpoint_auth_signing_alg: ES256", "has token_endpoint_auth_signing_alg and no client_key_file"},
		{"client_assertion_audience: a", "has client_assertion_audience and no client_key_file"},
		{"grant: client_credentials", "has grant client_credentials and nothing to prove with which client it is"},
		{"grant: client_credentials\nsubject_token_env: A\nclient_secret_env: B", "has both subject_token_env and client_secret_env to prove with which client it is"},
		{"grant: client_credentials\nsubject_token_github: true\nclient_key_file: a", "has both subject_token_github and client_key_file to prove with which client it is"},
		{"grant: jwt-bearer\nsubject_token_env: A\ntoken_endpoint_auth_method: private_key_jwt", "has token_endpoint_auth_method private_key_jwt and no client_key_file"},
		{"grant: jwt-bearer", "has grant jwt-bearer and no subject token to begin with"},
		{"grant: token-exchange\nsubject_token_github: false", "has grant token-exchange and no subject token to begin with"},
		{"grant: token-exchange\nsubject_token_github: true\nsubject_token_file: a", "has both subject_token_file and subject_token_github"},
		{"grant: jwt-bearer\nsubject_token_env: A\nsubject_token_command: b", "has both subject_token_env and subject_token_command"},
		{"subject_token_env: A", "has grant authorization_code and subject_token_env, which it does not use"},
		{"grant: device_code\nsubject_token_github: true", "has grant device_code and subject_token_github, which it does not use"},
		{"grant: jwt-bearer\nsubject_token_env: A\nsubject_token_type: jwt", "has grant jwt-bearer and subject_token_type, which it does not use"},
		{"requested_token_type: jwt", "has grant authorization_code and requested_token_type, which it does not use"},
		{"grant: jwt-bearer\nsubject_token_env: A\nsubject_token_audience: b", "has subject_token_audience, which only subject_token_github takes"},
	} {
		_, err := resolved(t, strings.Split(test.lines, "\n")...)
		if err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), "profile work "+test.want) || hintOf(err) == "" {
			t.Errorf("%q: error %v, want it to have %q, and a hint", test.lines, err, test.want)
		}
	}
}

func TestGoodCombinations(t *testing.T) {
	for _, lines := range []string{
		"",
		"client_secret_keychain: true\ntoken_endpoint_auth_method: client_secret_post",
		"client_secret_env: A\nclient_secret_keychain: false",
		"client_secret_env: A\nclient_certificate_file: a\nclient_certificate_key_file: a",
		"client_key_file: a\nclient_key_id: b\ntoken_endpoint_auth_signing_alg: PS256\nclient_assertion_audience: token_endpoint\ntoken_endpoint_auth_method: private_key_jwt",
		"grant: device_code\nclient_secret_env: A",
		"grant: client_credentials\nclient_key_file: a",
		"grant: client_credentials\nsubject_token_file: a\ntoken_endpoint_auth_method: private_key_jwt",
		"grant: client_credentials\nclient_certificate_file: a\nclient_certificate_key_file: b\ntoken_endpoint_auth_method: tls_client_auth",
		"grant: jwt-bearer\nsubject_token_env: A",
		"grant: token-exchange\nsubject_token_github: true\nsubject_token_audience: a\nsubject_token_type: id_token\nrequested_token_type: urn:example:type",
	} {
		if _, err := resolved(t, strings.Split(lines, "\n")...); err != nil {
			t.Errorf("%q: %v", lines, err)
		}
	}
}

// The default scopes are what a person's sign-in needs.
func TestScopesOfGrants(t *testing.T) {
	for grant, want := range map[string]string{
		"authorization_code": "openid profile email offline_access", "device_code": "openid profile email offline_access",
		"client_credentials\nclient_secret_env: A": "", "jwt-bearer\nsubject_token_env: A": "", "token-exchange\nsubject_token_env: A": "",
		"client_credentials\nclient_secret_env: A\nscopes: [api]": "api",
	} {
		p, err := resolved(t, strings.Split("grant: "+grant, "\n")...)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(p.list("scopes"), " "); got != want {
			t.Errorf("%s: scopes %q, want %q", grant, got, want)
		}
	}
}

func TestAuthParamFlag(t *testing.T) {
	c, err := parseText(t, "profiles:\n  work:\n    auth_params: {prompt: login, AcrValues: High}\n")
	if err != nil {
		t.Fatal(err)
	}
	resolve := func(args ...string) (*profile, error) {
		flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
		addProviderFlags(flags)
		if err := flags.Parse(args); err != nil {
			t.Fatal(err)
		}
		return c.resolve("work", flags, func(string) string { return "" })
	}
	p, err := resolve("--auth-param", "prompt=consent", "--auth-param", "claims={\"a\": 1, \"b\": 2}", "--auth-param", "empty=")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"prompt": "consent", "AcrValues": "High", "claims": `{"a": 1, "b": 2}`, "empty": ""} {
		if got, ok := p.authParams[name]; !ok || got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if p, err = resolve(); err != nil || p.authParams["prompt"] != "login" {
		t.Errorf("the file's own parameters were changed: %v, %v", p.authParams, err)
	}
	for _, pair := range []string{"prompt", "=x", "", "state=x", "code_challenge_method=plain"} {
		if _, err := resolve("--auth-param", pair); exitCode(err) != exitUsage || !strings.Contains(err.Error(), "--auth-param") {
			t.Errorf("%q: %v", pair, err)
		}
	}
}

func TestFirstLineLeavesTheRest(t *testing.T) {
	in := strings.NewReader("secret\r\nhttp://127.0.0.1/callback?code=x\n")
	if got, err := firstLine(in); err != nil || got != "secret" {
		t.Errorf("%q, %v", got, err)
	}
	if in.Len() != len("http://127.0.0.1/callback?code=x\n") {
		t.Errorf("%d bytes are left", in.Len())
	}
	if got, err := firstLine(strings.NewReader("no end")); err != nil || got != "no end" {
		t.Errorf("%q, %v", got, err)
	}
	for _, text := range []string{"", "\n", "\r\n", strings.Repeat("x", maxSecretLine+1)} {
		if got, err := firstLine(strings.NewReader(text)); err == nil {
			t.Errorf("%.10q gives %.10q", text, got)
		}
	}
}

func FuzzClaims(f *testing.F) {
	f.Add("eyJhbGciOiJub25lIn0.eyJpc3MiOiJhIiwiYXVkIjpbImIiXSwiZXhwIjoxfQ.c2ln")
	f.Add("a.e30.b")
	f.Fuzz(func(t *testing.T, token string) {
		claims, ok := claimsOf(oidcflow.NewSecret(token))
		if ok && strings.ContainsAny(claims.Issuer+claims.Subject+strings.Join(claims.Audience, ""), "\x1b\n\r") {
			t.Errorf("%q gives %+v", token, claims)
		}
	})
}
