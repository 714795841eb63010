package cmd

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// paths are where the program keeps what it keeps.
type paths struct {
	config string // the file
	state  string // sealed sessions, locks, the event log
	cache  string // the provider's documents: all of it can be fetched again
}

// findPaths follows $OIDC_CRED_HOME, which moves all three, or the system's
// conventions. The state must not be in a folder that a roaming profile or a
// cloud drive copies to other machines: it is bound to this machine's keychain.
func findPaths(configFlag string, getenv func(string) string) (paths, error) {
	var p paths
	if home := getenv("OIDC_CRED_HOME"); home != "" {
		home, err := filepath.Abs(home)
		if err != nil {
			return p, usageError{message: "OIDC_CRED_HOME: " + err.Error()}
		}
		p = paths{config: filepath.Join(home, "config.yaml"), state: filepath.Join(home, "state"), cache: filepath.Join(home, "cache")}
	} else {
		var err error
		if p, err = systemPaths(getenv); err != nil {
			return p, usageError{message: "the user's directories can't be found: " + err.Error(), hint: "set HOME, or OIDC_CRED_HOME to a folder of your own"}
		}
	}
	if file := getenv("OIDC_CRED_CONFIG"); file != "" {
		p.config = file
	}
	if configFlag != "" {
		p.config = configFlag
	}
	return p, nil
}

func systemPaths(getenv func(string) string) (paths, error) {
	const name = "oidc-cred"
	config, err := os.UserConfigDir()
	if err != nil {
		return paths{}, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return paths{}, err
	}
	p := paths{config: filepath.Join(config, name, "config.yaml"), cache: filepath.Join(cache, name)}
	switch runtime.GOOS {
	case "windows":
		local := getenv("LocalAppData")
		if local == "" {
			return paths{}, errors.New("%LocalAppData% is not set")
		}
		p.state, p.cache = filepath.Join(local, name, "state"), filepath.Join(local, name, "cache")
	case "darwin":
		p.state = filepath.Join(config, name, "state")
	default:
		state := getenv("XDG_STATE_HOME")
		if !filepath.IsAbs(state) {
			home, err := os.UserHomeDir()
			if err != nil {
				return paths{}, err
			}
			state = filepath.Join(home, ".local", "state")
		}
		p.state = filepath.Join(state, name)
	}
	return p, nil
}
