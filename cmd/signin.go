package cmd

import (
	"bufio"
	"context"
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
		return session.LoginOptions{Device: a.deviceOptions(p)}
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
			o := a.deviceOptions(p)
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
		Redirect: p.text("redirect"), Timeout: limit, Open: a.openBrowser,
		Notify: func(url string) {
			a.say("Opening the browser to sign in at %s. If it does not open, visit:\n\n  %s\n", hostOf(p.text("issuer")), url)
		},
	}
}

// pasteOptions show the address, and take what a person pastes.
func (a *app) pasteOptions(p *profile, limit time.Duration, input io.Reader) oidcflow.SignInOptions {
	o := oidcflow.SignInOptions{Redirect: p.text("redirect"), Timeout: limit}
	var pasted chan string
	if input != nil {
		pasted = make(chan string)
		o.Paste = pasted
	}
	o.Notify = func(url string) {
		a.say("Sign in at %s with this address, in any browser:\n\n  %s\n", hostOf(p.text("issuer")), url)
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
	}
	return o
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

func (a *app) deviceOptions(p *profile) *oidcflow.DeviceOptions {
	return &oidcflow.DeviceOptions{
		Prompt: func(d oidcflow.DevicePrompt) error { a.showDeviceCode(p, d); return nil },
		Problem: func(err error) {
			a.say("The provider can't be reached (%s); waiting goes on.", oneLine(offline.Describe(err)))
		},
	}
}

// showDeviceCode shows what a person needs, RFC 8628 §3.3: the address and the
// code in any case, and as a picture the address that has the code in it. The
// code is to be compared then, §3.3.1.
func (a *app) showDeviceCode(p *profile, d oidcflow.DevicePrompt) {
	a.say("Sign in at %s: open this address on any device\n\n  %s\n\nand enter the code\n\n  %s\n", hostOf(p.text("issuer")), d.URI, a.paint(a.err).in(bold, d.UserCode))
	switch complete := d.CompleteURI; {
	case complete != "":
		a.say("Or open this one, and see that the page shows the same code:\n\n  %s\n", complete)
		a.showQR(complete)
	default:
		a.showQR(d.URI)
	}
	if left := d.Expiry.Sub(a.now()).Round(time.Second); left > 0 {
		a.say("The code is good for %s. Waiting …", offline.Short(left))
	}
}

// signIn signs in because a credential was asked for that there is none of.
func (a *app) signIn(ctx context.Context, p *profile, m *session.Manager, input io.Reader) error {
	_, err := m.Login(ctx, a.signInOptions(p, wayChosen, 0, input))
	return err
}
