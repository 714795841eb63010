package offline

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds a server's Retry-After: longer, and one bad header
// would keep a machine offline for days.
const maxRetryAfter = time.Hour

// Failure is a failed exchange with the provider.
type Failure struct {
	Step     Step
	Category Category
	// Detail is the failure in a few words, such as "HTTP 503", fit for a
	// terminal.
	Detail string
	// Code is the OAuth error code, where the provider sent one, fit for a
	// terminal.
	Code string
	// Advice is what can be done about it on this machine, see [Advice]; it may
	// be empty.
	Advice string
	// RetryAfter is the wait that the server asked for; 0 if none.
	RetryAfter time.Duration
}

// NewFailure classifies err, which ended the given step at the time now.
func NewFailure(step Step, err error, now time.Time) Failure {
	f := Failure{Step: step, Category: Classify(err), Detail: Describe(err), Advice: Advice(err)}
	if step == StepSubjectToken {
		f.Detail = clean("the subject token can't be had: " + f.Detail)
	}
	if drill, ok := errors.AsType[drillError](err); ok {
		f.Step = drill.SimulatedStep()
	}
	if answer := answerIn(err); answer != nil {
		f.Code = clean(errorCode(answer))
		if answer.Response != nil && f.Category == ServerError {
			f.RetryAfter = retryAfter(answer.Response.Header, now)
		}
	}
	return f
}

// drillError is a failure that is only simulated, and says which step it stands
// for: with the discovery document in the cache, a drill would never come to
// fetch it.
type drillError interface {
	error
	SimulatedStep() Step
}

// InvalidIDToken is the failure of a new ID token that proves wrong: its
// signature, issuer, audience or subject. It ends the session.
func InvalidIDToken(err error) Failure {
	f := Failure{Step: StepIDToken, Category: AuthenticationError, Detail: "the new ID token is not valid"}
	if err != nil {
		f.Detail = clean(err.Error())
	}
	return f
}

// EndsSession says whether the failure is the provider's "no". What discovery,
// keys and userinfo answer never is.
func (f Failure) EndsSession() bool {
	return (f.Step == StepRefresh || f.Step == StepIDToken) && f.Category.Rejection()
}

// Reason is why the session is offline after this failure.
func (f Failure) Reason() Reason {
	switch f.Step {
	case StepDiscovery:
		return ReasonDiscoveryUnavailable
	case StepUserInfo:
		return ReasonUserInfoUnavailable
	case StepSubjectToken:
		return ReasonTokenRefreshFailed // the provider was not even asked
	default:
		return reasonOf(f.Category)
	}
}

// retryAfter reads RFC 9110 §10.2.3: seconds, or a date. Anything else,
// and any time that has passed, is no wait. A date is measured from the
// server's own clock where the answer has it, since ours may be another.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0
	}
	var wait time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		if seconds >= uint64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		wait = time.Duration(seconds) * time.Second
	} else if errors.Is(err, strconv.ErrRange) {
		return maxRetryAfter
	} else if at, err := http.ParseTime(value); err == nil {
		if theirs, err := http.ParseTime(h.Get("Date")); err == nil {
			now = theirs
		}
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
