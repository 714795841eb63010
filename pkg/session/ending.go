package session

import (
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// WarnSignInEnding says that the provider announced the end of the sign-in for
// soon. The provider alone decides: nothing goes by it.
const WarnSignInEnding offline.WarningType = "sign_in_ending"

// endingDay: of a long sign-in, the last day is near its end.
const endingDay = 24 * time.Hour

// signInEnding is the warning that a sign-in is near its announced end: less
// than a day, or than a tenth of the time since the end is known, whichever is
// less.
func signInEnding(end, since, now time.Time, profile string) (offline.Warning, bool) {
	if end.IsZero() || since.IsZero() || end.Sub(now) >= min(endingDay, end.Sub(since)/10) {
		return offline.Warning{}, false
	}
	w := offline.Warning{Type: WarnSignInEnding}
	if left := end.Sub(now); left > 0 {
		w.Message = "the sign-in ends in " + offline.Short(left) + " by what the provider announced, unless it is renewed before"
	} else {
		w.Message = "the sign-in ended " + offline.Short(-left) + " ago by what the provider announced"
	}
	w.Message += "; 'oidc-cred login --profile " + profile + "' begins a new one"
	return w, true
}
