package offline_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// world is a model of everything around Decide: a provider, a clock, a session
// on disk, other processes, and the manager's loop. It checks the promises of
// the package after every look.
type world struct {
	t     *testing.T
	bytes []byte

	now    time.Time // what the clock says
	policy offline.Policy
	state  offline.State
	facts  offline.Facts
	kind   provider
	// workload: a session that begins and is renewed without a person.
	workload bool
}

// provider is how the provider answers.
type provider int

const (
	up provider = iota
	unreachable
	inTrouble
	captured
	rejecting
	misconfigured
	brokenDiscovery
	noSubject
	providers
)

func (w *world) byte() byte {
	if len(w.bytes) == 0 {
		return 0
	}
	b := w.bytes[0]
	w.bytes = w.bytes[1:]
	return b
}

func (w *world) pick(ds ...time.Duration) time.Duration { return ds[int(w.byte())%len(ds)] }

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf(format+"\nnow %s\nstate %+v\nfacts %+v\npolicy %+v", append(args, w.now, w.state, w.facts, w.policy)...)
}

func newWorld(t *testing.T, data []byte) *world {
	w := &world{t: t, bytes: data, now: t0, policy: offline.DefaultPolicy()}
	flags := w.byte()
	w.policy.Enabled = flags&1 == 0
	if flags&2 != 0 {
		w.policy.OnLimit = offline.DenyOnLimit
	}
	if flags&4 != 0 {
		w.policy.MaxDuration = time.Hour
	}
	if flags&8 != 0 {
		w.policy.Retry = offline.Retry{Initial: time.Second, Factor: 0.3, Max: 48 * time.Hour, Jitter: 0.9}
	}
	if flags&16 != 0 {
		w.policy.RefreshBeforeFraction = 0.9
	}
	w.workload = flags&64 != 0
	w.signIn(flags&32 == 0)
	return w
}

func (w *world) signIn(refreshable bool) {
	w.state = offline.State{}.Synced(w.now)
	w.facts = offline.Facts{SignedIn: true, Refreshable: refreshable || w.workload, Token: w.newToken()}
}

// gone is what is left when the session was removed: the state stays, as in
// the public copy, for a session that begins by itself.
func (w *world) gone() {
	w.facts = offline.Facts{Unattended: w.workload}
	if w.workload {
		w.state = offline.State{LastSync: w.state.LastSync}
	}
}

func (w *world) newToken() offline.Token {
	life := w.pick(time.Hour, 5*time.Minute, 0, time.Second, 12*time.Hour)
	if life == 0 {
		return offline.Token{Present: true}
	}
	return offline.Token{Present: true, Expiry: w.now.Add(life), Lifetime: life}
}

// step lets something happen.
func (w *world) step() {
	switch w.byte() % 16 {
	case 0, 1, 2:
		w.now = w.now.Add(w.pick(time.Second, 31*time.Second, 5*time.Minute, time.Hour, 9*time.Hour, 100*time.Hour))
	case 3:
		w.now = w.now.Add(-w.pick(time.Second, 4*time.Minute, 6*time.Minute, time.Hour, 5*day, 20000*day))
	case 4:
		w.now = w.now.Add(w.pick(20000*day, 30*day))
	case 5:
		w.kind = provider(w.byte()) % providers
	case 6:
		w.facts.Token.Stale = w.facts.Token.Present
	case 7:
		w.facts.NotRenewable = !w.facts.NotRenewable
	case 8:
		if !w.facts.SignedIn && !w.workload {
			w.signIn(w.byte()%4 != 0)
		}
	case 9:
		if w.byte() == 0 {
			w.facts.Token = offline.Token{}
		}
	default:
		w.call()
	}
}

// waiting says the same as the package, written another way.
func (w *world) waiting() bool {
	s := w.state
	turnedBack := s.LastFailure.Sub(w.now) > tolerance
	return s.Failures > 0 && s.NextRetry.After(w.now) && !turnedBack
}

