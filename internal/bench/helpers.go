package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// helperCall is one call that a tool makes.
type helperCall struct {
	what  string
	args  []string
	env   []string
	stdin string
	// answer is a text that has to be in what it prints.
	answer string
	// becomes: the call ends as a hello world in its place, and is measured
	// against token and what that costs a program that does nothing else.
	becomes bool
}

// helpers measures a warm call of each helper against a warm `token`. All of
// them run in turn, each round begins with another one, and `token` is among
// them.
func (b *bench) helpers() error {
	exchanges := &traders{}
	server := httptest.NewServer(exchanges)
	defer server.Close()
	p, err := b.helperHome(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		return err
	}
	calls := append([]helperCall{{what: "`token`", args: []string{"token"}}}, helperCalls(server.URL, b.hello)...)
	runs := make([]program, len(calls))
	for i, c := range calls {
		if runs[i], err = b.prepare(p, i, c); err != nil {
			return err
		}
	}
	asked := exchanges.count.Load()
	took := make([][]time.Duration, len(calls))
	var base, becoming []time.Duration
	hello := program{path: b.hello, env: p.env}
	for round := range b.runs + 5 {
		h, err := hello.once(0)
		if err != nil {
			return err
		}
		then, err := hello.once(0, b.hello)
		if err != nil {
			return err
		}
		for step := range calls {
			if b.ctx.Err() != nil {
				return b.ctx.Err()
			}
			i := (round + step) % len(calls)
			d, err := runs[i].once(0, calls[i].args...)
			if err != nil {
				return err
			}
			if round >= 5 { // as in paired
				took[i] = append(took[i], d)
			}
		}
		if round >= 5 {
			base, becoming = append(base, h), append(becoming, then)
		}
	}
	if n := exchanges.count.Load() - asked; n > 0 {
		return fmt.Errorf("a kept credential was asked for anew %d times", n)
	}
	token := median(took[0])
	for i, c := range calls[1:] {
		r := row{what: c.what, base: token, median: median(took[i+1]), low: slices.Min(took[i+1]), limit: "at most 1.1 ×"}
		if c.becomes {
			r.base += median(becoming) - median(base)
		}
		r.reached = yes(float64(r.median) <= 1.1*float64(r.base))
		b.helperRows = append(b.helperRows, r)
	}
	return nil
}

// helperCalls are the calls as the tools make them. Names are as good as
// another: nobody is asked for them.
func helperCalls(server, hello string) []helperCall {
	address := "https://example.com"
	plain := func(what, stdin string, args ...string) helperCall {
		return helperCall{what: what, stdin: stdin, args: append([]string{"helper"}, args...), answer: "eyJ"}
	}
	cargo := `{"v":1,"kind":"get","operation":"read","registry":{"index-url":"sparse+` + address + `/index/"},"args":[]}` + "\n"
	git := "capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=example.com\nwwwauth[]=Basic realm=\"git\"\n\n"
	cluster := `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":true}}`
	kubectl := plain("`kubectl`", "", "kubectl")
	kubectl.env = []string{"KUBERNETES_EXEC_INFO=" + cluster}
	gcp := plain("`gcp`", "", "gcp")
	gcp.env = []string{"GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE=urn:ietf:params:oauth:token-type:id_token"}
	aws := plain("`aws`, credentials kept", "", "aws", "--role-arn", "arn:aws:iam::123456789012:role/bench", "--endpoint-url", server)
	aws.answer = "AKIABENCH"
	vault := plain("`vault get`, token kept", "", "vault", "get")
	vault.env, vault.answer = []string{"VAULT_ADDR=" + server}, "hvs.bench"
	return []helperCall{
		plain("`git get`", git, "git", "get"),
		kubectl,
		plain("`docker get`", "example.com", "docker", "get"),
		plain("`cargo` get", cargo, "cargo", "--cargo-plugin"),
		plain("`go`", "", "go"),
		plain("`go URL`, after a 404", "HTTP/1.1 404 Not Found\r\n\r\n", "go", address+"/module"),
		plain("`terraform get`", "", "terraform", "get", "example.com"),
		plain("`bazel get`", `{"uri":"`+address+`/cache"}`, "bazel", "get"),
		plain("`keyring get`", "", "keyring", "get", address+"/simple/", "oauth2"),
		plain("`pnpm`", "", "pnpm"),
		gcp, aws, vault,
		{
			what: "`exec`, against `token` and an exec of a hello world", args: []string{"exec", "--env", "TOKEN", "--", hello},
			answer: "hello", becomes: true,
		},
	}
}

