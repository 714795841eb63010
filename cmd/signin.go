package cmd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// way is how a person signs in.
type way int

const (
	// wayChosen: with the browser, or with what there is instead of one here.
	wayChosen way = iota
	wayDevice
	wayPaste
)

// signInOptions are how a person signs in with the profile. What is pasted
// comes from input; nil: nothing can be.
func (a *app) signInOptions(p *profile, by way, limit time.Duration, input io.Reader) session.LoginOptions {
	if by == wayChosen && p.text("grant") == grantDevice {
		by = wayDevice
	}
	switch why := a.noBrowserHere(); {
	case by == wayDevice:
		return session.LoginOptions{Device: a.deviceOptions(p, limit)}
	case by == wayPaste:
		return session.LoginOptions{SignIn: a.pasteOptions(p, limit, input)}
	case why != "":
		return a.withoutBrowser(p, why, limit, input)
	default:
		return session.LoginOptions{SignIn: a.browserOptions(p, limit)}
	}
}

// withoutBrowser is for a machine without one: with a code where the provider
// has that, else with an address to open elsewhere.
func (a *app) withoutBrowser(p *profile, why string, limit time.Duration, input io.Reader) session.LoginOptions {
	return session.LoginOptions{
		SignIn: a.pasteOptions(p, limit, input),
		Choose: func(md *oidcflow.Metadata) *oidcflow.DeviceOptions {
			if !offersDevice(md) {
				a.say("No browser opens here (%s); $BROWSER can name a command that opens one.", why)
				return nil
			}
			o := a.deviceOptions(p, limit)
			show := o.Prompt
			o.Prompt = func(d oidcflow.DevicePrompt) error {
				a.say("No browser opens here (%s): sign in on another device, or use 'login --no-browser'.", why)
				return show(d)
			}
			return o
		},
		Refused: func(err *oidcflow.DeviceGrantError) {
			code := ""
			if err.Code != "" {
				code = " (" + oneLine(err.Code) + ")"
			}
			a.say("No browser opens here (%s), and the provider does not let this client sign in on another device%s.", why, code)
		},
	}
}

func (a *app) browserOptions(p *profile, limit time.Duration) oidcflow.SignInOptions {
	return oidcflow.SignInOptions{
		Redirect: p.text("redirect"), Timeout: limit, Open: a.orTell(a.openBrowser(p)),
		Notify: func(url string) {
			a.say("Opening the browser to sign in at %s. If it does not open, visit:\n\n  %s\n", hostOf(p.text("issuer")), url)
			a.sayNoQR()
		},
	}
}

// pasteOptions show the address, and take what a person pastes.
func (a *app) pasteOptions(p *profile, limit time.Duration, input io.Reader) oidcflow.SignInOptions {
	o := oidcflow.SignInOptions{Redirect: p.text("redirect"), Timeout: limit}
	if !hasInput(input) {
		input = nil
	}
	var pasted chan string
	if input != nil {
		pasted = make(chan string)
		o.Paste = pasted
	}
	o.Notify = func(url string) {
		a.say("Sign in at %s with this address, in any browser:\n\n  %s\n", hostOf(p.text("issuer")), url)
		a.sayNoQR()
		if input != nil {
			a.say("If the browser ends at a page that it can't load, paste that page's address here:")
			go func() { // and not before: the lines may be somebody else's
				readLines(input, pasted)
				if isTerminal(input) {
					a.say("Nothing more is read here. A browser on this machine is still waited for.")
				}
			}()
		}
	}
	o.PasteProblem = func(err error) {
		a.say("That is not it: %s.", oneLine(err.Error()))
		if isTerminal(input) {
			a.say("Paste the address of the page that the browser ended at here:")
		}
	}
	return o
}

// hasInput says whether anything can come from the input: a terminal, or
// something that feeds us. /dev/null and a file are what a script gives that
// has nothing to say.
func hasInput(input io.Reader) bool {
	file, ok := fileOf(input)
	if !ok || isTerminal(input) {
		return input != nil
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0
}

// readLines passes on what is typed. The end of the input closes the channel,
// and the loopback listener goes on.
func readLines(from io.Reader, to chan<- string) {
	defer close(to)
	input := bufio.NewScanner(io.LimitReader(from, 1<<20))
	input.Buffer(nil, 64<<10)
	for input.Scan() {
		if line := strings.TrimSpace(input.Text()); line != "" {
			to <- line
		}
	}
}

// terminalInput is the terminal itself, for a helper whose stdin is the tool's;
// nil without one.
func terminalInput() io.Reader {
	name := "/dev/tty"
	if runtime.GOOS == "windows" {
		name = "CONIN$"
	}
	file, err := os.Open(name)
	if err != nil {
		return nil
	}
	return file
}

// deviceOptions show a code. A limit ends the wait before the code expires; 0
// does not.
func (a *app) deviceOptions(p *profile, limit time.Duration) *oidcflow.DeviceOptions {
	return &oidcflow.DeviceOptions{
		Timeout: limit,
		Prompt:  func(d oidcflow.DevicePrompt) error { a.showDeviceCode(p, d); return nil },
		Problem: func(err error) {
			a.say("The provider can't be reached (%s); waiting goes on.", oneLine(offline.Describe(err)))
		},
		Recovered: func() { a.say("The provider answers again.") },
	}
}

// showDeviceCode shows what a person needs, RFC 8628 §3.3: the address and the
// code in any case, and as a picture above them the address that has the code
// in it. The code is to be compared then, §3.3.1.
func (a *app) showDeviceCode(p *profile, d oidcflow.DevicePrompt) {
	text := fmt.Sprintf("Sign in at %s: open this address on any device\n\n  %s\n\nand enter the code\n\n  %s\n", hostOf(p.text("issuer")), d.URI, a.paint(a.err).in(bold, d.UserCode))
	if d.CompleteURI != "" {
		text += fmt.Sprintf("\nOr open this one, and see that the page shows the same code:\n\n  %s\n", d.CompleteURI)
	}
	if left := d.Expiry.Sub(a.now()).Round(time.Second); left > 0 {
		text += fmt.Sprintf("\nThe code is good for %s. Waiting …", offline.Short(left))
	}
	// The picture comes first: what is typed in must not scroll away.
	a.showQR(firstOf(d.CompleteURI, d.URI), text)
	a.say("%s", text)
}

// signIn signs in because a credential was asked for that there is none of.
func (a *app) signIn(ctx context.Context, p *profile, m *session.Manager, input io.Reader) error {
	if err := a.checkCertificateFiles(p); err != nil {
		return err
	}
	_, err := m.Login(ctx, a.signInOptions(p, wayChosen, 0, input))
	return err
}