// call is one run of the manager.
func (w *world) call() {
	p := w.policy
	switch w.byte() % 8 {
	case 1:
		p.Enabled = false
	case 2:
		p.Enabled = true
	}
	var c offline.Call
	if w.byte()%8 == 1 {
		c.Force = true
	}
	if w.byte()%8 == 1 {
		c.MinValid = w.pick(time.Minute, time.Hour, day)
	}
	facts := w.facts
	facts.Renewed = false

	looks := 0
	look := func(o offline.Outcome) offline.Action {
		if looks++; looks > 3 {
			w.fail("a fourth look")
		}
		before := w.state
		next, a := offline.Decide(w.state, w.now, p, c, facts, o)
		w.check(before, next, a, p, c, facts, o)
		w.state = next
		return a
	}

	a := look(offline.Outcome{Stage: offline.Start})
	if a.Verb != offline.Refresh && a.Verb != offline.Probe && a.Verb != offline.Begin && a.Verb != offline.SignOut {
		return
	}
	// The lock: had, busy, or had after another process renewed the token or
	// failed to.
	stage := offline.Locked
	switch w.byte() % 8 {
	case 1:
		stage = offline.LockBusy
	case 2:
		if (facts.Refreshable || facts.Unattended) && !facts.NotRenewable && w.kind == up {
			if facts.Unattended {
				w.facts = offline.Facts{SignedIn: true, Refreshable: true}
				facts = w.facts
			}
			w.state = offline.State{}.Synced(w.now)
			w.facts.Token, facts.Token, facts.Renewed = w.newToken(), offline.Token{}, true
			facts.Token = w.facts.Token
		}
	case 3:
		if !w.waiting() {
			w.state = after(w.state, w.now.Sub(t0), outage)
		}
	}
	a = look(offline.Outcome{Stage: stage})
	switch a.Verb {
	case offline.Refresh, offline.Begin:
		w.exchange(look, &facts)
	case offline.Probe:
		w.probe(look)
	case offline.SignOut:
		w.gone()
	}
}

func (w *world) exchange(look func(offline.Outcome) offline.Action, facts *offline.Facts) {
	random := float64(int8(w.byte())) / 127
	err := error(nil)
	stepOf := offline.StepRefresh
	switch w.kind {
	case up:
		brought := !facts.NotRenewable
		if !facts.SignedIn {
			w.facts = offline.Facts{SignedIn: true, Refreshable: true}
			*facts = w.facts
		}
		if brought {
			w.facts.Token = w.newToken()
			facts.Token, facts.Renewed = w.facts.Token, true
		}
		a := look(offline.Outcome{Stage: offline.Succeeded, Random: random})
		if a.Verb == offline.SignOut || a.Verb == offline.Deny || brought && a.Verb != offline.Print {
			w.fail("%s after a success", a.Verb)
		}
		if w.state.Offline() || !w.state.LastSync.Equal(w.now) {
			w.fail("still offline after a success")
		}
		return
	case unreachable:
		err = dial(timeoutError{})
	case inTrouble:
		err = withHeader(503, `{"error":"invalid_grant"}`, "Retry-After", []string{"1", "1800", "999999999"}[int(w.byte())%3])
	case captured:
		err = answer(403, "text/html", page)
	case rejecting:
		err = oauthError(400, "invalid_grant")
	case misconfigured:
		err = answer(400, "application/json", "{}")
	case noSubject:
		err, stepOf = answer(403, "application/json", `{"error":"access_denied"}`), offline.StepSubjectToken
	case brokenDiscovery:
		err, stepOf = answer(404, "", ""), offline.StepDiscovery
	}
	f := offline.NewFailure(stepOf, err, w.now)
	a := look(offline.Outcome{Stage: offline.Failed, Failure: f, Random: random})
	if f.EndsSession() != (w.kind == rejecting || w.kind == misconfigured) {
		w.fail("ends the session: %v", f.EndsSession())
	}
	wanted := offline.SignOut
	if !facts.SignedIn {
		wanted = offline.SignIn
	}
	if f.EndsSession() && (a.Verb != wanted || a.Cause != offline.CauseRejected) {
		w.fail("%s after a rejection", a.Verb) // nothing stale above all
	}
	if a.Verb == offline.SignOut {
		w.gone()
	}
}

func (w *world) probe(look func(offline.Outcome) offline.Action) {
	o := offline.Outcome{Stage: offline.Succeeded, Probed: true}
	if w.kind != up && w.kind != rejecting && w.kind != misconfigured {
		o.Stage, o.Failure = offline.Failed, offline.NewFailure(offline.StepDiscovery, dial(timeoutError{}), w.now)
	}
	if a := look(o); a.Verb == offline.SignOut {
		w.gone()
	}
}

