package cmd

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

func parseText(t testing.TB, text string) (*configFile, error) {
	t.Helper()
	c := &configFile{path: "config.yaml", profiles: map[string]values{}}
	return c, c.parse([]byte(text))
}

const fullConfig = `
# the company's
default_profile: work
profiles:
  work:
    issuer: https://id.example.com
    client_id: cli
    client_secret_env: WORK_SECRET
    scopes: [openid, offline_access]
    audience: https://api.example.com
    resources: [https://api.example.com/v1]
    auth_params: {prompt: login, AcrValues: High}
    redirect: http://127.0.0.1:8400/cb
    hosts: [git.example.com, "*.example.com", "git.example.com:8443"]
    token: id
    interactive: auto
    username: oauth2
    ca_file: ""
    refresh_before: 20%
    timeout: 5s
    store: file
    offline:
      enabled: true
      max_duration: 14d
      on_limit: deny
      warn_after: 12h
      retry: {initial: 10s, factor: 1.5, max: 2m, jitter: 0%}
      repeat_failure_threshold: 5
  Home:
    issuer: https://home.example.org
    client_id: cli
`

func TestFullConfig(t *testing.T) {
	c, err := parseText(t, fullConfig)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(c.names, " ") != "work Home" || c.defaultProfile != "work" {
		t.Errorf("profiles %v, default %q", c.names, c.defaultProfile)
	}
	p, err := c.resolve("work", nil, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	want := offline.Policy{
		Enabled: true, MaxDuration: 14 * 24 * time.Hour, OnLimit: offline.DenyOnLimit, WarnAfter: 12 * time.Hour,
		Retry:                  offline.Retry{Initial: 10 * time.Second, Factor: 1.5, Max: 2 * time.Minute},
		RepeatFailureThreshold: 5, RefreshBeforeFraction: 0.2,
	}
	if got := *p.policy(); got != want {
		t.Errorf("policy %+v, expected %+v", got, want)
	}
	if p.authParams["AcrValues"] != "High" {
		t.Errorf("auth_params lost their case: %v", p.authParams)
	}
	if got := p.text("redirect"); got != "http://127.0.0.1:8400/cb" {
		t.Errorf("redirect %q", got)
	}
}

// TestDefaultsAreThePackages holds the two places together that have defaults.
func TestDefaultsAreThePackages(t *testing.T) {
	c, err := parseText(t, "profiles:\n  a:\n    issuer: https://a.example\n    client_id: x\n")
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.resolve("a", nil, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	if got, want := *p.policy(), offline.DefaultPolicy(); got != want {
		t.Errorf("policy %+v, expected %+v", got, want)
	}
}

func TestWrongConfig(t *testing.T) {
	profile := func(line string) string {
		return "profiles:\n  work:\n    issuer: https://id.example.com\n    client_id: cli\n    " + line + "\n"
	}
	for name, test := range map[string]struct{ text, want string }{
		"unknown key":          {profile("refresh_befor: 1m"), "config.yaml:5: profiles.work.refresh_befor: unknown key; did you mean refresh_before?"},
		"unknown nested key":   {profile("offline: {enable: true}"), "profiles.work.offline.enable: unknown key; did you mean offline.enabled?"},
		"unknown top key":      {"profile: {}\n", "profile: unknown key; expected default_profile or profiles"},
		"secret in clear":      {profile("client_secret: hunter2"), "a client secret never stands in this file"},
		"http issuer":          {"profiles:\n  work:\n    issuer: http://id.example.com\n", `config.yaml:3: profiles.work.issuer: expected an https:// URL (http:// only on this machine's loopback), not "http://id.example.com"`},
		"issuer with query":    {"profiles:\n  work:\n    issuer: https://id.example.com?x=1\n", "without query or fragment"},
		"duration":             {profile("timeout: soon"), `expected a duration such as 30s, 10m, 8h or 7d, not "soon"`},
		"no duration":          {profile("timeout: 0s"), "expected a duration"},
		"negative duration":    {profile("refresh_before: -1m"), "expected a duration such as 1m or a percentage"},
		"bool":                 {profile("offline: {enabled: maybe}"), "expected true or false"},
		"enum":                 {profile("store: vault"), "expected one of"},
		"list for text":        {profile("audience: [a]"), "expected a single value"},
		"text for list":        {profile("scopes: openid"), "expected a list"},
		"text for section":     {profile("offline: true"), "expected keys below it"},
		"redirect elsewhere":   {profile("redirect: http://example.com/cb"), "expected a loopback URL"},
		"host with scheme":     {profile("hosts: [\"https://git.example.com\"]"), "expected a host"},
		"reserved parameter":   {profile("auth_params: {state: x}"), "config.yaml:5: profiles.work.auth_params.state: the sign-in itself needs this parameter"},
		"twice":                {profile("client_id: other"), "the key stands here twice"},
		"not YAML":             {"profiles: [\n", "config.yaml: "},
		"two documents":        {"profiles: {}\n---\nprofiles: {}\n", "more than one document"},
		"a list":               {"- a\n", "expected the keys default_profile and profiles"},
		"profile name":         {"profiles:\n  \"a b\": {}\n", "expected a name of"},
		"alias bomb is a text": {"profiles:\n  work:\n    scopes: [[a]]\n", "expected a list of texts"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseText(t, test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, expected it to have %q", err, test.want)
			}
			if exitCode(err) != exitUsage {
				t.Errorf("exit code %d, expected %d", exitCode(err), exitUsage)
			}
		})
	}
}

// TestFilesBesideTheConfig: git and cron call from any folder.
func TestFilesBesideTheConfig(t *testing.T) {
	t.Setenv("HOME", "/home/ada")
	c := &configFile{path: filepath.Join("/etc", "oidc-cred", "config.yaml")}
	for path, want := range map[string]string{"ca.pem": "/etc/oidc-cred/ca.pem", "/tls/ca.pem": "/tls/ca.pem", "~/ca.pem": "/home/ada/ca.pem"} {
		if got := filepath.ToSlash(c.resolvePath(path)); got != want && runtime.GOOS != "windows" {
			t.Errorf("%s is %s, expected %s", path, got, want)
		}
	}
}

func TestEmptyConfigs(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "null\n", "profiles:\n", "profiles: {}\n", "profiles:\n  work:\n"} {
		if _, err := parseText(t, text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestPrecedence(t *testing.T) {
	c, err := parseText(t, fullConfig)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"OIDC_CRED_TIMEOUT": "7s", "OIDC_CRED_SCOPES": "openid,email", "OIDC_CRED_AUDIENCE": "from-env"}
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	flags.String("audience", "", "")
	flags.StringSlice("scope", nil, "")
	if err := flags.Parse([]string{"--audience", "from-flag"}); err != nil {
		t.Fatal(err)
	}
	p, err := c.resolve("work", flags, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"timeout": "7s", "audience": "from-flag", "store": "file", "username": "oauth2"} {
		if got := p.text(key); got != want {
			t.Errorf("%s is %q, expected %q", key, got, want)
		}
	}
	if got := strings.Join(p.list("scopes"), " "); got != "openid email" {
		t.Errorf("scopes are %q", got)
	}
	env["OIDC_CRED_TIMEOUT"] = "never"
	if _, err = c.resolve("work", flags, func(name string) string { return env[name] }); exitCode(err) != exitUsage || !strings.Contains(err.Error(), "$OIDC_CRED_TIMEOUT") {
		t.Errorf("a wrong variable gives %v", err)
	}
}

func TestChooseProfile(t *testing.T) {
	many := "profiles:\n  a: {}\n  b: {}\n"
	for name, test := range map[string]struct{ text, flag, env, want string }{
		"flag wins":        {"default_profile: a\n" + many, "b", "a", "b"},
		"then environment": {"default_profile: a\n" + many, "", "b", "b"},
		"then default":     {"default_profile: b\n" + many, "", "", "b"},
		"the only one":     {"profiles:\n  solo: {}\n", "", "", "solo"},
		"none of several":  {many, "", "", ""},
		"the one so named": {many + "  default: {}\n", "", "", "default"},
		"none":             {"", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := parseText(t, test.text)
			if err != nil {
				t.Fatal(err)
			}
			a := &app{config: c, profileFlag: test.flag, getenv: func(name string) string {
				if name == "OIDC_CRED_PROFILE" {
					return test.env
				}
				return ""
			}}
			got, err := a.chooseProfile()
			if err != nil || got.name != test.want {
				t.Errorf("%q, %v, expected %q", got.name, err, test.want)
			}
		})
	}
}

func TestSaveProfileKeepsTheRest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "config.yaml")
	if err := saveProfile(path, "work", map[string]any{"issuer": "https://id.example.com", "client_id": "cli", "scopes": []string{"openid"}, "offline.enabled": "true"}); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := "default_profile: work\nprofiles:\n  work:\n    issuer: https://id.example.com\n    client_id: cli\n    scopes: [openid]\n    offline:\n      enabled: true\n"
	if string(first) != want {
		t.Errorf("the file is\n%s, expected\n%s", first, want)
	}
	edited := strings.Replace(string(first), "    client_id", "    # given by the admins\n    client_id", 1) + "  other:\n    issuer: https://b.example # theirs\n"
	if err := os.WriteFile(path, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := saveProfile(path, "work", map[string]any{"client_id": "new"}); err != nil {
		t.Fatal(err)
	}
	after, _ := os.ReadFile(path)
	for _, want := range []string{"# given by the admins", "# theirs", "client_id: new", "issuer: https://b.example"} {
		if !strings.Contains(string(after), want) {
			t.Errorf("%q is gone from\n%s", want, after)
		}
	}
	if err := removeProfile(path, "work"); err != nil {
		t.Fatal(err)
	}
	c, err := readConfig(path)
	if err != nil || strings.Join(c.names, " ") != "other" || c.defaultProfile != "" {
		t.Errorf("after the removal %+v, %v", c, err)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{"7d": 168 * time.Hour, "1d12h": 36 * time.Hour, "90s": 90 * time.Second, "0s": 0, "1.5h": 90 * time.Minute, "0.5d": 12 * time.Hour} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%q is %v, %v, expected %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "-1d", "1", "-5s", "1d-5h", "1w", "9999999d", "NaNd", "infd", "1d 2h x", "1h1d"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q is %v, expected an error", text, got)
		}
	}
}

func TestShellQuote(t *testing.T) {
	if got := shellQuote(`a'b $(c)`); got != `'a'\''b $(c)'` {
		t.Error(got)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(fullConfig)
	f.Add("profiles: {a: &x {issuer: https://a}, b: *x}")
	f.Add("profiles: {? [a] : b}")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseText(t, text)
		if err != nil {
			if exitCode(err) != exitUsage {
				t.Errorf("exit code %d for %v", exitCode(err), err)
			}
			return
		}
		for _, name := range c.names {
			if _, err := c.resolve(name, nil, func(string) string { return "" }); err != nil && exitCode(err) != exitUsage {
				t.Error(err)
			}
		}
	})
}

func FuzzDuration(f *testing.F) {
	f.Add("7d")
	f.Add("1d12h")
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := parseDuration(text); err == nil && d < 0 {
			t.Errorf("%q is %v", text, d)
		}
	})
}
