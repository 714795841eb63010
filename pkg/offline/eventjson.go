package offline

import (
	"encoding/json"
	"fmt"
	"time"
)

// eventHead is what every event has as JSON.
type eventHead struct {
	Time    time.Time `json:"time"`
	Type    EventType `json:"type"`
	Profile string    `json:"profile"`
}

// The fields of the single events as JSON.
type (
	enteredJSON struct {
		Reason   Reason     `json:"reason"`
		HasToken bool       `json:"has_token"`
		LastSync *time.Time `json:"last_sync"`
	}
	exitedJSON struct {
		Lasted          string     `json:"lasted"` // as time.Duration writes it
		NetworkRestored bool       `json:"network_restored"`
		LastSync        *time.Time `json:"last_sync"`
	}
	warningJSON struct {
		Warning    WarningType `json:"warning"`
		Message    string      `json:"message"`
		ExpiredFor *int64      `json:"expired_for_seconds,omitempty"`
	}
	signedOutJSON struct {
		Reason Cause `json:"reason"`
	}
)

// MarshalJSON writes the event as one object with the fields of its type only.
// Times are RFC 3339 in UTC, an unknown last sync is null, and ExpiredFor is in
// whole seconds.
func (e Event) MarshalJSON() ([]byte, error) {
	head := eventHead{Time: wall(e.Time), Type: e.Type, Profile: e.Profile}
	switch e.Type {
	case EventOfflineEntered:
		return json.Marshal(struct {
			eventHead
			enteredJSON
		}{head, enteredJSON{e.Reason, e.HasToken, orNull(e.LastSync)}})
	case EventOfflineExited:
		return json.Marshal(struct {
			eventHead
			exitedJSON
		}{head, exitedJSON{e.Lasted.String(), e.NetworkRestored, orNull(e.LastSync)}})
	case EventWarning:
		w := warningJSON{Warning: e.Warning, Message: clean(e.Message)}
		if e.Warning == WarnUsingExpiredToken {
			seconds := int64(e.ExpiredFor / time.Second)
			w.ExpiredFor = &seconds
		}
		return json.Marshal(struct {
			eventHead
			warningJSON
		}{head, w})
	case EventSignedOut:
		return json.Marshal(struct {
			eventHead
			signedOutJSON
		}{head, signedOutJSON{e.Cause}})
	default:
		return json.Marshal(head)
	}
}

// UnmarshalJSON reads what MarshalJSON writes. It takes an event of a later
// version for what it knows of it, and makes texts fit for a terminal: the
// file that they come from can be written by others.
func (e *Event) UnmarshalJSON(data []byte) error {
	var head eventHead
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("read event: %w", err)
	}
	read := Event{Time: wall(head.Time), Type: EventType(clean(string(head.Type))), Profile: clean(head.Profile)}
	if err := read.fields(data); err != nil {
		return fmt.Errorf("read event %s: %w", read.Type, err)
	}
	*e = read
	return nil
}

func (e *Event) fields(data []byte) error {
	switch e.Type {
	case EventOfflineEntered:
		var f enteredJSON
		if err := json.Unmarshal(data, &f); err != nil {
			return err
		}
		e.Reason, e.HasToken, e.LastSync = Reason(clean(string(f.Reason))), f.HasToken, orZero(f.LastSync)
	case EventOfflineExited:
		var f exitedJSON
		if err := json.Unmarshal(data, &f); err != nil {
			return err
		}
		lasted, err := time.ParseDuration(f.Lasted)
		if err != nil && f.Lasted != "" {
			return err
		}
		e.Lasted, e.NetworkRestored, e.LastSync = lasted, f.NetworkRestored, orZero(f.LastSync)
	case EventWarning:
		var f warningJSON
		if err := json.Unmarshal(data, &f); err != nil {
			return err
		}
		e.Warning, e.Message = WarningType(clean(string(f.Warning))), clean(f.Message)
		if f.ExpiredFor != nil {
			e.ExpiredFor = seconds(*f.ExpiredFor)
		}
	case EventSignedOut:
		var f signedOutJSON
		if err := json.Unmarshal(data, &f); err != nil {
			return err
		}
		e.Cause = Cause(clean(string(f.Reason)))
	}
	return nil
}

// seconds is n seconds, as far as a duration goes.
func seconds(n int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Second)
	return time.Duration(max(-most, min(n, most))) * time.Second
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = wall(t)
	return &t
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return wall(*t)
}
