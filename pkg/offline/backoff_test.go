package offline_test

import (
	"math"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

func TestRetryWait(t *testing.T) {
	normal := offline.DefaultPolicy().Retry
	inf, nan := math.Inf(1), math.NaN()
	for _, test := range []struct {
		name   string
		retry  offline.Retry
		n      int
		random float64
		want   time.Duration
	}{
		{"first", normal, 1, 0, 30 * time.Second},
		{"second", normal, 2, 0, time.Minute},
		{"third", normal, 3, 0, 2 * time.Minute},
		{"fourth", normal, 4, 0, 4 * time.Minute},
		{"fifth", normal, 5, 0, 5 * time.Minute},
		{"sixth", normal, 6, 0, 5 * time.Minute},
		{"where integers overflow", normal, 58, 0, 5 * time.Minute},
		{"where floats become infinite", normal, 1100, 0, 5 * time.Minute},
		{"ten thousandth", normal, 10_000, 0, 5 * time.Minute},
		{"the last that can be counted", normal, math.MaxInt, 0, 5 * time.Minute},
		{"none yet", normal, 0, 0, 30 * time.Second},
		{"less than none", normal, math.MinInt, 0, 30 * time.Second},

		{"jitter up", normal, 1, 1, 33 * time.Second},
		{"jitter down", normal, 1, -1, 27 * time.Second},
		{"jitter at the maximum", normal, 9, 1, 5*time.Minute + 30*time.Second},
		{"random out of bounds", normal, 1, 1000, 33 * time.Second},
		{"random out of bounds below", normal, 1, -inf, 27 * time.Second},
		{"random that is no number", normal, 1, nan, 30 * time.Second},
		{"jitter out of bounds", offline.Retry{Initial: time.Second, Factor: 2, Max: time.Minute, Jitter: 50}, 1, 1, 2 * time.Second},
		{"jitter never waits less than nothing", offline.Retry{Initial: time.Second, Factor: 2, Max: time.Minute, Jitter: 50}, 1, -1, 0},
		{"negative jitter", offline.Retry{Initial: time.Second, Factor: 2, Max: time.Minute, Jitter: -1}, 1, 1, time.Second},
		{"jitter that is no number", offline.Retry{Initial: time.Second, Factor: 2, Max: time.Minute, Jitter: nan}, 1, 1, time.Second},

		{"factor below one", offline.Retry{Initial: time.Minute, Factor: 0.5, Max: time.Hour}, 10, 0, time.Minute},
		{"negative factor", offline.Retry{Initial: time.Minute, Factor: -2, Max: time.Hour}, 10, 0, time.Minute},
		{"factor one", offline.Retry{Initial: time.Minute, Factor: 1, Max: time.Hour}, math.MaxInt, 0, time.Minute},
		{"infinite factor", offline.Retry{Initial: time.Minute, Factor: inf, Max: time.Hour}, 2, 0, time.Hour},
		{"factor that is no number", offline.Retry{Initial: time.Minute, Factor: nan, Max: time.Hour}, 9, 0, time.Minute},
		{"initial above the maximum", offline.Retry{Initial: time.Hour, Factor: 2, Max: time.Minute}, 1, 0, time.Minute},
		{"the longest duration", offline.Retry{Initial: time.Hour, Factor: 2, Max: math.MaxInt64, Jitter: 1}, 10_000, 1, math.MaxInt64},

		{"zeros are the defaults", offline.Retry{}, 1, 1, 30 * time.Second},
		{"zeros are the defaults, second", offline.Retry{}, 2, 0, time.Minute},
		{"zeros are the defaults, later", offline.Retry{}, 50, 0, 5 * time.Minute},
		{"negative times are the defaults", offline.Retry{Initial: -1, Max: -1}, 50, 0, 5 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.retry.Wait(test.n, test.random); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// The wait as it comes about, failure after failure.
func TestBackoff(t *testing.T) {
	s := online
	now := time.Hour
	for n, want := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute} {
		s = after(s, now, outage)
		if s.Failures != n+1 || s.NextRetry.Sub(t0.Add(now)) != want {
			t.Fatalf("failure %d: %s, want %s", s.Failures, s.NextRetry.Sub(t0.Add(now)), want)
		}
		now += want
	}
	// At failure 10,000 and at the last one that can be counted it still waits,
	// and still tries.
	for _, n := range []int{57, 58, 63, 64, 9_999, math.MaxInt - 1, math.MaxInt} {
		s.Failures = n
		s = after(s, now, outage)
		if s.Failures < n || !s.NextRetry.Equal(t0.Add(now+5*time.Minute)) {
			t.Fatalf("after failure %d: %d, next try in %s", n, s.Failures, s.NextRetry.Sub(t0.Add(now)))
		}
		now += 5 * time.Minute
		if _, a := offline.Decide(s, t0.Add(now), policy(), offline.Call{}, session(token(0)), start); a.Verb != offline.Refresh {
			t.Fatalf("after failure %d: %s", n, a.Verb)
		}
	}
	// A count that is none, from wherever it came, begins anew.
	if s.Failures = -5; s.Offline() {
		t.Error("offline with less than no failures")
	}
	if s = after(s, now, outage); s.Failures != 1 || !s.Since.Equal(t0.Add(now)) {
		t.Errorf("%d failures since %s", s.Failures, s.Since)
	}
}

func TestRetryAfterInTheBackoff(t *testing.T) {
	asks := func(d time.Duration) offline.Failure { f := outage; f.RetryAfter = d; return f }
	for _, test := range []struct {
		asked, want time.Duration
	}{
		{0, 30 * time.Second},
		{10 * time.Second, 30 * time.Second}, // shorter: the backoff wins
		{20 * time.Minute, 20 * time.Minute},
		{time.Hour, time.Hour},
		{day, time.Hour},
		{-time.Hour, 30 * time.Second},
		{math.MaxInt64, time.Hour},
		{math.MinInt64, 30 * time.Second},
	} {
		if got := after(online, 0, asks(test.asked)).NextRetry.Sub(t0); got != test.want {
			t.Errorf("asked for %s: %s, want %s", test.asked, got, test.want)
		}
	}
	// A forced try that fails in another way does not shorten what the server
	// asked for.
	s := after(online, 0, asks(time.Hour))
	s = after(s, time.Minute, outage)
	if !s.NextRetry.Equal(t0.Add(time.Hour)) || s.Failures != 2 {
		t.Errorf("next try at %s", s.NextRetry)
	}
	// Once that has passed it counts no more.
	if s = after(s, time.Hour, outage); !s.NextRetry.Equal(t0.Add(time.Hour + 2*time.Minute)) {
		t.Errorf("next try at %s", s.NextRetry)
	}
}

func TestJitterSpreads(t *testing.T) {
	for _, random := range []float64{-1, -0.5, 0, 0.25, 1} {
		s, _ := offline.Decide(online, t0, policy(), offline.Call{}, session(token(0)),
			offline.Outcome{Stage: offline.Failed, Failure: outage, Random: random})
		want := 30*time.Second + time.Duration(random*3*float64(time.Second))
		if got := s.NextRetry.Sub(t0); got != want {
			t.Errorf("%v: %s, want %s", random, got, want)
		}
	}
}
