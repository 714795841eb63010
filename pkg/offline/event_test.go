package offline_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

func TestEventJSON(t *testing.T) {
	head := func(e offline.EventType) offline.Event {
		return offline.Event{Type: e, Time: t0.Add(time.Hour), Profile: "work"}
	}
	with := func(e offline.Event, change func(*offline.Event)) offline.Event { change(&e); return e }
	start := `{"time":"2026-03-02T10:00:00Z","type":`
	for _, test := range []struct {
		name  string
		event offline.Event
		want  string
	}{
		{"entered", with(head(offline.EventOfflineEntered), func(e *offline.Event) {
			e.Reason, e.HasToken, e.LastSync = offline.ReasonServerUnavailable, true, t0
		}), `"offline_mode_entered","profile":"work","reason":"server_unavailable","has_token":true,"last_sync":"2026-03-02T09:00:00Z"}`},
		{"entered, never synced", with(head(offline.EventOfflineEntered), func(e *offline.Event) {
			e.Reason = offline.ReasonNetworkUnavailable
		}), `"offline_mode_entered","profile":"work","reason":"network_unavailable","has_token":false,"last_sync":null}`},
		{"exited", with(head(offline.EventOfflineExited), func(e *offline.Event) {
			e.Lasted, e.NetworkRestored, e.LastSync = 90*time.Minute+time.Nanosecond, true, t0
		}), `"offline_mode_exited","profile":"work","lasted":"1h30m0.000000001s","network_restored":true,"last_sync":"2026-03-02T09:00:00Z"}`},
		{"warning", with(head(offline.EventWarning), func(e *offline.Event) {
			e.Warning, e.Message, e.ExpiredFor = offline.WarnUsingExpiredToken, "the token expired 1 minute ago", time.Minute
		}), `"offline_auth_warning","profile":"work","warning":"using_expired_token","message":"the token expired 1 minute ago","expired_for_seconds":60}`},
		{"warning, just expired", with(head(offline.EventWarning), func(e *offline.Event) {
			e.Warning, e.Message = offline.WarnUsingExpiredToken, "now"
		}), `"offline_auth_warning","profile":"work","warning":"using_expired_token","message":"now","expired_for_seconds":0}`},
		{"another warning", with(head(offline.EventWarning), func(e *offline.Event) {
			e.Warning, e.Message = offline.WarnStaleUserInfo, "old"
		}), `"offline_auth_warning","profile":"work","warning":"stale_user_info","message":"old"}`},
		{"refreshed", head(offline.EventTokenRefreshed), `"token_refreshed","profile":"work"}`},
		{"signed in", head(offline.EventSignedIn), `"signed_in","profile":"work"}`},
		{"signed out", with(head(offline.EventSignedOut), func(e *offline.Event) {
			e.Cause = offline.CauseLimitPassed
		}), `"signed_out","profile":"work","reason":"offline_limit_passed"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, v := range []any{test.event, &test.event} {
				got, err := json.Marshal(v)
				if err != nil || string(got) != start+test.want {
					t.Fatalf("got  %s (%v)\nwant %s", got, err, start+test.want)
				}
			}
			got := offline.Event{Message: "left over", HasToken: true}
			if err := json.Unmarshal([]byte(start+test.want), &got); err != nil || got != test.event {
				t.Errorf("read back %+v (%v)\nwant %+v", got, err, test.event)
			}
		})
	}
}

// Fields of other events are left out, whatever an event carries.
func TestEventJSONHasOnlyItsOwnFields(t *testing.T) {
	all := offline.Event{
		Time: t0, Profile: "work", Reason: "r", HasToken: true, Cause: "c", Lasted: 1, NetworkRestored: true,
		LastSync: t0, Warning: "w", Message: "m", ExpiredFor: time.Hour,
	}
	for kind, fields := range map[offline.EventType]int{
		offline.EventOfflineEntered: 6, offline.EventOfflineExited: 6, offline.EventWarning: 5,
		offline.EventTokenRefreshed: 3, offline.EventSignedIn: 3, offline.EventSignedOut: 4, "later": 3,
	} {
		all.Type = kind
		data, err := json.Marshal(all)
		var object map[string]any
		if err != nil || json.Unmarshal(data, &object) != nil || len(object) != fields {
			t.Errorf("%s (%v)", data, err)
		}
	}
}

// Every event that a decision makes can be written and read again.
func TestDecidedEventsRoundTrip(t *testing.T) {
	s := failing(online, 3*day, 4)
	for _, out := range []offline.Outcome{start, failure, success, {Stage: offline.Succeeded, ValidationSkipped: true}} {
		_, a := offline.Decide(s, s.LastFailure.Add(time.Second), policy(), offline.Call{}, session(token(time.Hour), renewed), out)
		for _, e := range a.Events {
			data, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			var got offline.Event
			e.ExpiredFor = e.ExpiredFor.Truncate(time.Second)
			if err := json.Unmarshal(data, &got); err != nil || got != e {
				t.Errorf("%s\ngave %+v (%v)\nwant %+v", data, got, err, e)
			}
		}
	}
}

func TestEventUnmarshal(t *testing.T) {
	var e offline.Event
	for _, bad := range []string{
		``, `[]`, `"x"`, `{"time":1}`, `{"time":"yesterday"}`, `{"type":1}`,
		`{"type":"offline_mode_exited","lasted":"long"}`, `{"type":"offline_mode_entered","has_token":"yes"}`,
		`{"type":"offline_auth_warning","message":1}`, `{"type":"signed_out","reason":{}}`,
		`{"time":"2026-03-02T10:00:00Z","type":"tok`,
	} {
		e = offline.Event{Profile: "before"}
		if err := e.UnmarshalJSON([]byte(bad)); err == nil || e.Profile != "before" {
			t.Errorf("%s: %+v, %v", bad, e, err)
		}
	}
	for good, want := range map[string]offline.Event{
		`{}`:                           {},
		`{"type":"later","new":[1,2]}`: {Type: "later"},
		`{"type":"signed_in","time":"2026-03-02T10:00:00+01:00"}`:                     {Type: offline.EventSignedIn, Time: t0},
		`{"type":"offline_mode_exited"}`:                                              {Type: offline.EventOfflineExited},
		`{"type":"offline_auth_warning","message":"a\u001b[31mb\n"}`:                  {Type: offline.EventWarning, Message: "a[31mb"},
		`{"type":"offline_auth_warning","expired_for_seconds":9223372036854775807}`:   {Type: offline.EventWarning, ExpiredFor: 9223372036 * time.Second},
		`{"type":"offline_auth_warning","expired_for_seconds":-9223372036854775808}`:  {Type: offline.EventWarning, ExpiredFor: -9223372036 * time.Second},
		`{"type":"offline_mode_entered","last_sync":null,"reason":"x\u202e"}`:         {Type: offline.EventOfflineEntered, Reason: "x"},
		`{"type":"signed_out","reason":"\u001b]0;x\u0007","profile":"w\u001b","a":1}`: {Type: offline.EventSignedOut, Cause: "]0;x", Profile: "w"},
	} {
		e = offline.Event{}
		if err := json.Unmarshal([]byte(good), &e); err != nil || e != want {
			t.Errorf("%s: %+v (%v)\nwant %+v", good, e, err, want)
		}
	}
}

func FuzzEventJSON(f *testing.F) {
	f.Add(`{"time":"2026-03-02T10:00:00Z","type":"offline_mode_exited","lasted":"1h","last_sync":null}`)
	f.Add(`{"type":"offline_auth_warning","warning":"w","message":"\u001b[31m","expired_for_seconds":1e3}`)
	f.Add(`{"type":"signed_out","reason":"rejected"}`)
	f.Fuzz(func(t *testing.T, line string) {
		var e offline.Event
		if json.Unmarshal([]byte(line), &e) != nil {
			return
		}
		checkText(t, e.Message)
		checkText(t, string(e.Type))
		checkText(t, e.Profile)
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatalf("%+v: %v", e, err)
		}
		if strings.ContainsAny(string(data), "\n\x1b") {
			t.Fatalf("%q", data)
		}
		if e.Type == offline.EventWarning && e.Warning != offline.WarnUsingExpiredToken {
			e.ExpiredFor = 0
		}
		var again offline.Event
		if err := json.Unmarshal(data, &again); err != nil || again != e {
			t.Fatalf("%s\ngave %+v (%v)\nwant %+v", data, again, err, e)
		}
	})
}
