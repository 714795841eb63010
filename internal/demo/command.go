package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
)

// expect is how a command has to end for the story to be true.
type expect struct {
	code int
	text string
}

// result is what a command printed, on both streams, and its exit code.
type result struct {
	output string
	code   int
	err    error
}

// command is a command line to show.
type command struct {
	expect
	words []string
	// input for the command.
	input string
	// last lines of the output to show; 0: all of it.
	last int
}

// show runs oidc-cred and shows it.
func (d *demo) show(want expect, args ...string) step {
	return d.run(command{expect: want, words: append([]string{"oidc-cred"}, args...)})
}

// tail shows the last lines of what oidc-cred prints.
func (d *demo) tail(lines int, want expect, args ...string) step {
	return d.run(command{expect: want, words: append([]string{"oidc-cred"}, args...), last: lines})
}

// line is the command as it would be typed.
func (c command) line() string {
	line := strings.Join(c.words, " ")
	if c.input != "" {
		line = fmt.Sprintf("printf '%s' | %s", strings.ReplaceAll(c.input, "\n", `\n`), line)
	}
	if c.last > 0 {
		line += fmt.Sprintf(" | tail -n %d", c.last)
	}
	return line
}

// lastLines is what tail -n prints.
func lastLines(output string, n int) string {
	lines := strings.SplitAfter(strings.TrimSuffix(output, "\n"), "\n")
	if n == 0 || len(lines) <= n {
		return output
	}
	return strings.Join(lines[len(lines)-n:], "") + "\n"
}

// run runs a command and shows both its line and its output.
func (d *demo) run(c command) step {
	return func(ctx context.Context) error {
		line, want := c.line(), c.expect
		d.screen.command(line)
		program, args := c.words[0], c.words[1:]
		if program == "oidc-cred" {
			program, args = d.binary, append(args[:len(args):len(args)], "--color", d.screen.mode())
		}
		r := d.exec(ctx, c.input, program, args...)
		d.screen.output(lastLines(d.shorten(r.output), c.last))
		if r.code != 0 {
			d.screen.aside(fmt.Sprintf("(exit code %d)", r.code))
		}
		d.screen.output("\n")
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case r.code != want.code && r.err != nil:
			return fmt.Errorf("%s: expected exit code %d: %w", line, want.code, r.err)
		case r.code != want.code:
			return fmt.Errorf("%s: expected exit code %d, not %d", line, want.code, r.code)
		case !strings.Contains(r.output, want.text):
			return fmt.Errorf("%s: expected an output with %q", line, want.text)
		}
		return nil
	}
}

// exec runs a command in the demo's environment.
func (d *demo) exec(ctx context.Context, input, program string, args ...string) result {
	run := exec.CommandContext(ctx, program, args...)
	run.Env, run.Dir = d.env, d.home
	run.Stdin = strings.NewReader(input)
	var output bytes.Buffer
	run.Stdout, run.Stderr = &output, &output
	err := run.Run()
	return result{output: output.String(), code: run.ProcessState.ExitCode(), err: err}
}

// query is what follows the path of the authorization URL: some 300 characters
// that say nothing to a person.
var query = regexp.MustCompile(`\?client_id=\S+`)

// shorten cuts tokens, since a screen is no place for one, and the URL of the
// sign-in, unless a person may have to open it.
func (d *demo) shorten(output string) string {
	for _, secret := range d.provider.Secrets() {
		if len(secret) > 16 {
			output = strings.ReplaceAll(output, secret, secret[:10]+"…")
		}
	}
	if !d.browser {
		output = query.ReplaceAllString(output, "?client_id=…")
	}
	return output
}

// followTo is the demo's browser for machines without one.
func followTo(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}
