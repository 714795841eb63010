package cmd

import (
	"os"
	"runtime"
	"slices"
	"strings"
)

// browserEnv is the environment that a browser gets: this program's without the
// secrets in it, which would stay in the browser, and all that it starts, long
// after we have ended.
func (a *app) browserEnv(p *profile) []string {
	secret := []string{"OIDC_CRED_PASSPHRASE", "OIDC_CRED_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"}
	for _, key := range []string{"client_secret_env", "subject_token_env"} {
		secret = append(secret, p.text(key))
		if a.config == nil {
			continue
		}
		for _, other := range a.config.profiles {
			if name, ok := other[key].(string); ok {
				secret = append(secret, name)
			}
		}
	}
	same := func(a, b string) bool { return a == b || runtime.GOOS == "windows" && strings.EqualFold(a, b) }
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return name != "" && slices.ContainsFunc(secret, func(s string) bool { return same(s, name) })
	})
}
