package cmd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCargoPlugin: cargo calls whatever program is configured with
// --cargo-plugin alone and hands it the other arguments in each request.
func TestCargoPlugin(t *testing.T) {
	home := t.TempDir()
	t.Setenv("OIDC_CRED_HOME", home)
	t.Setenv("OIDC_CRED_STORE", "file")
	t.Setenv("OIDC_CRED_PASSPHRASE", "a passphrase long enough to count as a random key")
	config := "profiles:\n  work: {issuer: https://id.example.com, client_id: c, hosts: [crates.example.com]}\n  home: {issuer: https://id.example.com, client_id: c, hosts: [other.example.com]}\n"
	for name, text := range map[string]string{"config.yaml": config, "elsewhere.yaml": strings.ReplaceAll(config, "work", "office")} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const unsupported = `{"Err":{"kind":"url-not-supported"}}`
	for _, tt := range []struct{ name, called, args, want string }{
		{"no arguments", "/usr/bin/oidc-cred", ``, "profile work is not signed in"},
		{"as setup writes it", "/usr/bin/oidc-cred", `"helper","cargo","--profile","work"`, "profile work is not signed in"},
		{"flags first", "/usr/bin/oidc-cred", `"-p","work","helper","cargo"`, "profile work is not signed in"},
		{"another profile", "/usr/bin/oidc-cred", `"helper","cargo","--profile","home"`, unsupported},
		{"no such profile", "/usr/bin/oidc-cred", `"helper","cargo","--profile","none"`, "none"},
		{"another file", "/usr/bin/oidc-cred", `"--config","` + filepath.ToSlash(home) + `/elsewhere.yaml"`, "profile office is not signed in"},
		{"by name", "cargo-credential-oidc-cred", `"--profile","work"`, "profile work is not signed in"},
		{"by name with a profile", "cargo-credential-oidc-cred@home", ``, unsupported},
		{"another command", "/usr/bin/oidc-cred", `"token"`, `the argument \"token\"`},
		{"an unknown flag", "/usr/bin/oidc-cred", `"--force"`, "unknown flag: --force"},
		{"help", "/usr/bin/oidc-cred", `"--help"`, `{"Err":`},
		{"both", "/usr/bin/oidc-cred", `"--offline","--no-offline"`, "don't go together"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := `{"v":1,"kind":"get","operation":"read","registry":{"index-url":"sparse+https://crates.example.com/index/"},"args":[` + tt.args + "]}\n"
			var out, errs bytes.Buffer
			code := Execute(Version{}, []string{tt.called, "--cargo-plugin"}, Streams{In: strings.NewReader(in), Out: &out, Err: &errs})
			rest, hello := strings.CutPrefix(out.String(), "{\"v\":[1]}\n")
			if code != 0 || !hello || strings.Count(rest, "\n") != 1 || !strings.Contains(rest, tt.want) || errs.Len() > 0 {
				t.Errorf("exit %d, stdout %q, stderr %q", code, out.String(), errs.String())
			}
		})
	}
	t.Run("a person", func(t *testing.T) {
		var out, errs bytes.Buffer
		if code := Execute(Version{}, []string{"oidc-cred", "helper", "cargo"}, Streams{In: strings.NewReader(""), Out: &out, Err: &errs}); code != 2 || out.Len() > 0 {
			t.Errorf("exit %d, stdout %q, stderr %q", code, out.String(), errs.String())
		}
	})
}
