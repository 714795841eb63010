package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// scene is a part of the story.
type scene struct {
	title string
	// brief: it is in the short telling too.
	brief bool
	steps []step
}

type step func(context.Context) error

// calls is how many calls the outage is shown to cost nothing.
const calls = 20

func (d *demo) story() []scene {
	return []scene{
		{title: "Sign in", brief: true, steps: []step{
			d.say("A provider runs on this machine; its tokens live for 6 seconds. The session's\nkey goes to a private file store, so that your own keyring is left alone."),
			d.signIn(),
			d.unlessBrief(d.show(expect{code: 0, text: "online"}, "status")),
		}},
		{title: "A token for every tool", steps: append([]step{
			d.say("A token that is still good comes from the cache, without the network."),
			d.show(expect{code: 0, text: "at-"}, "token"),
		}, d.git()...)},
		{title: "The provider goes down", brief: true, steps: []step{
			d.say("It answers every request with HTTP 503, and the token expires."),
			d.do(func() { d.provider.Set(oidctest.AnyEndpoint, oidctest.Status(http.StatusServiceUnavailable)) }),
			d.wait(lifetime + time.Second),
			d.say("The profile allows offline mode: the expired token is printed, with warnings."),
			d.show(expect{code: 0, text: "using_expired_token"}, "token"),
			d.show(expect{code: 0, text: "offline since"}, "status"),
		}},
		{title: "An outage costs one request", steps: []step{
			d.say("All processes share the time of the next try; until then nobody asks."),
			d.many(),
		}},
		{title: "Where only a live token will do", brief: true, steps: []step{
			d.say("Nothing is printed on stdout, and the session is kept."),
			d.show(expect{code: 4, text: "error:"}, "token", "--no-offline"),
		}},
		{title: "The provider comes back", brief: true, steps: []step{
			d.say("The next try would notice; --force-refresh does not wait for it."),
			d.do(func() { d.provider.Clear() }),
			d.show(expect{code: 0, text: "at-"}, "token", "--force-refresh"),
			d.show(expect{code: 0, text: "online"}, "status"),
		}},
		{title: "The provider says no", steps: []step{
			d.say("An administrator ends the session. That is an answer and no outage: the tokens\nare removed, whatever the offline policy says."),
			d.do(func() { d.provider.RevokeAll() }),
			d.show(expect{code: 3, text: "invalid_grant"}, "token", "--force-refresh"),
			d.show(expect{code: 0, text: "sign-in required"}, "status"),
		}},
		{title: "What happened", steps: []step{
			d.say("Every change of a session is kept, without secrets, in a log that stays small."),
			d.tail(5, expect{code: 0, text: "signed out"}, "status", "--history"),
		}},
	}
}

func (d *demo) signIn() step {
	show := d.show(expect{code: 0, text: "Signed in as"},
		"login", "--issuer", d.provider.Issuer(), "--client-id", "oidc-cred", "--offline-enabled")
	return func(ctx context.Context) error {
		if d.browser {
			d.screen.note("Your browser opens. Choose Allow there, or Deny to see how that ends.")
		}
		err := show(ctx)
		if err != nil && d.browser && ctx.Err() == nil {
			return errors.New("nobody was signed in, so the story ends here: run it again and choose Allow, or run it without -browser")
		}
		return err
	}
}

// git shows a tool that gets its credential from oidc-cred, where there is one.
func (d *demo) git() []step {
	if _, err := exec.LookPath("git"); err != nil {
		return []step{d.say("(git would be next, but it is not installed here.)")}
	}
	return []step{
		d.say("git asks oidc-cred for the servers that it is set up for, and for no others."),
		d.show(expect{code: 0, text: "git.example.com"}, "setup", "git", "git.example.com"),
		d.run(command{expect: expect{code: 0, text: "password=at-"}, input: "protocol=https\nhost=git.example.com\n", words: []string{"git", "credential", "fill"}}),
	}
}

// many makes calls during the outage and counts what the provider sees.
func (d *demo) many() step {
	return func(ctx context.Context) error {
		d.screen.command(fmt.Sprintf("for i in $(seq %d); do oidc-cred token --quiet; done", calls))
		before := d.provider.Count(oidctest.AnyEndpoint)
		start := time.Now()
		for range calls {
			if r := d.exec(ctx, "", d.binary, "token", "--quiet"); r.code != 0 {
				return fmt.Errorf("oidc-cred token --quiet: exit code %d: %s", r.code, r.output)
			}
		}
		took, asked := time.Since(start), d.provider.Count(oidctest.AnyEndpoint)-before
		d.screen.aside(fmt.Sprintf("(%d tokens in %d ms; requests to the provider: %d)", calls, took.Milliseconds(), asked))
		d.screen.output("\n")
		if asked != 0 {
			return fmt.Errorf("the provider was asked %d times", asked)
		}
		return nil
	}
}

func (d *demo) say(text string) step {
	return func(context.Context) error { d.screen.note(text); return nil }
}

func (d *demo) unlessBrief(s step) step {
	if d.brief {
		return func(context.Context) error { return nil }
	}
	return s
}

func (d *demo) do(f func()) step {
	return func(context.Context) error { f(); return nil }
}

func (d *demo) wait(t time.Duration) step {
	return func(ctx context.Context) error {
		d.screen.aside(fmt.Sprintf("(waiting %d seconds)", int(t.Seconds())))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(t):
			return nil
		}
	}
}
