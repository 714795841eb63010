//go:build linux

package oidcflow

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

// TestPageInChromium shows every page in a real browser, light and dark, wide
// and narrow. With OIDC_CRED_SCREENSHOTS it keeps what it saw in that folder.
func TestPageInChromium(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	seen := &requestLog{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.add(r)
		for name, kind := range allPages {
			if r.URL.Path == "/"+strings.ReplaceAll(name, " ", "-") {
				p := page{Kind: kind, Provider: "id.example.com"}
				if kind == pageDenied {
					p.Detail = "the account is locked"
				}
				if kind == pageError {
					p.Provider = strings.Repeat("a-long-label.", 8) + "example.com"
					p.Detail = "the provider answered HTTP 503, server_error: <b>" + strings.Repeat("unbreakable", 20) + "</b>"
				}
				writePage(w, http.StatusOK, p)
				return
			}
		}
		writePage(w, http.StatusNotFound, page{Kind: pageNotFound, Provider: "id.example.com"})
	}))
	defer server.Close()
	browser := startChromium(t)

	for name, kind := range allPages {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int{1000, 320} {
				t.Run(fmt.Sprintf("%s %s %d", name, scheme, width), func(t *testing.T) {
					path := "/" + strings.ReplaceAll(name, " ", "-")
					browser.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{
						{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"},
					}}, nil)
					browser.call("Emulation.setDeviceMetricsOverride", map[string]any{
						"width": width, "height": 720, "deviceScaleFactor": 1, "mobile": width < 500,
					}, nil)
					browser.open(server.URL + path + "?code=SECRET-CODE&state=SECRET-STATE#SECRET-FRAGMENT")
					if folder := os.Getenv("OIDC_CRED_SCREENSHOTS"); folder != "" {
						browser.screenshot(filepath.Join(folder, fmt.Sprintf("%s-%s-%d.png", path[1:], scheme, width)))
					}

					var look struct {
						Address, Heading, Title, Back string
						Width, Scroll                 int
						Violations                    []string
					}
					browser.evaluate(`({
						address: location.href, title: document.title,
						heading: document.querySelector("h1").innerText,
						back: getComputedStyle(document.body).backgroundColor,
						width: innerWidth, scroll: document.documentElement.scrollWidth,
						violations: window.violations,
					})`, &look)
					words := wordsOf(kind)
					if look.Address != server.URL+path {
						t.Errorf("the address bar shows %s", look.Address)
					}
					if look.Heading != words.Heading || !strings.HasPrefix(look.Title, words.Title) {
						t.Errorf("heading %q, title %q", look.Heading, look.Title)
					}
					if want := map[string]string{"light": "rgb(243, 244, 246)", "dark": "rgb(15, 18, 22)"}[scheme]; look.Back != want {
						t.Errorf("the background is %s, want %s: the style was not applied", look.Back, want)
					}
					if look.Width != width || look.Scroll > width {
						t.Errorf("the page is %d wide, and the window %d", look.Scroll, look.Width)
					}
					if len(look.Violations) > 0 {
						t.Errorf("the content security policy blocked %q", look.Violations)
					}
				})
			}
		}
	}
	for _, r := range seen.all() {
		if strings.Contains(r.referer, "SECRET") {
			t.Errorf("the code is in the Referer of %s", r.path)
		}
	}
	for _, address := range browser.requested() {
		if !strings.HasPrefix(address, server.URL+"/") {
			t.Errorf("the page asked for %s", address)
		}
	}
	if problems := browser.problems(); len(problems) > 0 {
		t.Errorf("the browser complained: %q", problems)
	}
}

// TestPageKeepsForeignScriptsOut checks that the policy is in force: what is
// not ours does not run, even if it were in the page.
func TestPageKeepsForeignScriptsOut(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		response, body := render(page{Kind: pageError})
		for name, values := range response.Header {
			w.Header()[name] = values
		}
		_, _ = io.WriteString(w, strings.Replace(body, "</main>",
			`<script>window.owned = true</script><img src="/image"><form action="/x"></form></main>`, 1))
	}))
	defer server.Close()
	browser := startChromium(t)
	browser.open(server.URL + "/")
	var look struct {
		Owned      bool
		Violations []string
	}
	browser.evaluate(`({owned: !!window.owned, violations: window.violations})`, &look)
	if look.Owned || len(look.Violations) != 2 {
		t.Errorf("%+v", look)
	}
}

// requestLog is what reached the server.
type requestLog struct {
	mu   sync.Mutex
	list []seenRequest
}

