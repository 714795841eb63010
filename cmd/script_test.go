package cmd_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/oidc-cred/oidc-cred/internal/e2e"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// The stories in testdata/script read like documentation: what a person types
// and what comes of it. They run the real program.

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"browser": browser, "forger": forger, "person": person})
}

// browser is $BROWSER: it follows the redirects of a sign-in.
func browser() {
	if err := visit(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// forger is a browser in which another page tries its luck at the loopback
// address first.
func forger() {
	address, err := url.Parse(os.Args[1])
	if err == nil {
		forged := address.Query().Get("redirect_uri") + "?code=forged&state=guessed"
		_ = visit(forged)
		err = visit(os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func visit(address string) error {
	client := &http.Client{Timeout: 20 * time.Second}
	answer, err := client.Get(address)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

func TestScripts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stories are for a Unix system; internal/wine tells one of Windows")
	}
	bin := t.TempDir()
	program, err := e2e.Build(bin)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			for name, value := range map[string]string{
				"HOME": home, "PATH": bin + string(os.PathListSeparator) + env.Getenv("PATH"), "PROGRAM": program,
				"BROWSER": "browser", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",
				"OIDC_CRED_STORE": "file", "OIDC_CRED_PASSPHRASE": "a-passphrase-as-a-machine-would-make-it",
				"GIT_CONFIG_GLOBAL": filepath.Join(home, ".gitconfig"), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
				"KUBECONFIG": filepath.Join(home, ".kube", "config"),
				"CONFIG":     filepath.Join(home, ".config", "oidc-cred", "config.yaml"),
			} {
				env.Setenv(name, value)
			}
			s := &scene{home: home, program: program, providers: map[string]*oidctest.Provider{}}
			env.Values[sceneKey{}] = s
			env.Defer(func() { s.end(env.T()) })
			return os.MkdirAll(home, 0o700)
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "root":
				return os.Getuid() == 0, nil
			case "ipv6":
				return haveIPv6(), nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"oidc-cred": runProgram, "code": checkCode, "provider": steer, "json": checkJSON,
			"mode": checkMode, "sleep": sleep, "called-as": calledAs, "make": makeFile,
			"registered": registered, "subject": subject, "github": github,
			"device": device, "end-sessions": endSessions,
		},
	})
}

// scene is what a script has going.
type scene struct {
	home, program string
	providers     map[string]*oidctest.Provider
	code          int
	seen          strings.Builder
}

type sceneKey struct{}

func of(ts *testscript.TestScript) *scene {
	s, ok := ts.Value(sceneKey{}).(*scene)
	if !ok {
		ts.Fatalf("there is no scene")
	}
	return s
}

// end looks for secrets in all that was printed or written, the tokens that
// were asked for excepted.
func (s *scene) end(t testscript.T) {
	var found []string
	for _, p := range s.providers {
		for _, secret := range append(p.Secrets(), "a-passphrase-as-a-machine-would-make-it") {
			if strings.Contains(s.seen.String(), secret) {
				found = append(found, fmt.Sprintf("a secret, %.8s…, on stderr or in the arguments", secret))
			}
			_ = filepath.WalkDir(s.home, func(path string, e fs.DirEntry, err error) error {
				if err == nil && e.Type().IsRegular() {
					if data, err := os.ReadFile(path); err == nil && strings.Contains(string(data), secret) {
						found = append(found, fmt.Sprintf("a secret, %.8s…, in %s", secret, path))
					}
				}
				return nil
			})
		}
		p.Close()
	}
	if len(found) > 0 {
		t.Fatal(strings.Join(found, "\n"))
	}
}

// runProgram: oidc-cred ARG... With "!" in front it must fail, with an empty
// stdout but for docker's helper, and "code N" says how.
func runProgram(ts *testscript.TestScript, neg bool, args []string) {
	run(ts, neg, of(ts).program, args)
}

func run(ts *testscript.TestScript, neg bool, program string, args []string) {
	s := of(ts)
	err := ts.Exec(program, args...)
	s.code = 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		s.code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	stdout, stderr := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	s.seen.WriteString(strings.Join(args, " ") + "\n" + stderr)
	if !slices.Contains(args, "token") && !slices.Contains(args, "helper") && program == s.program {
		s.seen.WriteString(stdout)
	}
	switch {
	case s.code != 0 && stdout != "" && !slices.Contains(args, "docker"): // whose protocol has errors on stdout
		ts.Fatalf("exit code %d, and stdout is not empty: %q", s.code, stdout)
	case s.code >= 2 && s.code <= 5 && !slices.Contains(args, "--check") && !slices.Contains(args, "doctor") &&
		(!strings.Contains(stderr, "oidc-cred: error: ") || !strings.Contains(stderr, "\noidc-cred: hint: ")):
		ts.Fatalf("exit code %d without an error and a hint:\n%s", s.code, stderr)
	case neg && s.code == 0:
		ts.Fatalf("unexpected success")
	case !neg && s.code != 0:
		ts.Fatalf("exit code %d\n%s", s.code, stderr)
	}
}

// calledAs: called-as NAME ARG... calls the program by another name.
func calledAs(ts *testscript.TestScript, neg bool, args []string) {
	link := ts.MkAbs(args[0])
	if _, err := os.Lstat(link); err != nil {
		ts.Check(os.Symlink(of(ts).program, link))
	}
	run(ts, neg, link, args[1:])
}

// checkCode: code N is the exit code of the last oidc-cred.
func checkCode(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := of(ts).code; got != want {
		ts.Fatalf("exit code %d, want %d\n%s", got, want, ts.ReadFile("stderr"))
	}
}

// steer: provider [NAME:]VERB [ARG...].
func steer(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	name, verb, named := strings.Cut(args[0], ":")
	if !named {
		name, verb = "", args[0]
	}
	args = args[1:]
	if verb == "start" {
		s.start(ts, name, args)
		return
	}
	p := s.providers[name]
	if p == nil {
		ts.Fatalf("there is no provider %q", name)
	}
	arg := func(i int) string {
		if i >= len(args) {
			ts.Fatalf("provider %s: too few arguments", verb)
		}
		return args[i]
	}
	switch verb {
	case "down":
		p.Down()
	case "up":
		p.Up()
	case "black-hole":
		p.BlackHole()
	case "heals":
		p.Clear()
		p.Release()
	case "lifetime":
		d, err := time.ParseDuration(arg(0))
		ts.Check(err)
		p.Lifetime(d)
	case "change":
		ts.Check(p.Do(oidctest.Control{Settings: json.RawMessage(arg(0))}))
	case "ends-sessions":
		p.RevokeAll()
	case "rotates-keys":
		p.RotateKeys(true)
	case "answers": // ENDPOINT STATUS [OAUTH-ERROR|html]
		p.Set(oidctest.Endpoint(arg(0)), answer(ts, args[1:]))
	case "forget-requests":
		p.ResetCounts()
	case "was-asked": // ENDPOINT TIMES
		want, err := strconv.Atoi(arg(1))
		ts.Check(err)
		if got := p.Count(oidctest.Endpoint(arg(0))); got != want {
			ts.Fatalf("the %s endpoint was asked %d times, want %d", arg(0), got, want)
		}
	case "knows": // FILE: the token in it is valid
		if !p.Active(strings.TrimSpace(ts.ReadFile(arg(0)))) {
			ts.Fatalf("the provider does not know the token in %s", arg(0))
		}
	case "disowns":
		if p.Active(strings.TrimSpace(ts.ReadFile(arg(0)))) {
			ts.Fatalf("the provider still knows the token in %s", arg(0))
		}
	default:
		ts.Fatalf("provider: unknown verb %q", verb)
	}
}

// start: provider start [SETTINGS] sets $ISSUER; provider NAME:start sets
// $NAME_ISSUER.
func (s *scene) start(ts *testscript.TestScript, name string, args []string) {
	p, err := oidctest.Start(oidctest.Options{})
	ts.Check(err)
	if len(args) > 0 {
		ts.Check(p.Do(oidctest.Control{Settings: json.RawMessage(args[0])}))
	}
	s.providers[name] = p
	variable := "ISSUER"
	if name != "" {
		variable = strings.ToUpper(name) + "_ISSUER"
	}
	ts.Setenv(variable, p.Issuer())
	ts.Setenv(strings.TrimSuffix(variable, "ISSUER")+"ADDR", p.Addr())
}

func answer(ts *testscript.TestScript, args []string) oidctest.Fault {
	status, err := strconv.Atoi(args[0])
	ts.Check(err)
	switch {
	case len(args) == 1:
		return oidctest.Status(status)
	case args[1] == "html":
		return oidctest.HTML(status)
	case strings.HasPrefix(args[1], "{"):
		return oidctest.Answer(status, "application/json", args[1])
	default:
		return oidctest.OAuthError(status, args[1], strings.Join(args[2:], " "))
	}
}

// checkJSON: json PATH [VALUE] looks into the JSON on stdout. "json a.0.b x"
// wants the text, number or word x there; "json a" wants something that is not
// null, "! json a" nothing or null.
func checkJSON(ts *testscript.TestScript, neg bool, args []string) {
	var v any
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &v); err != nil {
		ts.Fatalf("stdout is no JSON: %v", err)
	}
	for _, step := range strings.Split(args[0], ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(at) {
				v = nil
				break
			}
			v = at[i]
		default:
			v = nil
		}
	}
	got := fmt.Sprint(v)
	ok := v != nil
	if len(args) > 1 {
		ok = got == args[1]
	}
	if ok == neg {
		ts.Fatalf("%s is %s", args[0], got)
	}
}

// checkMode: mode 600 FILE.
func checkMode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

func sleep(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	time.Sleep(d)
}

// makeFile: make FILE SIZE|binary.
func makeFile(ts *testscript.TestScript, _ bool, args []string) {
	content := "\x00\x01\xff\xfe\x80profiles: {\x00}\n"
	if args[1] != "binary" {
		size, err := strconv.Atoi(args[1])
		ts.Check(err)
		content = strings.Repeat("# padding\n", size/10)
	}
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o700))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(content), 0o600))
}
