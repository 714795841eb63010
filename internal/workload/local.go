package workload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// Env reads the token from an environment variable, as GitLab's id_tokens give
// it to a job.
func Env(name string, getenv func(string) string) Source {
	return func(context.Context) (oidcflow.Secret, error) {
		value := getenv(name)
		if value == "" {
			return oidcflow.Secret{}, &LocalError{
				Message: "the environment variable " + name + ", which holds the token, is not set",
				Advice:  "set it; in GitLab CI the job needs an entry " + name + " below id_tokens",
			}
		}
		token, err := parseToken([]byte(value))
		if err != nil {
			return oidcflow.Secret{}, &LocalError{Message: fmt.Sprintf("the environment variable %s: %s", name, err), Advice: "it must hold one token and nothing else"}
		}
		return token, nil
	}
}

// File reads the token from a file, as Kubernetes projects one into a pod. It
// is read at each use: the kubelet renews it.
func File(path string) Source {
	return func(context.Context) (oidcflow.Secret, error) {
		data, err := readFile(path)
		if err == nil {
			var token oidcflow.Secret
			if token, err = parseToken(data); err == nil {
				return token, nil
			}
		}
		local := &LocalError{Message: fmt.Sprintf("the file %s: %s", path, err), Advice: "it must hold one token and nothing else", Err: err}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			local.Advice = "check the name; in Kubernetes the pod needs a projected volume with a serviceAccountToken there"
		case errors.Is(err, fs.ErrPermission):
			local.Advice = "make it readable to the user that runs oidc-cred"
		}
		return oidcflow.Secret{}, local
	}
}

// readFile reads a regular file. A pipe or a device could make the reader wait
// for ever, and would give its content only once.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, bare(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, bare(err)
	}
	defer file.Close() //nolint:errcheck // opened for reading
	data, err := io.ReadAll(io.LimitReader(file, maxToken+2))
	if err != nil {
		return nil, bare(err)
	}
	return data, nil
}

// bare leaves out the path that the os package repeats.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Command takes the token that a command prints. run starts it and gives its
// first line.
func Command(run func(context.Context) (string, error)) Source {
	return func(ctx context.Context) (oidcflow.Secret, error) {
		line, err := run(ctx)
		if errors.Is(err, context.Canceled) {
			return oidcflow.Secret{}, err
		}
		var token oidcflow.Secret
		if err == nil {
			token, err = parseToken([]byte(line))
		}
		if err != nil {
			return oidcflow.Secret{}, &LocalError{
				Message: "the command: " + err.Error(), Advice: "run the command by hand; it must print the token on its first line", Err: err,
			}
		}
		return token, nil
	}
}
