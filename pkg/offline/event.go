package offline

import "time"

// EventType names an event.
type EventType string

// The events.
const (
	EventOfflineEntered EventType = "offline_mode_entered"
	EventOfflineExited  EventType = "offline_mode_exited"
	EventWarning        EventType = "offline_auth_warning"
	EventTokenRefreshed EventType = "token_refreshed"
	EventSignedIn       EventType = "signed_in"
	EventSignedOut      EventType = "signed_out"
)

// Event is something that happened to a session. Which fields are set depends
// on the type; none is secret.
type Event struct {
	Type    EventType
	Time    time.Time
	Profile string

	// offline_mode_entered
	Reason   Reason
	HasToken bool

	// signed_out
	Cause Cause

	// offline_mode_exited
	Lasted          time.Duration
	NetworkRestored bool

	// offline_mode_entered, offline_mode_exited; zero unknown
	LastSync time.Time

	// offline_auth_warning
	Warning    WarningType
	Message    string
	ExpiredFor time.Duration
}

func offlineEntered(s State, hasToken bool) Event {
	return Event{Type: EventOfflineEntered, Reason: s.Reason, HasToken: hasToken, LastSync: s.LastSync}
}

// offlineExited measures with the time that the limits went by until then, so
// that a clock turned back on the way makes no outage shorter.
func offlineExited(was, is State, effective time.Time) Event {
	e := Event{Type: EventOfflineExited, NetworkRestored: true, LastSync: is.LastSync}
	if lasted := effective.Sub(was.Since); !was.Since.IsZero() && lasted > 0 {
		e.Lasted = lasted
	}
	return e
}
