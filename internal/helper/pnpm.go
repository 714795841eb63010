package helper

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// Pnpm answers pnpm's tokenHelper: the value of the Authorization header. pnpm
// doesn't say which registry it is for, so the helper looks where pnpm reads
// that from: a registry that is to get this profile's token must be one of the
// profile's hosts, else nothing gets it.
func Pnpm(ctx context.Context, env Env, args []string) error {
	if len(args) > 0 {
		return &UsageError{Message: "pnpm's token helper takes no arguments", Advice: "run 'oidc-cred setup pnpm HOST'"}
	}
	target, err := env.Profile("")
	if err != nil {
		return err
	}
	if err := pnpmRegistries(env, target.Profile); err != nil {
		return err
	}
	tok, err := target.token(ctx, session.Request{}, true)
	if err != nil {
		return err
	}
	value, err := bearer(tok)
	if err != nil {
		return err
	}
	_, err = io.WriteString(env.Stdout, value+"\n")
	return err
}

// pnpmRegistries checks that every registry which the user's configuration
// gives this profile's token to is mapped to the profile.
func pnpmRegistries(env Env, profile string) error {
	mapped, err := env.Mapped()
	if err != nil {
		return err
	}
	var hosts []string
	for _, m := range mapped {
		if m.Profile == profile {
			hosts = append(hosts, m.Hosts...)
		}
	}
	if len(hosts) == 0 {
		return &UsageError{Message: "no registry is mapped to profile " + profile, Advice: "run 'oidc-cred setup pnpm HOST --profile " + profile + "'"}
	}
	for _, file := range pnpmFiles(env) {
		data, err := readSmall(file)
		if err != nil {
			return err
		}
		for _, e := range TokenHelpers(data) {
			if e.Profile != "" && e.Profile != profile {
				continue
			}
			secure, local := Server{Scheme: "https", Host: e.Host}, Server{Scheme: "http", Host: e.Host}
			if !secure.Matches(hosts) && !(local.loopback() && local.Matches(hosts)) {
				return notMapped(e.Host, profile, file)
			}
		}
	}
	return nil
}

func notMapped(host, profile, file string) error {
	if host == "" {
		return &UsageError{
			Message: file + " has a tokenHelper without a registry, which would get the token wherever that is",
			Advice:  "remove it and run 'oidc-cred setup pnpm HOST --profile " + profile + "'",
		}
	}
	return &UsageError{
		Message: host + " would get the token of profile " + profile + " (" + file + "), and is not mapped to it",
		Advice:  "run 'oidc-cred setup pnpm " + host + " --profile " + profile + "', or take its tokenHelper out",
	}
}

// pnpmFiles are where pnpm takes a tokenHelper from: the user's own files, and
// never a project's.
func pnpmFiles(env Env) []string {
	var files []string
	for _, name := range []string{"npm_config_userconfig", "NPM_CONFIG_USERCONFIG"} {
		if path := env.getenv(name); path != "" {
			files = append(files, path)
		}
	}
	home, err := os.UserHomeDir()
	if err == nil {
		files = append(files, filepath.Join(home, ".npmrc"))
	}
	var dir string
	switch config, local := env.getenv("XDG_CONFIG_HOME"), env.getenv("LOCALAPPDATA"); {
	case config != "":
		dir = filepath.Join(config, "pnpm")
	case runtime.GOOS == "windows" && local != "":
		dir = filepath.Join(local, "pnpm", "config")
	case err != nil:
		return files
	case runtime.GOOS == "darwin":
		dir = filepath.Join(home, "Library", "Preferences", "pnpm")
	default:
		dir = filepath.Join(home, ".config", "pnpm")
	}
	return append(files, filepath.Join(dir, "auth.ini"), filepath.Join(dir, "rc"))
}

// readSmall reads a configuration file; none is an empty one.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, 1<<20))
	return data, errors.Join(err, f.Close())
}
