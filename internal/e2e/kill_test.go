package e2e

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// killSeed repeats a run that failed.
const killSeed = "OIDC_CRED_KILL_SEED"

// TestKill ends the program at random moments of a sign-in, a refresh and a
// sign-out, three hundred times in all. Whatever was under way: afterwards each
// command works or says that a sign-in is needed, at once.
func TestKill(t *testing.T) {
	rounds := 100
	if testing.Short() {
		rounds = 10
	}
	seed := rand.Uint64()
	if text := os.Getenv(killSeed); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("to repeat: %s=%d", killSeed, seed)
	p := newProvider(t, oidctest.Options{})
	k := &killer{t: t, home: newHome(t, p, "timeout: 3s", "offline: {enabled: true}"), random: rand.New(rand.NewPCG(seed, 0)), spans: map[string]time.Duration{}}
	calls := []struct {
		name string
		args []string
	}{{"login", []string{"login"}}, {"refresh", []string{"token", "--force-refresh"}}, {"logout", []string{"logout"}}}

	// How long each takes when it is left alone, to spread the moments over. The
	// shortest of some counts, since others may use the machine too.
	for i := range 5 {
		for _, c := range calls {
			if took := k.home.run(c.args...).exits(0).took; i == 0 || took < k.spans[c.name] {
				k.spans[c.name] = took
			}
		}
	}
	t.Logf("undisturbed: %v", k.spans)

	done := map[string]int{}
	for i := range rounds {
		for _, c := range calls {
			if c.name != "login" {
				k.signIn()
			} else if i%2 == 0 {
				k.home.run("logout").exits(0) // else over a former session
			}
			if k.kill(c.name, c.args) {
				done[c.name]++
			}
			k.check(c.name)
		}
	}
	t.Logf("had ended before the signal: %v; refresh tokens lost between the answer and the disk: %d", done, p.Reused())
	k.home.login()
	k.leftovers()
}

type killer struct {
	t      *testing.T
	home   *home
	random *rand.Rand
	spans  map[string]time.Duration
}

// kill starts the call and kills it at a random moment. It says whether the
// call had ended by then.
func (k *killer) kill(name string, args []string) bool {
	p := k.home.start(args...)
	time.Sleep(time.Duration(k.random.Float64() * 1.2 * float64(k.spans[name])))
	_ = p.cmd.Process.Kill()
	return p.wait().code >= 0
}

// signIn makes sure of a session.
func (k *killer) signIn() {
	k.t.Helper()
	if r := k.home.run("status", "--check"); r.code != 0 {
		k.home.run("login").exits(0).quick(2 * time.Second)
	}
}

// check has every command find its way in what the killed one left.
func (k *killer) check(after string) {
	k.t.Helper()
	const limit = 2 * time.Second // less than the timeout: no lock is in the way
	for _, args := range [][]string{{"status"}, {"token"}, {"token", "--force-refresh"}, {"status", "--check"}} {
		r := k.home.run(args...).quick(limit)
		if r.code != 0 && r.code != 3 {
			k.t.Errorf("after a killed %s %v exits %d\n%s", after, args, r.code, r.stderr)
		}
		if r.code == 0 && args[0] == "token" && !k.home.provider.Active(strings.TrimSpace(r.stdout)) {
			// A token that is not due is not compared with the provider's
			// opinion: a sign-out that was killed may have revoked it.
			if after != "logout" || len(args) > 1 {
				k.t.Errorf("after a killed %s %v prints a token that the provider does not know", after, args)
			}
		}
	}
	if k.t.Failed() {
		k.t.FailNow()
	}
}

// leftovers: what killed processes left has no end in sight if nobody sweeps.
func (k *killer) leftovers() {
	k.t.Helper()
	var temporary []string
	_ = filepath.WalkDir(k.home.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what is gone meanwhile is no leftover
		}
		if strings.HasPrefix(e.Name(), ".") {
			temporary = append(temporary, path)
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 && path != k.home.dir {
			k.t.Errorf("%s has mode %s", path, info.Mode())
		}
		return nil
	})
	k.t.Logf("temporary files left by killed processes, to be swept later: %d", len(temporary))
	for _, path := range temporary {
		old := time.Now().Add(-48 * time.Hour)
		if err := os.Chtimes(path, old, old); err != nil {
			k.t.Fatal(err)
		}
	}
	k.home.token("--force-refresh")
	for _, path := range temporary {
		if strings.Contains(path, string(filepath.Separator)+"sessions"+string(filepath.Separator)) {
			if _, err := os.Lstat(path); err == nil {
				k.t.Errorf("%s was not swept", path)
			}
		}
	}
}
