package helper

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

const (
	infoV1      = `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":true}}`
	infoV1beta1 = `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","spec":{"interactive":false,"cluster":{"server":"https://k","config":{"profile":"east"}}}}`
)

func TestReadExecInfo(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     execInfo
		problem  string
	}{
		{name: "none", want: execInfo{ExecV1, true, ""}},
		{name: "v1", in: infoV1, want: execInfo{ExecV1, true, ""}},
		{name: "v1beta1 with a profile", in: infoV1beta1, want: execInfo{ExecV1beta1, false, "east"}},
		{name: "interactive not stated", in: `{"apiVersion":"client.authentication.k8s.io/v1","spec":{}}`, want: execInfo{ExecV1, false, ""}},
		{name: "config null", in: `{"apiVersion":"client.authentication.k8s.io/v1","spec":{"cluster":{"config":null}}}`, want: execInfo{ExecV1, false, ""}},
		{name: "unknown fields of Kubernetes", in: `{"apiVersion":"client.authentication.k8s.io/v1","spec":{"new":1},"status":{}}`, want: execInfo{ExecV1, false, ""}},
		{name: "v1alpha1", in: `{"apiVersion":"client.authentication.k8s.io/v1alpha1"}`, problem: "v1alpha1"},
		{name: "no version", in: `{}`, problem: `apiVersion ""`},
		{name: "another kind", in: `{"kind":"Pod","apiVersion":"v1"}`, problem: `"Pod"`},
		{name: "no JSON", in: `apiVersion: x`, problem: "no JSON"},
		{name: "cut off", in: `{"kind":`, problem: "no JSON"},
		{name: "two values", in: infoV1 + infoV1, problem: "no JSON"},
		{name: "interactive of another type", in: `{"spec":{"interactive":"yes"}}`, problem: "bool"},
		{name: "config of another shape", in: strings.Replace(infoV1beta1, `{"profile":"east"}`, `"east"`, 1), problem: "exec config"},
		{name: "a list", in: strings.Replace(infoV1beta1, `{"profile":"east"}`, `["east"]`, 1), problem: "exec config"},
		{name: "misspelt", in: strings.Replace(infoV1beta1, `"profile"`, `"profil"`, 1), problem: `unknown field "profil"`},
		{name: "huge", in: `"` + strings.Repeat("x", maxExecInfo) + `"`, problem: "longer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readExecInfo(tt.in)
			if got != tt.want || (err != nil) != (tt.problem != "") {
				t.Fatalf("%+v, %v", got, err)
			}
			var usage *UsageError
			if err != nil && (!errors.As(err, &usage) || !strings.Contains(err.Error(), tt.problem)) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestKubectl(t *testing.T) {
	for _, tt := range []struct {
		name    string
		info    string
		opt     KubectlOptions
		src     *fakeSource
		stale   bool
		out     string
		kind    session.Kind
		profile string
		asked   session.TokenType
	}{
		{
			name: "by hand", profile: "", asked: session.ID,
			out: `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{},"status":{"expirationTimestamp":"2026-03-01T13:00:00Z","token":"T1"}}`,
		},
		{
			name: "v1beta1, the cluster's profile", info: infoV1beta1, profile: "east", asked: session.ID,
			out: `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","spec":{},"status":{"expirationTimestamp":"2026-03-01T13:00:00Z","token":"T1"}}`,
		},
		{
			name: "flags win", info: infoV1beta1, opt: KubectlOptions{Profile: "west", Type: session.Access}, profile: "west", asked: session.Access,
			out: `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","spec":{},"status":{"expirationTimestamp":"2026-03-01T13:00:00Z","token":"T1"}}`,
		},
		{name: "expired", info: infoV1, src: &fakeSource{tokens: []*session.Token{expired("T1")}}, kind: session.Unreachable, asked: session.ID},
		{
			name: "expired, asked for", info: infoV1, src: &fakeSource{tokens: []*session.Token{expired("T1")}}, stale: true, asked: session.ID,
			out: `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{},"status":{"expirationTimestamp":"2026-03-01T12:01:00Z","token":"T1"}}`,
		},
		{name: "signed out", info: infoV1, src: &fakeSource{err: errSignIn}, kind: session.SignInRequired, asked: session.ID},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.src == nil {
				tt.src = &fakeSource{tokens: []*session.Token{live("T1")}}
			}
			w := newWorld(nil, "")
			w.env.Getenv = func(name string) string {
				if name == "KUBERNETES_EXEC_INFO" {
					return tt.info
				}
				return ""
			}
			var profile string
			w.env.Profile = func(name string) (*Target, error) {
				profile = name
				return &Target{Source: tt.src, Profile: name, ServeStale: tt.stale}, nil
			}
			err := Kubectl(t.Context(), w.env, tt.opt)
			if session.KindOf(err) != tt.kind || (err != nil) != (tt.kind != 0) {
				t.Fatalf("error %v", err)
			}
			if got := strings.TrimSuffix(w.out.String(), "\n"); got != tt.out {
				t.Errorf("answer %s, want %s", got, tt.out)
			}
			if profile != tt.profile || tt.src.requests[0].Type != tt.asked {
				t.Errorf("profile %q, request %+v", profile, tt.src.requests[0])
			}
			if w.errs.Len() > 0 || (len(w.warned) > 0) != tt.stale {
				t.Errorf("stderr %q, warnings %v", w.errs.String(), w.warned)
			}
		})
	}
}

