package offline

import "time"

// clockTolerance is how far a clock may stand behind the highest time seen
// before it counts as moved back: time servers correct by less.
const clockTolerance = 5 * time.Minute

// wall takes the monotonic clock's reading away, which time.Time carries along
// and prefers: it stands still while a machine sleeps, so a token would seem
// to live on through a suspended night.
func wall(t time.Time) time.Time { return t.Round(0).UTC() }

// EffectiveNow is the time that limits and expiries go by: the clock's, unless
// it stands more than five minutes behind the highest time seen (movedBack);
// then that time, plus what has passed since the clock was turned back. So
// turning a clock back extends nothing, and a clock that is set right again
// is believed at once.
func (s State) EffectiveNow(now time.Time) (effective time.Time, movedBack bool) {
	now = wall(now)
	if s.High.Sub(now) <= clockTolerance {
		return now, false
	}
	return wall(s.High).Add(s.passed(now)), true
}

// passed is the time since High was brought up to date by a clock that stands
// behind it.
//
// A step from before the last sync to after it is counted from the sync on:
// nobody can have looked at the session before it was synced, so the clock was
// wrong, and when it was set right it jumped. A machine that starts in 1970
// until it finds a time server would otherwise age its sessions by decades.
func (s State) passed(now time.Time) time.Duration {
	from := s.Seen
	if from.IsZero() {
		return 0
	}
	if from.Before(s.LastSync) && now.After(s.LastSync) {
		from = s.LastSync
	}
	return max(now.Sub(from), 0)
}

// tick brings High and Seen up to date. High never goes down here.
func (s *State) tick(now time.Time) {
	effective, _ := s.EffectiveNow(now)
	if effective.After(s.High) {
		s.High = effective
	}
	s.Seen = wall(now)
}

// Synced is the state after the provider itself answered sensibly, at now. Its
// answer vouches for the session, so a clock that once ran ahead is forgotten.
func (s State) Synced(now time.Time) State {
	now = wall(now)
	s.LastSync, s.High, s.Seen = now, now, now
	return s
}

// waiting says whether the backoff forbids a try. It goes by the machine's
// clock: a NextRetry that a clock turned back has moved far away would
// otherwise never come.
func (s State) waiting(now time.Time) bool {
	now = wall(now)
	if !s.Offline() || !now.Before(s.NextRetry) {
		return false
	}
	return !now.Before(s.LastFailure.Add(-clockTolerance))
}
