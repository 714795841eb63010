package helper

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// What docker's clients compare the answer with, character by character: they
// go on without credentials after the first, see docker-credential-helpers,
// credentials/error.go.
const (
	dockerNotFound = "credentials not found in native keychain"
	dockerNoServer = "no credentials server URL"
)

// dockerTokenUser stands in place of a user name for a secret that clients are
// to post to the registry as a refresh token. None of ours is one.
const dockerTokenUser = "<token>"

// maxDockerRequest bounds what is read; a token is the longest part.
const maxDockerRequest = 1 << 20

// dockerCredential is the answer to get and what store is given.
type dockerCredential struct {
	ServerURL string
	Username  string
	Secret    string
}

// Docker answers one call of a docker credential helper: the verb in args, the
// rest on stdin. Clients read errors on stdout, where the code is not 0.
func Docker(ctx context.Context, env Env, args []string) error {
	if len(args) != 1 {
		return &UsageError{Message: "a docker credential helper is called with one word: get, store, erase or list"}
	}
	var err error
	switch args[0] {
	case "get":
		err = dockerGet(ctx, env)
	case "store":
		err = dockerStore(ctx, env)
	case "erase":
		err = dockerErase(ctx, env)
	case "list":
		err = dockerList(env)
	default:
		err = &UsageError{Message: fmt.Sprintf("unknown credential action %q", args[0])}
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	text := line(err)
	if plain, ok := err.(dockerError); ok { //nolint:errorlint // made here
		text = string(plain) + "\n"
	}
	if _, err := io.WriteString(env.Stdout, text); err != nil {
		return err
	}
	return Answered{Code: 1}
}

// dockerError is an answer in the protocol's own words.
type dockerError string

// Error implements error.
func (e dockerError) Error() string { return string(e) }

func dockerGet(ctx context.Context, env Env) error {
	asked, err := readDockerServer(env.Stdin)
	if err != nil {
		return err
	}
	target, err := dockerTarget(env, asked)
	if err != nil {
		return err
	}
	if target == nil {
		return dockerError(dockerNotFound)
	}
	user, err := target.dockerUser()
	if err != nil {
		return err
	}
	tok, err := target.token(ctx, session.Request{}, true)
	if err != nil {
		return err
	}
	answer, err := json.Marshal(dockerCredential{ServerURL: asked, Username: user, Secret: tok.Value.Reveal()})
	if err != nil {
		return fmt.Errorf("encode the credential: %w", err)
	}
	env.warn(tok)
	_, err = env.Stdout.Write(append(answer, '\n'))
	return err
}

// dockerStore hears of a docker login. One with our own token, as docker does
// it by itself where it finds one, has nothing to keep; another one would be
// lost without a word, since the next get gives our token.
func dockerStore(ctx context.Context, env Env) error {
	data, err := readDocker(env.Stdin)
	if err != nil {
		return err
	}
	var given dockerCredential
	if err := json.Unmarshal(data, &given); err != nil {
		return &UsageError{Message: "the credential to store can't be read: " + jsonProblem(err)}
	}
	if given.ServerURL == "" {
		return dockerError(dockerNoServer)
	}
	target, err := dockerTarget(env, given.ServerURL)
	if err != nil {
		return err
	}
	server, _ := ParseServer(given.ServerURL)
	if target == nil {
		return &UsageError{
			Message: "oidc-cred keeps no passwords, and no profile has this server in its hosts",
			Advice:  "take it out of credHelpers in docker's configuration, or run 'oidc-cred setup docker' for it",
		}
	}
	if given.Username == dockerTokenUser {
		// The registry answered the login with a token of its own.
		_, err := fmt.Fprintf(env.Stderr, "oidc-cred: the registry's own token is not kept: %s gets the token of profile %s each time\n", server.Host, target.Profile)
		return err
	}
	tok, err := target.token(ctx, session.Request{}, false)
	if err != nil {
		return err
	}
	if !tok.Value.Equal(oidcflow.NewSecret(given.Secret)) {
		return &UsageError{
			Message: fmt.Sprintf("%s gets the token of profile %s from oidc-cred, which keeps no passwords", server.Host, target.Profile),
			Advice:  "no docker login is needed; to use a password instead, run 'oidc-cred setup docker " + server.Host + " --remove' first",
		}
	}
	return nil
}

// dockerErase hears of a docker logout, which is how a person says that the
// token is not taken: docker itself erases nothing after a refusal. The session
// stays. docker calls this for several spellings of the server, and the token
// is renewed once.
func dockerErase(ctx context.Context, env Env) error {
	asked, err := readDockerServer(env.Stdin)
	if err != nil {
		return err
	}
	target, err := dockerTarget(env, asked)
	if err != nil || target == nil {
		return nil //nolint:nilerr // nothing of ours to erase; get says what is wrong
	}
	_, err = target.token(ctx, session.Request{Refused: true}, false)
	if err != nil && ctx.Err() != nil {
		return err
	}
	return nil
}

// dockerList names the mapped servers and the users that get gives. What a
// wildcard stands for is not known.
func dockerList(env Env) error {
	mapped, err := env.Mapped()
	if err != nil {
		return err
	}
	users := map[string]string{}
	for _, m := range mapped {
		user, err := (&Target{Profile: m.Profile, Username: m.Username}).dockerUser()
		if err != nil {
			return err
		}
		for _, host := range m.Hosts {
			if _, known := users[host]; !known && CheckPattern(host) == nil && !strings.HasPrefix(host, "*.") {
				users[host] = user
			}
		}
	}
	answer, err := json.Marshal(users)
	if err != nil {
		return fmt.Errorf("encode the list: %w", err)
	}
	_, err = env.Stdout.Write(append(answer, '\n'))
	return err
}

// dockerTarget is the profile of what docker calls a server: a host, with a
// port or without, or a URL that may have a path.
func dockerTarget(env Env, asked string) (*Target, error) {
	server, ok := ParseServer(asked)
	if !ok {
		return nil, nil
	}
	return env.target(server)
}

// dockerUser is the user name beside the token.
func (t *Target) dockerUser() (string, error) {
	user := t.Username
	if user == "" {
		user = DefaultUsername
	}
	if user == dockerTokenUser || strings.Contains(user, ":") {
		return "", &UsageError{
			Message: fmt.Sprintf("profile %s has the username %q, which docker would not send as one", t.Profile, user),
			Advice:  "set another 'username' in the profile; most registries take any",
		}
	}
	return user, nil
}

// readDockerServer reads a server, which some clients end with a line end.
func readDockerServer(r io.Reader) (string, error) {
	data, err := readDocker(r)
	if err != nil {
		return "", err
	}
	server := strings.TrimSpace(string(data))
	if server == "" {
		return "", dockerError(dockerNoServer)
	}
	return server, nil
}

func readDocker(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxDockerRequest+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read docker's request: %w", err)
	case len(data) > maxDockerRequest:
		return nil, &UsageError{Message: fmt.Sprintf("docker's request is longer than %d bytes", maxDockerRequest)}
	}
	return data, nil
}
