package helper

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

func TestTerraform(t *testing.T) {
	for _, tt := range []struct {
		name, args string
		src        *fakeSource
		out        string
		err, hint  string
	}{
		{name: "mapped", args: "get git.example.com", out: "{\"token\":\"T1\"}\n"},
		{name: "mapped with its port", args: "get a.dev.example.com:8443", out: "{\"token\":\"T1\"}\n"},
		{name: "expired", args: "get git.example.com", src: &fakeSource{tokens: []*session.Token{expired("T1")}}, out: "{\"token\":\"T1\"}\n"},
		{name: "another port", args: "get git.example.com:8443", out: "{}\n"},
		{name: "unmapped", args: "get app.terraform.io", out: "{}\n"},
		{name: "internationalised, unmapped", args: "get xn--caf-dma.fr", out: "{}\n"},
		{name: "no host", args: "get https://git.example.com/x", out: "{}\n"},
		{name: "signed out", args: "get git.example.com", src: &fakeSource{err: errSignIn}, err: "sign-in required"},
		{name: "login", args: "store git.example.com", err: "no 'terraform login' is needed", hint: "oidc-cred login --profile work"},
		{name: "login elsewhere", args: "store app.terraform.io", err: "is mapped to no profile", hint: "TF_CLI_CONFIG_FILE=/dev/null terraform login app.terraform.io"},
		{name: "logout", args: "forget git.example.com", err: "does not sign out of profile work", hint: "oidc-cred logout --profile work"},
		{name: "logout elsewhere", args: "forget app.terraform.io"},
		{name: "unknown", args: "renew git.example.com", err: "get, store and forget only"},
		{name: "no verb", args: "git.example.com", err: "is called with"},
		{name: "too much", args: "get git.example.com more", err: "is called with"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.src == nil {
				tt.src = &fakeSource{tokens: []*session.Token{live("T1")}}
			}
			w := newWorld(&Target{Source: tt.src, Profile: "work"}, `{"token":"theirs"}`)
			err := Terraform(t.Context(), w.env, strings.Fields(tt.args))
			if got := w.out.String(); got != tt.out {
				t.Errorf("answer %q, want %q", got, tt.out)
			}
			if (err == nil) != (tt.err == "") || err != nil && (!strings.Contains(err.Error(), tt.err) || !strings.Contains(hintOf(err), tt.hint)) {
				t.Errorf("error %v (%s)", err, hintOf(err))
			}
			if w.errs.Len() > 0 {
				t.Errorf("stderr %q", w.errs.String())
			}
		})
	}
}

// Whatever host is asked for, the answer is JSON, and has the token for a
// mapped host only.
func FuzzTerraform(f *testing.F) {
	for _, host := range []string{"git.example.com", "GIT.example.com:443", "app.terraform.io", "a.dev.example.com:8443", "xn--caf-dma.fr", "[::1]:8443", "git.example.com@evil", "git.example.com\x00.evil", "*.dev.example.com:8443"} {
		f.Add("get", host)
	}
	f.Add("store", "git.example.com")
	f.Fuzz(func(t *testing.T, verb, host string) {
		w := newWorld(&Target{Source: &fakeSource{tokens: []*session.Token{live("T1")}}, Profile: "work"}, "")
		err := Terraform(t.Context(), w.env, []string{verb, host})
		usage := (*UsageError)(nil)
		if err != nil && !errors.As(err, &usage) {
			t.Fatal(err)
		}
		if verb != "get" || err != nil {
			if w.out.Len() > 0 {
				t.Fatalf("%s: %q", verb, w.out.String())
			}
			return
		}
		var answer map[string]string
		if err := json.Unmarshal(w.out.Bytes(), &answer); err != nil {
			t.Fatalf("%q: %v", w.out.String(), err)
		}
		_, given := answer["token"]
		if mapped := (Server{Scheme: "https", Host: host}).Matches(worldHosts); given != mapped {
			t.Fatalf("%q: %q", host, w.out.String())
		}
	})
}
