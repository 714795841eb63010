package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// secretLimit bounds what a command that prints a secret may take.
const secretLimit = 30 * time.Second

// clientSecret gives the way to the profile's client secret, nil for a public
// client. It is only gone when the secret is needed.
func (a *app) clientSecret(p *profile) func(context.Context) (oidcflow.Secret, error) {
	if p.on("client_secret_keychain") {
		return a.storedSecret(p)
	}
	if name := p.text("client_secret_env"); name != "" {
		return func(context.Context) (oidcflow.Secret, error) {
			secret := a.getenv(name)
			if secret == "" {
				return oidcflow.Secret{}, usageError{
					message: fmt.Sprintf("profile %s: the environment variable %s, which holds the client secret, is not set", p.name, name),
					hint:    "set it, or change client_secret_env",
				}
			}
			return oidcflow.NewSecret(secret), nil
		}
	}
	if command := p.text("client_secret_command"); command != "" {
		// It runs once in a call: it may ask somebody.
		var once sync.Once
		var secret string
		var err error
		return func(ctx context.Context) (oidcflow.Secret, error) {
			once.Do(func() { secret, err = a.runForSecret(ctx, command) })
			if errors.Is(err, context.Canceled) {
				return oidcflow.Secret{}, err
			}
			if err != nil {
				return oidcflow.Secret{}, usageError{
					message: fmt.Sprintf("profile %s: client_secret_command: %s", p.name, err),
					hint:    "run the command by hand; it must print the secret on its first line",
				}
			}
			return oidcflow.NewSecret(secret), nil
		}
	}
	return nil
}

// passphrase opens the file store: from the profile's command, from the
// environment, or from the person at the terminal.
func (a *app) passphrase(ctx context.Context, p *profile) (string, error) {
	if command := p.text("passphrase_command"); command != "" {
		secret, err := a.runForSecret(ctx, command)
		if err != nil {
			return "", fmt.Errorf("passphrase_command: %w", err)
		}
		return secret, nil
	}
	if secret := a.getenv("OIDC_CRED_PASSPHRASE"); secret != "" {
		return secret, nil
	}
	if !isTerminal(a.in) || !isTerminal(a.err) {
		return "", errors.New("there is none in $OIDC_CRED_PASSPHRASE, no passphrase_command, and no terminal to ask on")
	}
	return a.askSecret("Passphrase for the credential store of profile " + p.name + ": ")
}

// askSecret asks the person at the terminal, without an echo.
func (a *app) askSecret(question string) (string, error) {
	file, ok := fileOf(a.in)
	if !ok {
		return "", errors.New("there is no terminal to ask on")
	}
	fmt.Fprint(a.err, question)
	secret, err := term.ReadPassword(int(file.Fd()))
	fmt.Fprintln(a.err)
	if err != nil {
		return "", fmt.Errorf("read what was typed: %w", err)
	}
	if len(secret) == 0 {
		return "", errors.New("it is empty")
	}
	return string(secret), nil
}

// runForSecret runs a configured command in the shell and takes the first line
// that it prints. Nothing of what it prints ever goes into an error.
func (a *app) runForSecret(ctx context.Context, command string) (string, error) {
	limited, cancel := context.WithTimeout(ctx, secretLimit)
	defer cancel()
	run := shell(limited, command)
	// A grandchild that keeps the pipe open must not keep us waiting.
	run.WaitDelay = time.Second
	run.Stderr = a.err
	output, err := run.Output()
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return "", ctx.Err() // nobody waits any more
	case ctx.Err() != nil:
		return "", errors.New("it took longer than the exchange with the provider may (timeout)")
	case limited.Err() != nil:
		return "", fmt.Errorf("it took longer than %s", secretLimit)
	}
	if err != nil {
		return "", fmt.Errorf("it failed: %w", err)
	}
	line, _, _ := bytes.Cut(output, []byte("\n"))
	secret := strings.TrimRight(string(line), "\r")
	if secret == "" {
		return "", errors.New("it printed nothing")
	}
	return secret, nil
}
