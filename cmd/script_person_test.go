package cmd_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// person is somebody at a terminal whose browser is elsewhere: person
// WHAT[,WHAT…] COMMAND ARG… opens the address that the command shows, and types
// what it is told to:
//
//	url, query, code   the answer, as far as that
//	nonsense, address  a word, the address that was shown
//	forged             an answer with another state
//	end                the end of the input
//	visit              nothing: the browser is on this machine
func person() {
	if err := signInAs(strings.Split(os.Args[1], ","), os.Args[2], os.Args[3:]); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			os.Exit(exit.ExitCode())
		}
		fmt.Fprintln(os.Stderr, "person:", err)
		os.Exit(99)
	}
}

func signInAs(script []string, command string, args []string) error {
	run := exec.Command(command, args...)
	run.Stdout = os.Stdout
	keys, err := run.StdinPipe()
	if err != nil {
		return err
	}
	screen, err := run.StderrPipe()
	if err != nil {
		return err
	}
	if err := run.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(screen)
	for lines.Scan() {
		fmt.Fprintln(os.Stderr, lines.Text())
		if address := strings.TrimSpace(lines.Text()); strings.HasPrefix(address, "http") && strings.Contains(address, "response_type=code") {
			go func() { _ = typeAll(keys, script, address) }()
		}
	}
	return run.Wait()
}

func typeAll(keys io.WriteCloser, script []string, address string) error {
	time.Sleep(100 * time.Millisecond) // a person reads first
	answer, err := elsewhere(address)
	if err != nil {
		return err
	}
	for _, what := range script {
		text := map[string]string{
			"url": answer.String(), "query": answer.RawQuery, "code": answer.Query().Get("code"),
			"nonsense": "hello", "address": address, "forged": answer.Scheme + "://" + answer.Host + "/callback?code=forged&state=guessed",
		}[what]
		switch what {
		case "end":
			err = keys.Close()
		case "visit":
			err = visit(answer.String())
		default:
			_, err = fmt.Fprintln(keys, text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// elsewhere signs in with a browser that gets no further than the redirect.
func elsewhere(address string) (*url.URL, error) {
	client := &http.Client{
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Get(address)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return answer.Location()
}

// device: device allow|deny decides about the code that is shown, once it is.
func device(ts *testscript.TestScript, _ bool, args []string) {
	p := of(ts).providers[""]
	decide := p.Approve
	if args[0] == "deny" {
		decide = p.Deny
	}
	for range 100 {
		if decide("") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("nobody waits with a code")
}

// endSessions: end-sessions N: the browser was sent to the provider's end of
// session so often, each time with the ID token of the person.
func endSessions(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	p := of(ts).providers[""]
	for range 100 { // the browser may still be on its way
		if len(p.EndSessions()) >= want {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	ended := p.EndSessions()
	if len(ended) != want {
		ts.Fatalf("%d ends of a session, want %d", len(ended), want)
	}
	for _, e := range ended {
		if e.Subject == "" || len(args) > 1 && e.PostLogoutRedirectURI == "" {
			ts.Fatalf("an end of a session with the hint of %q, back to %q", e.Subject, e.PostLogoutRedirectURI)
		}
	}
}
