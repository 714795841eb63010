// Command bench measures whole processes: oidc-cred against a program that
// only prints a line, in turn, in one run. 'make bench' runs it and writes the
// table of docs/performance.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

func main() {
	runs := flag.Int("n", 200, "counted runs of each command")
	out := flag.String("out", "", "write the table to this file too")
	inside := flag.Bool("inside", false, "the Secret Service part, run inside a session bus")
	only := flag.String("only", "", "nothing but this part: helpers")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := &bench{ctx: ctx, runs: *runs, only: *only}
	if err := b.run(*inside, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run of everything.
type bench struct {
	ctx  context.Context //nolint:containedctx // the program's own
	runs int

	dir      string
	hello    string
	binary   string
	provider *oidctest.Provider
	rows     []row
	notes    []string

	helperRows []row
	only       string
}

// row is one line of the table.
type row struct {
	what    string
	base    time.Duration // the hello world's median beside it
	median  time.Duration
	low     time.Duration
	limit   string
	reached string
}

func (b *bench) run(inside bool, out string) (err error) {
	if b.dir, err = os.MkdirTemp("", "oidc-cred-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir) //nolint:errcheck // a temporary folder
	if err := b.build(inside); err != nil {
		return err
	}
	if b.provider, err = oidctest.Start(oidctest.Options{Settings: oidctest.Settings{
		Lifetime: time.Hour, JWTAccessTokens: true, TokenPadding: 1200,
	}}); err != nil {
		return err
	}
	defer b.provider.Close()
	if inside {
		return b.secretService()
	}
	steps := []func() error{b.stores, b.withSecretService, b.backoff, b.parallel, b.outage, b.sizes, b.network, b.helpers}
	if b.only == "helpers" {
		steps = []func() error{b.helpers}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	var text strings.Builder
	b.write(&text)
	fmt.Print(text.String())
	if out == "" {
		return nil
	}
	return replaceTable(out, text.String())
}

// build makes the two programs, as a release is built.
func (b *bench) build(inside bool) error {
	if inside {
		b.hello, b.binary = os.Getenv("BENCH_HELLO"), os.Getenv("BENCH_BINARY")
		return nil
	}
	source := filepath.Join(b.dir, "hello")
	if err := os.Mkdir(source, 0o700); err != nil {
		return err
	}
	// With an argument it becomes that program, for the row of 'exec'.
	const hello = `package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	if len(os.Args) > 1 {
		panic(syscall.Exec(os.Args[1], os.Args[1:], os.Environ()))
	}
	fmt.Println("hello")
}
`
	if err := os.WriteFile(filepath.Join(source, "main.go"), []byte(hello), 0o600); err != nil {
		return err
	}
	b.hello, b.binary = filepath.Join(b.dir, "hello.bin"), filepath.Join(b.dir, "oidc-cred")
	for target, pkg := range map[string]string{b.hello: filepath.Join(source, "main.go"), b.binary: "."} {
		build := exec.CommandContext(b.ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", target, pkg) //nolint:gosec // fixed
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("build %s: %w", pkg, err)
		}
	}
	return nil
}

// home makes a signed-in home with its own store.
func (b *bench) home(store string, more ...string) (*program, error) {
	home := filepath.Join(b.dir, "home-"+store+fmt.Sprint(len(more)))
	p := &program{path: b.binary, env: append(cleanEnv(),
		"OIDC_CRED_HOME="+home, "OIDC_CRED_STORE="+store,
		"OIDC_CRED_PASSPHRASE="+strings.Repeat("0123456789abcdef", 3), "BROWSER="+b.browser())}
	args := append([]string{"login", "--issuer", b.provider.Issuer(), "--client-id", "oidc-cred"}, more...)
	login := exec.CommandContext(b.ctx, p.path, args...) //nolint:gosec // our own binary
	login.Env = p.env
	if output, err := login.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("sign in with store %s: %w: %s", store, err, output)
	}
	return p, nil
}

// browser is a command that follows a sign-in.
func (b *bench) browser() string {
	script := filepath.Join(b.dir, "browser.sh")
	_ = os.WriteFile(script, []byte("#!/bin/sh\nexec curl -sL -o /dev/null \"$1\"\n"), 0o700) //nolint:gosec // a script of our own
	return script
}

// cleanEnv is the environment without what would steer the program.
func cleanEnv() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "OIDC_CRED_") && !strings.HasPrefix(e, "BROWSER=") {
			env = append(env, e)
		}
	}
	return env
}

func (b *bench) write(w io.Writer) {
	fmt.Fprintf(w, "Measured on %s with %s, %d processors, %d runs of each command in turn with the hello world.\n\n",
		time.Now().Format("2006-01-02"), runtime.Version(), runtime.NumCPU(), b.runs)
	fmt.Fprintln(w, "| what | hello world, median | oidc-cred, median | fastest | ratio of medians | wanted | reached |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|")
	for _, r := range b.rows {
		fmt.Fprintln(w, r)
	}
	fmt.Fprintln(w)
	b.writeHelpers(w)
	for _, n := range b.notes {
		fmt.Fprintln(w, "- "+n)
	}
}

// String is the row as a line of the table.
func (r row) String() string {
	ratio, base, low := "–", "–", "–"
	if r.base > 0 {
		ratio, base = fmt.Sprintf("%.2f", float64(r.median)/float64(r.base)), ms(r.base)
	}
	if r.low > 0 {
		low = ms(r.low)
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s |", r.what, base, ms(r.median), low, ratio, r.limit, r.reached)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/1e6) }

func yes(ok bool) string {
	if ok {
		return "yes"
	}
	return "no"
}

const tableBegin, tableEnd = "<!-- bench:begin -->\n", "<!-- bench:end -->\n"

// replaceTable puts the table between its marks in the page.
func replaceTable(path, table string) error {
	data, err := os.ReadFile(path) //nolint:gosec // the page named by the caller
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(data), tableBegin)
	_, after, foundEnd := strings.Cut(rest, tableEnd)
	if !found || !foundEnd {
		return fmt.Errorf("%s has no marks for the table", path)
	}
	return os.WriteFile(path, []byte(before+tableBegin+"\n"+table+"\n"+tableEnd+after), 0o644) //nolint:gosec // a page of the docs
}