// check holds one look to the promises.
func (w *world) check(before, next offline.State, a offline.Action, p offline.Policy, c offline.Call, facts offline.Facts, o offline.Outcome) {
	effective, _ := before.EffectiveNow(w.now)
	if before.High.Sub(effective) > tolerance || effective.Before(w.now) {
		w.fail("limits go by %s", effective)
	}
	if o.Stage == offline.Succeeded {
		effective = w.now
	}
	isExpired := !facts.Token.Expiry.IsZero() && !effective.Before(facts.Token.Expiry)
	without := effective.Sub(before.LastSync)
	withinLimit := !before.LastSync.IsZero() && without <= p.MaxDuration
	tries := a.Verb == offline.Refresh || a.Verb == offline.Probe || a.Verb == offline.Begin

	switch {
	case tries && o.Stage != offline.Start && o.Stage != offline.Locked:
		w.fail("%s after the last look", a.Verb)
	case tries && w.waiting() && !c.Force:
		w.fail("%s in the backoff", a.Verb)
	case a.Verb == offline.Refresh && !facts.Refreshable:
		w.fail("a refresh without a refresh token")
	case a.Verb == offline.Begin && (facts.SignedIn || !facts.Unattended):
		w.fail("a session begun by itself")
	case facts.Unattended && a.Verb == offline.SignIn && !o.Failure.EndsSession():
		w.fail("a sign-in where none is needed")
	case facts.Unattended && !facts.SignedIn && (a.Verb == offline.Print || a.Verb == offline.SignOut):
		w.fail("%s without a session", a.Verb)
	case a.Verb == offline.Print && !facts.Token.Present:
		w.fail("nothing to print")
	case a.Expired != (a.Verb == offline.Print && isExpired):
		w.fail("expired is %v", a.Expired)
	}

	// Never an expired token outside the offline policy, but for one that was
	// just renewed.
	if a.Verb == offline.Print && isExpired && !(facts.Renewed && o.Stage == offline.Succeeded) {
		if !p.Enabled || !withinLimit || !a.Offline {
			w.fail("an expired token outside the policy")
		}
		if len(a.Warnings) == 0 || a.Warnings[0].Type != offline.WarnUsingExpiredToken {
			w.fail("an expired token without a warning")
		}
	}
	// Never a sign-in, nor the end of the session, because of an outage.
	if facts.SignedIn && facts.Refreshable && !o.Failure.EndsSession() {
		if a.Verb == offline.SignIn && o.Stage != offline.Succeeded {
			w.fail("a sign-in because of an outage")
		}
		if a.Verb == offline.SignOut && (withinLimit || p.OnLimit == offline.DenyOnLimit || !p.Enabled) {
			w.fail("a session lost to an outage")
		}
	}
	if a.Verb == offline.SignOut && o.Stage == offline.LockBusy {
		w.fail("a session removed without the lock")
	}

	w.checkState(before, next, a, o)
}

func (w *world) checkState(before, next offline.State, a offline.Action, o offline.Outcome) {
	if next != before && !a.Store {
		w.fail("the new state is lost: %+v", next)
	}
	if o.Stage != offline.Failed {
		if o.Stage != offline.Succeeded && next != before {
			w.fail("a mere look changed the state to %+v", next)
		}
		return
	}
	if o.Failure.EndsSession() && !o.Probed {
		return
	}
	most := max(w.policy.Retry.Max*2, 5*time.Minute, time.Hour)
	switch {
	case next.Failures != before.Failures+1:
		w.fail("%d failures after %d", next.Failures, before.Failures)
	case next.NextRetry.Before(w.now):
		w.fail("next try at %s", next.NextRetry)
	case w.waiting() && next.NextRetry.Before(before.NextRetry):
		w.fail("next try at %s, was %s", next.NextRetry, before.NextRetry)
	case !w.waiting() && next.NextRetry.Sub(w.now) > most:
		w.fail("next try in %s", next.NextRetry.Sub(w.now))
	case next.High.Before(before.High), !next.Seen.Equal(w.now):
		w.fail("highest time %s, was %s", next.High, before.High)
	case !next.LastSync.Equal(before.LastSync):
		w.fail("a failure is no sync")
	case before.Offline() && !next.Since.Equal(before.Since):
		w.fail("offline since %s, was %s", next.Since, before.Since)
	}
}

// FuzzDecide lets the manager's loop run in random worlds.
func FuzzDecide(f *testing.F) {
	f.Add([]byte{0, 0, 5, 1, 0, 3, 10, 0, 0, 0, 0})
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	for range 50 {
		data := make([]byte, 400)
		for i := range data {
			data[i] = byte(random.UintN(256))
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w := newWorld(t, data[:min(len(data), 4000)])
		for len(w.bytes) > 0 {
			w.step()
		}
	})
}

// Ten thousand calls in one long outage: each failure is one try, and the
// tries stay apart.
func TestLongOutage(t *testing.T) {
	p := policy(func(p *offline.Policy) { p.MaxDuration = 10_000 * day })
	s, tries := online, 0
	for i := range 10_000 {
		now := t0.Add(time.Hour + time.Duration(i)*10*time.Second)
		_, a := offline.Decide(s, now, p, offline.Call{}, session(token(time.Hour)), start)
		if a.Verb == offline.Refresh {
			tries++
			s, a = offline.Decide(s, now, p, offline.Call{}, session(token(time.Hour)), failure)
		}
		if a.Verb != offline.Print || !a.Expired {
			t.Fatalf("call %d: %s", i, a.Verb)
		}
	}
	// 27 hours and 46 minutes: four tries in the first 7.5 minutes, then one
	// every 5.
	if tries < 330 || tries > 340 || s.Failures != tries {
		t.Errorf("%d tries, %d failures", tries, s.Failures)
	}
}
