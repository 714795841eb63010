package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// lifetime of the demo's tokens: short, so that one expires while you watch.
const lifetime = 6 * time.Second

// demo is one telling: a temporary home, a provider and the program.
type demo struct {
	browser bool
	brief   bool
	binary  string
	screen  *screen

	home     string
	env      []string
	provider *oidctest.Provider
}

// tell tells the story and removes every trace of it.
func (d *demo) tell(ctx context.Context) (err error) {
	if d.home, err = os.MkdirTemp("", "oidc-cred-demo-"); err != nil {
		return fmt.Errorf("make a temporary folder: %w", err)
	}
	defer func() {
		if removed := os.RemoveAll(d.home); removed != nil {
			err = errors.Join(err, fmt.Errorf("remove the demo's folder: %w", removed))
		}
	}()
	if err := d.build(ctx); err != nil {
		return err
	}
	if err := d.environment(); err != nil {
		return err
	}
	// A person's name instead of "user-1".
	name := map[string]any{"preferred_username": "ada@example.com"}
	d.provider, err = oidctest.Start(oidctest.Options{Settings: oidctest.Settings{
		Lifetime: lifetime, Consent: d.browser, IDTokenClaims: name, UserInfoClaims: name,
	}})
	if err != nil {
		return fmt.Errorf("start the demo's provider: %w", err)
	}
	defer d.provider.Close()
	return d.play(ctx, d.story())
}

// build makes the program that is shown, unless one was given.
func (d *demo) build(ctx context.Context) error {
	if d.binary != "" {
		path, err := filepath.Abs(d.binary)
		if err != nil {
			return err
		}
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("the program to show: %w", err)
		}
		d.binary = path
		return nil
	}
	d.binary = filepath.Join(d.home, "bin", "oidc-cred")
	if runtime.GOOS == "windows" {
		d.binary += ".exe"
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", d.binary, "github.com/oidc-cred/oidc-cred")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build oidc-cred: %w\n%s(run the demo inside a checkout of oidc-cred, with Go installed, or name a program with -binary)", err, output)
	}
	return nil
}

// environment keeps the demo to its own folder: the configuration, the
// session, git's configuration and the store of the key. So it needs neither a
// desktop nor a keyring, and leaves yours alone.
func (d *demo) environment() error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the demo's own path: %w", err)
	}
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		switch {
		case strings.HasPrefix(name, "OIDC_CRED_"), strings.HasPrefix(name, "GIT_"), name == "BROWSER" && !d.browser:
		case e == "BROWSER=1": // of 'make demo BROWSER=1', and no browser
		case strings.HasSuffix(strings.ToUpper(name), "_PROXY"): // the provider is on this machine
		default:
			d.env = append(d.env, e)
		}
	}
	d.env = append(d.env,
		"OIDC_CRED_HOME="+d.home,
		"OIDC_CRED_STORE=file", "OIDC_CRED_PASSPHRASE="+rand.Text()+rand.Text(),
		"OIDC_CRED_REFRESH_BEFORE=1s",
		"GIT_CONFIG_GLOBAL="+filepath.Join(d.home, "gitconfig"), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"PATH="+filepath.Dir(d.binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
	if !d.browser {
		d.env = append(d.env, "BROWSER="+self+" -follow %s")
	}
	return nil
}

// play goes through the scenes.
func (d *demo) play(ctx context.Context, story []scene) error {
	number := 0
	for _, s := range story {
		if d.brief && !s.brief {
			continue
		}
		number++
		d.screen.title(number, s.title)
		for _, step := range s.steps {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := step(ctx); err != nil {
				return fmt.Errorf("scene %d, %s: %w", number, s.title, err)
			}
		}
	}
	d.screen.note("That is the whole story. Nothing of it is left on this machine.")
	return nil
}
