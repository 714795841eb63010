package cmd

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// profile is one profile's configuration, with every layer merged: flag,
// environment, profile, default.
type profile struct {
	name  string
	saved bool // it stands in the file
	// given are the settings that somebody has set. Most stand at their
	// default, and those are kept apart: every key costs viper time, and this
	// is done for each token.
	given    *viper.Viper
	defaults map[string]string
	// authParams keep their case, which viper would lower.
	authParams map[string]string
	// limit bounds an exchange with the provider beside the timeout; 0 is none.
	limit time.Duration
}

// resolve merges the layers for one profile. flags may be nil; those named
// like a setting (with '-' for '_' and '.') override it.
func (c *configFile) resolve(name string, flags *pflag.FlagSet, getenv func(string) string) (*profile, error) {
	written, saved := c.profiles[name]
	known := c.settings()
	p := &profile{name: name, saved: saved, given: viper.New(), defaults: make(map[string]string, len(known))}
	p.authParams, _ = written["auth_params"].(map[string]string)
	for _, s := range known {
		if s.shape == table {
			if err := p.takeAuthParams(flags); err != nil {
				return nil, err
			}
			continue
		}
		p.defaults[s.key] = s.def
		if v, ok := written[s.key]; ok {
			p.put(s, v)
		}
		if s.env != "" {
			if v := getenv(s.env); v != "" {
				if err := p.set(s, v, "$"+s.env); err != nil {
					return nil, err
				}
			}
		}
		if flags == nil {
			continue
		}
		flag := flagOf(s)
		if f := flags.Lookup(flag); f != nil && f.Changed {
			value := f.Value.String()
			if many, ok := f.Value.(pflag.SliceValue); ok {
				value = strings.Join(many.GetSlice(), " ")
			}
			if err := p.set(s, value, "--"+flag); err != nil {
				return nil, err
			}
		}
	}
	return p, p.check()
}

// flagOf is the name of the flag that overrides a setting: offline.enabled is
// --offline-enabled, and the flag of a list or a table is named after one of
// its items.
func flagOf(s setting) string {
	flag := strings.NewReplacer("_", "-", ".", "-").Replace(s.key)
	if s.shape != text {
		flag = strings.TrimSuffix(flag, "s")
	}
	return flag
}

// takeAuthParams adds those of the command line to the file's.
func (p *profile) takeAuthParams(flags *pflag.FlagSet) error {
	if flags == nil {
		return nil
	}
	f := flags.Lookup("auth-param")
	if f == nil || !f.Changed {
		return nil
	}
	pairs, ok := f.Value.(pflag.SliceValue)
	if !ok {
		return nil
	}
	merged := maps.Clone(p.authParams)
	if merged == nil {
		merged = map[string]string{}
	}
	for _, pair := range pairs.GetSlice() {
		name, value, found := strings.Cut(pair, "=")
		if !found || name == "" {
			return usageError{message: fmt.Sprintf("--auth-param: expected NAME=VALUE, not %q", pair)}
		}
		if err := checkAuthParam(name, value); err != nil {
			return usageError{message: "--auth-param: " + name + ": " + err.Error()}
		}
		merged[name] = value
	}
	p.authParams = merged
	return nil
}

// value gives a setting as it stands in the file.
func (p *profile) value(s setting) any {
	switch s.shape {
	case list:
		return p.list(s.key)
	case table:
		return p.authParams
	default:
		return p.text(s.key)
	}
}

// set takes over a value from outside the file, where a list is separated by
// spaces or commas.
func (p *profile) set(s setting, value, source string) error {
	items := []string{value}
	if s.shape == list {
		items = strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' })
	}
	for _, item := range items {
		if s.check == nil {
			continue
		}
		if err := s.check(item); err != nil {
			return usageError{message: fmt.Sprintf("%s: %s, not %q", source, err, item)}
		}
	}
	if s.path && value != "" {
		// As it is meant here and now: git calls from other folders.
		if absolute, err := filepath.Abs(inHome(value)); err == nil {
			value = absolute
		}
	}
	if s.shape == list {
		p.put(s, items)
	} else {
		p.put(s, value)
	}
	return nil
}

// put keeps a value. From then on the default does not count.
func (p *profile) put(s setting, value any) {
	p.given.Set(s.key, value)
	delete(p.defaults, s.key)
}

// text gives a setting's value; that of a list is "".
func (p *profile) text(key string) string {
	if def, ok := p.defaults[key]; ok {
		return def
	}
	return p.given.GetString(key)
}

func (p *profile) list(key string) []string {
	if def, ok := p.defaults[key]; ok {
		if key == "scopes" && !p.person() {
			return nil // the default is what a person's sign-in needs
		}
		return strings.Fields(def)
	}
	return p.given.GetStringSlice(key)
}

// on reads a setting that is true or false.
func (p *profile) on(key string) bool {
	on, _ := strconv.ParseBool(p.text(key))
	return on
}

// tokenType is what `token` prints: an exchange for an ID token (RFC 8693 §3)
// brings nothing else.
func (p *profile) tokenType() string {
	if _, atDefault := p.defaults["token"]; atDefault && exchangeType(p.text("requested_token_type")) == exchangeType("id_token") {
		return "id"
	}
	return p.text("token")
}

// duration reads a setting that has been checked.
func (p *profile) duration(key string) time.Duration {
	d, _ := parseDuration(p.text(key))
	return d
}

// exchangeLimit is what an exchange with the provider may take: the timeout
// less a little, so that the whole call, with its start and with what it
// writes and prints, ends within the timeout.
func (p *profile) exchangeLimit() time.Duration {
	limit := p.duration("timeout") * 97 / 100
	if p.limit > 0 {
		limit = min(limit, p.limit)
	}
	return limit
}

// policy is the profile's offline policy.
func (p *profile) policy() *offline.Policy {
	jitter, _ := parsePercent(p.text("offline.retry.jitter"))
	factor, _ := strconv.ParseFloat(p.text("offline.retry.factor"), 64)
	threshold, _ := strconv.Atoi(p.text("offline.repeat_failure_threshold"))
	policy := offline.Policy{
		Enabled:     p.on("offline.enabled"),
		MaxDuration: p.duration("offline.max_duration"),
		OnLimit:     offline.OnLimit(p.text("offline.on_limit")),
		WarnAfter:   p.duration("offline.warn_after"),
		Retry: offline.Retry{
			Initial: p.duration("offline.retry.initial"), Factor: factor,
			Max: p.duration("offline.retry.max"), Jitter: jitter,
		},
		RepeatFailureThreshold: threshold,
	}
	if fraction, err := parsePercent(p.text("refresh_before")); err == nil {
		policy.RefreshBeforeFraction = fraction
	} else {
		policy.RefreshBefore = p.duration("refresh_before")
	}
	return &policy
}

func getenv(name string) string { return os.Getenv(name) }
