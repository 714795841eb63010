package session

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

func testRecord() *record {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	return &record{
		Version: recordVersion, Profile: "work", Issuer: "https://id.example.com", ClientID: "oidc-cred", Subject: "user-1", Username: "ada",
		LoginAt: at, Access: heldToken{Value: "SECRET-access", Obtained: at, Expiry: at.Add(time.Hour), Stale: true},
		ID: heldToken{Value: "SECRET-id", Obtained: at}, Refresh: "SECRET-refresh", Scopes: []string{"openid"}, IDNotRenewed: true,
		UserInfo: json.RawMessage(`{"sub":"user-1","email":"SECRET-claim"}`),
		State:    offline.State{}.Synced(at),
	}
}

func TestRecordRoundTrip(t *testing.T) {
	sealed, plain, err := testRecord().encode("memory")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(plain, []byte("SECRET")) {
		t.Errorf("the public copy is %s", plain)
	}
	r, err := decodeRecord(sealed)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := r.encode("memory")
	if err != nil || !bytes.Equal(sealed, again) {
		t.Errorf("%s became %s, %v", sealed, again, err)
	}
	p, err := decodePublic(plain)
	if err != nil || p.Store != "memory" || !p.HasRefresh || !p.Access.Stale || !p.Access.Present || p.Username != "ada" || !p.State.LastSync.Equal(r.LoginAt) {
		t.Errorf("the public copy is %+v, %v", p, err)
	}
}

func TestLifetime(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, c := range []struct {
		held heldToken
		want time.Duration
	}{
		{heldToken{}, 0}, {heldToken{Obtained: at}, 0}, {heldToken{Expiry: at}, 0},
		{heldToken{Obtained: at, Expiry: at.Add(time.Hour)}, time.Hour}, {heldToken{Obtained: at, Expiry: at.Add(-time.Hour)}, 0},
	} {
		if have := c.held.lifetime(); have != c.want {
			t.Errorf("%+v lives for %s, want %s", c.held, have, c.want)
		}
	}
}

func TestUsername(t *testing.T) {
	for claims, want := range map[string]string{
		`{"preferred_username":"ada","email":"e","name":"n"}`: "ada", `{"email":"e","name":"n"}`: "e", `{"name":"n"}`: "n",
		`{"preferred_username":7,"email":"","name":["n"]}`: "", `{}`: "", `[]`: "", `{`: "", `null`: "",
	} {
		if have := usernameIn([]byte(claims)); have != want {
			t.Errorf("%s: %q, want %q", claims, have, want)
		}
	}
}

// FuzzRecord: whatever was sealed, it is a session or an error that shows
// nothing of it.
func FuzzRecord(f *testing.F) {
	sealed, _, err := testRecord().encode("memory")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(sealed), "", "{}", "null", "[]", `{"v":1}`, `{"v":1,"access":{"expiry":"0001-01-01T00:00:00Z"}}`, `{"v":1,"state":{"failures":-1,"high":"9999-12-31T23:59:59Z"}}`, `{"v":1,"login_at":"SECRET-"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRecord(data)
		if err != nil {
			if strings.Contains(err.Error(), "SECRET-") {
				t.Errorf("the error is %v", err)
			}
			return
		}
		for _, kind := range []TokenType{Access, ID} {
			now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
			_, act := offline.Decide(r.State, now, offline.DefaultPolicy(), offline.Call{}, r.facts(kind, heldToken{}, now), offline.Outcome{})
			if act.Verb == offline.Print && r.held(kind).Value == "" {
				t.Errorf("an empty token is printed: %+v", act)
			}
		}
		again, plain, err := r.encode("memory")
		if err != nil {
			return // a time that JSON can't hold
		}
		if _, err := decodeRecord(again); err != nil {
			t.Errorf("what was encoded can't be read: %v", err)
		}
		if _, err := decodePublic(plain); err != nil {
			t.Errorf("its public copy can't be read: %v", err)
		}
	})
}

// FuzzPublic: whatever an editor made of the public copy, status has a word for
// it.
func FuzzPublic(f *testing.F) {
	_, plain, err := testRecord().encode("memory")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(plain), "", "{}", "null", `{"v":1,"state":{"failures":3}}`, `{"v":1,"signed_out":{}}`, `{"v":1,"tries":{"state":{"failures":2},"refused":{"at":"2026-03-04T05:06:00Z","until":"9999-12-31T23:59:59Z"}}}`, `{"v":1,"state":{"failures":1,"last_sync":"9999-12-31T23:59:59Z"}}`} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, workload bool) {
		p, err := decodePublic(data)
		if err != nil {
			return
		}
		policy := offline.DefaultPolicy()
		policy.Enabled = true
		m := &Manager{flow: &oidcflow.Client{}, policy: policy, now: func() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) }}
		if workload {
			m.workload = &Workload{Grant: GrantClientCredentials}
		}
		s := &Status{State: StateSignInRequired}
		m.fill(s, p)
		switch s.State {
		case StateOnline, StateSignInRequired:
			if s.Offline != nil {
				t.Errorf("%s, and %+v", s.State, s.Offline)
			}
		case StateOffline:
			if s.Offline == nil || s.Offline.Usable && !p.Access.Present {
				t.Errorf("offline: %+v", s.Offline)
			}
		default:
			t.Errorf("the state is %q", s.State)
		}
	})
}