func TestExecAPIVersion(t *testing.T) {
	for in, want := range map[string]string{"": ExecV1, infoV1: ExecV1, infoV1beta1: ExecV1beta1, "x": ""} {
		got, err := ExecAPIVersion(func(string) string { return in })
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestKubectlExpiredMessage(t *testing.T) {
	err := refuseExpired(expired("T1"), now, "kube-apiserver")
	want := "the token expired 2 hours ago and can't be renewed now (the network or the identity provider can't be reached); kube-apiserver accepts no expired token"
	if err.Error() != want {
		t.Errorf("%q", err)
	}
}

func TestExecCredentialExpiry(t *testing.T) {
	at := func(d time.Duration, expired bool) *session.Token {
		tok := live("T1")
		tok.Expiry, tok.Expired = now.Add(d), expired
		return tok
	}
	never := live("T1")
	never.Expiry = time.Time{}
	for _, tt := range []struct {
		name string
		tok  *session.Token
		want string
	}{
		{"live", at(90*time.Second, false), "2026-03-01T12:01:30Z"},
		{"unknown", never, ""},
		{"last second", at(300*time.Millisecond, false), "2026-03-01T12:00:01Z"},
		{"expired while it was read", at(-time.Second, false), "2026-03-01T12:00:01Z"},
		{"stale", at(-time.Hour, true), "2026-03-01T12:01:00Z"},
		{"stale by the latest time seen, the clock is behind", at(time.Hour, true), "2026-03-01T12:01:00Z"},
	} {
		raw, err := ExecCredential(tt.tok, "", now)
		if err != nil {
			t.Fatal(err)
		}
		var out struct{ Status map[string]string }
		if err := json.Unmarshal(raw, &out); err != nil {
			t.Fatal(err)
		}
		if got := out.Status["expirationTimestamp"]; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if _, err := ExecCredential(never, "client.authentication.k8s.io/v1alpha1", now); err == nil {
		t.Error("v1alpha1 is answered")
	}
}

// FuzzExecInfo: what is accepted is answered in the version that was asked
// for, and nothing panics.
func FuzzExecInfo(f *testing.F) {
	for _, s := range []string{"", infoV1, infoV1beta1, `{}`, `null`, `[]`, `{"apiVersion":1}`, `{"spec":{"cluster":null}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		info, err := readExecInfo(in)
		if err != nil {
			if info != (execInfo{}) {
				t.Fatalf("an error and %+v", info)
			}
			return
		}
		if _, err := ExecCredential(live("T1"), info.apiVersion, now); err != nil {
			t.Fatal(err)
		}
		if in != "" && !strings.Contains(in, "client.authentication.k8s.io") && !strings.Contains(in, `\`) {
			t.Fatalf("version %s out of %q", info.apiVersion, in)
		}
	})
}
