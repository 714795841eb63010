package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/pkg/browser"
)

// openBrowser gives the way to open the browser: it honours $BROWSER, a list of
// commands separated by colons in which %s stands for the address, before the
// system's own way.
func (a *app) openBrowser(p *profile) func(context.Context, string) error {
	return func(_ context.Context, url string) error {
		env := a.browserEnv(p)
		if list := a.getenv("BROWSER"); list != "" {
			return a.openWith(list, url, env)
		}
		run := a.windowsBrowser(url)
		if run == nil {
			run = a.systemBrowser(url)
		}
		if run == nil {
			return a.openByLibrary(url)
		}
		run.Env = env
		return startBrowser(run)
	}
}

// orTell opens the browser, and tells a person who waits for it that it did not
// open: the sign-in waits on.
func (a *app) orTell(open func(context.Context, string) error) func(context.Context, string) error {
	return func(ctx context.Context, url string) error {
		err := open(ctx, url)
		if err != nil && ctx.Err() == nil {
			a.say("The browser could not be opened (%s): visit the address above yourself, or stop this and use 'login --device' or 'login --no-browser'.",
				oneLine(strings.TrimPrefix(err.Error(), opening)))
		}
		return err
	}
}

// opening begins every error of this file.
const opening = "open the browser: "

// systemBrowser is the desktop's own way, nil where it is no command.
func (a *app) systemBrowser(url string) *exec.Cmd {
	launchers := []string{"xdg-open", "x-www-browser", "www-browser"}
	switch runtime.GOOS {
	case "darwin":
		launchers = []string{"open"}
	case "windows":
		return nil
	}
	for _, name := range launchers {
		if path, err := exec.LookPath(name); err == nil {
			run := exec.Command(path, url) //nolint:noctx // the user's own browser, which outlives us
			if a.verbose {
				run.Stdout, run.Stderr = a.err, a.err
			}
			return run
		}
	}
	return nil
}

func (a *app) openByLibrary(url string) error {
	// What the browser's launcher prints must not reach our stdout, which is
	// the result's, nor clutter stderr.
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
	if a.verbose {
		browser.Stdout, browser.Stderr = a.err, a.err
	}
	if err := browser.OpenURL(url); err != nil {
		return fmt.Errorf(opening+"%w", err)
	}
	return nil
}

func (a *app) openWith(list, url string, env []string) error {
	err := errors.New(opening + "$BROWSER names no command")
	for _, command := range strings.Split(list, string(os.PathListSeparator)) {
		words := strings.Fields(command)
		if _, err := exec.LookPath(strings.TrimSpace(command)); err == nil {
			words = []string{strings.TrimSpace(command)} // a path that may have spaces in it
		}
		if len(words) == 0 {
			continue
		}
		given := false
		for i, word := range words {
			if strings.Contains(word, "%s") {
				words[i], given = strings.ReplaceAll(word, "%s", url), true
			}
		}
		if !given {
			words = append(words, url)
		}
		run := exec.Command(words[0], words[1:]...) //nolint:noctx // the user's own browser, which outlives us
		if a.verbose {
			run.Stdout, run.Stderr = a.err, a.err
		}
		run.Env = env
		if err = startBrowser(run); err == nil {
			return nil
		}
	}
	return err
}

// launchPatience is how long a launcher is watched: one that ends at once
// with a failure has opened nothing.
const launchPatience = time.Second

func startBrowser(run *exec.Cmd) error {
	if err := run.Start(); err != nil {
		var path *os.PathError
		if errors.As(err, &path) { // its operation is "fork/exec"
			err = fmt.Errorf("%s: %w", path.Path, path.Err)
		}
		return fmt.Errorf(opening+"%w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf(opening+"%s: %w", run.Path, err)
		}
	case <-time.After(launchPatience):
	}
	return nil
}

// windowsBrowser opens the browser of the Windows that this Linux runs under:
// what Linux programs open there is often nothing. Windows forwards the
// loopback address to us. It is nil elsewhere.
func (a *app) windowsBrowser(url string) *exec.Cmd {
	if a.getenv("WSL_DISTRO_NAME") == "" && a.getenv("WSL_INTEROP") == "" {
		return nil
	}
	for _, words := range [][]string{{"wslview"}, {"rundll32.exe", "url.dll,FileProtocolHandler"}} {
		if path, err := exec.LookPath(words[0]); err == nil {
			return exec.Command(path, append(words[1:], url)...) //nolint:noctx // the user's own browser, which outlives us
		}
	}
	return nil
}