// helperHome is a signed-in home whose profile has the hosts of the calls.
func (b *bench) helperHome(local string) (*program, error) {
	home := filepath.Join(b.dir, "home-helpers")
	files := map[string]string{
		"config.yaml": "profiles:\n  work:\n    issuer: " + b.provider.Issuer() + "\n    client_id: oidc-cred\n    store: file\n" +
			"    hosts: [example.com, \"*.corp.example\", \"" + local + "\"]\n    vault_role: bench\n",
		".npmrc": "//example.com/:tokenHelper=/usr/local/bin/oidc-cred-pnpm\n",
	}
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	env := slices.DeleteFunc(cleanEnv(), func(e string) bool {
		for _, name := range []string{"HOME=", "XDG_CONFIG_HOME=", "AWS_", "VAULT_", "BAO_", "GOOGLE_", "npm_config_", "NPM_CONFIG_"} {
			if strings.HasPrefix(e, name) {
				return true
			}
		}
		return false
	})
	p := &program{path: b.binary, env: append(env, "HOME="+home, "OIDC_CRED_HOME="+home,
		"OIDC_CRED_PASSPHRASE="+strings.Repeat("0123456789abcdef", 3), "BROWSER="+b.browser())}
	if output, err := b.output(p.env, p.path, "login"); err != nil {
		return nil, fmt.Errorf("sign in for the helpers: %w: %s", err, output)
	}
	return p, nil
}

// prepare is the program as the call needs it, after a first call that has to
// give the answer.
func (b *bench) prepare(p *program, i int, c helperCall) (program, error) {
	run := program{path: p.path, env: append(slices.Clone(p.env), c.env...)}
	if c.stdin != "" {
		run.stdin = filepath.Join(b.dir, fmt.Sprintf("stdin-%d", i))
		if err := os.WriteFile(run.stdin, []byte(c.stdin), 0o600); err != nil {
			return run, err
		}
	}
	first := exec.CommandContext(b.ctx, run.path, c.args...) //nolint:gosec // our own binary
	first.Env, first.Stdin = run.env, strings.NewReader(c.stdin)
	var out, errs bytes.Buffer
	first.Stdout, first.Stderr = &out, &errs
	if err := first.Run(); err != nil || !strings.Contains(out.String(), c.answer) {
		return run, fmt.Errorf("%v: no answer with %q: %w: %s", c.args, c.answer, err, errs.String())
	}
	return run, nil
}

// traders are an STS and a Vault that grant everything.
type traders struct{ count atomic.Int64 }

// ServeHTTP implements http.Handler.
func (t *traders) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.count.Add(1)
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		_, _ = io.WriteString(w, `{"auth":{"client_token":"hvs.bench`+strings.Repeat("x", 80)+`","lease_duration":36000}}`)
		return
	}
	_, _ = fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>`+
		`<AccessKeyId>AKIABENCH</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration>`+
		`</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
		strings.Repeat("s", 40), strings.Repeat("t", 900), time.Now().Add(10*time.Hour).UTC().Format(time.RFC3339))
}

// writeHelpers is the second table.
func (b *bench) writeHelpers(w io.Writer) {
	if len(b.helperRows) == 0 {
		return
	}
	fmt.Fprintln(w, "Each helper's warm call (`oidc-cred helper …`), in turn with `token`, key in file:")
	fmt.Fprintln(w)
	fmt.Fprintln(w, "| helper | `token`, median | helper, median | fastest | ratio of medians | wanted | reached |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|")
	for _, r := range b.helperRows {
		fmt.Fprintln(w, r)
	}
	fmt.Fprintln(w)
}
