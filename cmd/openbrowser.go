package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/pkg/browser"
)

// openBrowser honours $BROWSER, a list of commands separated by colons in
// which %s stands for the address, before the system's own way.
func (a *app) openBrowser(_ context.Context, url string) error {
	if list := a.getenv("BROWSER"); list != "" {
		return a.openWith(list, url)
	}
	if run := a.windowsBrowser(url); run != nil {
		return startBrowser(run)
	}
	// What the browser's launcher prints must not reach our stdout, which is
	// the result's, nor clutter stderr.
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
	if a.verbose {
		browser.Stdout, browser.Stderr = a.err, a.err
	}
	if err := browser.OpenURL(url); err != nil {
		return fmt.Errorf("open the browser: %w", err)
	}
	return nil
}

func (a *app) openWith(list, url string) error {
	err := errors.New("open the browser: $BROWSER names no command")
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
		return fmt.Errorf("open the browser: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("open the browser: %s: %w", run.Path, err)
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