type seenRequest struct{ path, referer string }

func (l *requestLog) add(r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, seenRequest{r.URL.Path, r.Referer()})
}

func (l *requestLog) all() []seenRequest {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]seenRequest(nil), l.list...)
}

// chromium is a browser that is driven through the DevTools protocol on two
// pipes: JSON messages, each ended by a NUL.
type chromium struct {
	t       *testing.T
	in      io.Writer
	out     *bufio.Reader
	session string
	id      int
	events  []devtoolsMessage
}

type devtoolsMessage struct {
	ID     int             `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`
}

func startChromium(t *testing.T) *chromium {
	t.Helper()
	program := testenv.Program(t, "chromium")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	// Not t.TempDir: the browser's children may write for a moment after its
	// end, and that would fail the test.
	folder, err := os.MkdirTemp("", "oidc-cred-chromium")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 50 {
			if os.RemoveAll(folder) == nil {
				if _, err := os.Stat(folder); err != nil {
					return
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	theirIn, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--no-proxy-server", "--user-data-dir="+folder, "--remote-debugging-pipe", "about:blank")
	cmd.Env = append(os.Environ(), "HOME="+folder, "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent")
	cmd.ExtraFiles = []*os.File{theirIn, theirOut} // 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirIn.Close()
	_ = theirOut.Close()
	b := &chromium{t: t, in: in, out: bufio.NewReader(out)}
	t.Cleanup(func() {
		_, _ = in.WriteString(`{"id":999999,"method":"Browser.close"}` + "\x00")
		_ = cmd.Wait()
		_ = in.Close()
		_ = out.Close()
	})

	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var session struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session)
	b.session = session.SessionID
	for _, domain := range []string{"Page", "Runtime", "Network", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	// The protocol's own scripts are not subject to the page's policy.
	b.call("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": `
		window.violations = [];
		addEventListener("securitypolicyviolation", e => violations.push(e.effectiveDirective + " " + e.blockedURI));
	`}, nil)
	return b
}

// call sends a command and waits for its answer; what happens meanwhile is
// kept in b.events.
func (b *chromium) call(method string, params, result any) {
	b.t.Helper()
	b.id++
	message := map[string]any{"id": b.id, "method": method}
	if params != nil {
		message["params"] = params
	}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	text, err := json.Marshal(message)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.in.Write(append(text, 0)); err != nil {
		b.t.Fatal(err)
	}
	for {
		m := b.read()
		if m.ID != b.id {
			continue
		}
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.t.Fatal(err)
			}
		}
		return
	}
}

func (b *chromium) read() devtoolsMessage {
	b.t.Helper()
	text, err := b.out.ReadBytes(0)
	if err != nil {
		b.t.Fatalf("the browser is gone: %v", err)
	}
	var m devtoolsMessage
	if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
		b.t.Fatal(err)
	}
	if m.Method != "" {
		b.events = append(b.events, m)
	}
	return m
}

// open waits until the page has loaded.
func (b *chromium) open(address string) {
	b.t.Helper()
	from := len(b.events)
	b.call("Page.navigate", map[string]any{"url": address}, nil)
	for {
		for ; from < len(b.events); from++ {
			if b.events[from].Method == "Page.loadEventFired" {
				return
			}
		}
		b.read()
	}
}

func (b *chromium) evaluate(expression string, result any) {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &answer)
	if answer.ExceptionDetails != nil {
		b.t.Fatalf("%s", answer.ExceptionDetails)
	}
	if err := json.Unmarshal(answer.Result.Value, result); err != nil {
		b.t.Fatal(err)
	}
}

func (b *chromium) screenshot(file string) {
	b.t.Helper()
	var answer struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &answer)
	image, err := base64.StdEncoding.DecodeString(answer.Data)
	if err == nil {
		err = os.WriteFile(file, image, 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// requested are the addresses that the pages asked for.
func (b *chromium) requested() []string {
	var addresses []string
	for _, e := range b.events {
		var params struct{ Request struct{ URL string } }
		if e.Method == "Network.requestWillBeSent" && json.Unmarshal(e.Params, &params) == nil {
			addresses = append(addresses, params.Request.URL)
		}
	}
	return addresses
}

// problems is what stands in the browser's console.
func (b *chromium) problems() []string {
	var problems []string
	for _, e := range b.events {
		switch e.Method {
		case "Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled":
			problems = append(problems, string(e.Params))
		}
	}
	return problems
}
