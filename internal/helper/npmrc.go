package helper

import (
	"slices"
	"strings"
)

// TokenHelper is an entry of an .npmrc that makes oidc-cred pnpm's token
// helper.
type TokenHelper struct {
	// Host of the registry; "" for an entry that names none.
	Host string
	// Profile that the entry names; "" leaves it to the one in use.
	Profile string
}

// TokenHelpers reads an .npmrc (a file of key=value lines) for the entries that
// call this program.
func TokenHelpers(npmrc []byte) []TokenHelper {
	var found []TokenHelper
	for text := range strings.Lines(string(npmrc)) {
		text = strings.TrimSpace(text)
		if strings.HasPrefix(text, "#") || strings.HasPrefix(text, ";") {
			continue
		}
		key, value, ok := strings.Cut(text, "=")
		key, value = unquote(key), unquote(value)
		registry, isHelper := strings.CutSuffix(key, "tokenHelper")
		if !ok || !isHelper || registry != "" && !strings.HasSuffix(registry, ":") {
			continue
		}
		profile, ours := pnpmLink(value)
		if !ours {
			continue
		}
		host := strings.TrimPrefix(strings.TrimSuffix(registry, ":"), "//")
		host, _, _ = strings.Cut(host, "/")
		found = append(found, TokenHelper{Host: host, Profile: profile})
	}
	return found
}

// pnpmLink says whether a tokenHelper's value is this program: its link, or
// (pnpm 11 and later take arguments) a whole command.
func pnpmLink(value string) (profile string, ours bool) {
	words := strings.Fields(value)
	if len(words) == 0 {
		return "", false
	}
	if i := slices.Index(words, "helper"); i > 0 && i+1 < len(words) && words[i+1] == "pnpm" {
		for j, w := range words {
			if p, ok := strings.CutPrefix(w, "--profile="); ok {
				return p, true
			}
			if (w == "--profile" || w == "-p") && j+1 < len(words) {
				return words[j+1], true
			}
		}
		return "", true
	}
	base := value[strings.LastIndexAny(value, `/\`)+1:] // the path may have blanks
	if strings.HasSuffix(strings.ToLower(base), ".exe") {
		base = base[:len(base)-len(".exe")]
	}
	name, profile, _ := strings.Cut(base, "@")
	return profile, strings.EqualFold(name, "oidc-cred-pnpm")
}

// unquote takes the blanks and quotes off that an .npmrc may have around a key
// or a value.
func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}
