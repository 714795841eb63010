package offline_test

import (
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// TestAdvice: what can be done about it here is said; of an outage nothing is.
func TestAdvice(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errPlain, ""},
		{answer(503, "", ""), ""},
		{answer(400, "", ""), ""},
		{dial(timeoutError{}), ""},
		{proxyAnswer(502), ""},
		{proxyAnswer(407), "the proxy's user name and password: HTTPS_PROXY=http://"},
		{proxyAnswer(403), "NO_PROXY"},
		{answer(200, "text/html", page), "open any http:// page in the browser"},
		{answer(302, "", ""), "open any http:// page in the browser"},
		{answer(511, "", ""), "open any http:// page in the browser"},
		{wrongHost(&x509.Certificate{DNSNames: []string{"wifi.example.net"}}), "check the issuer's host name"},
		{x509.UnknownAuthorityError{}, "ca_file"},
		{&net.OpError{Op: "socks connect", Err: errors.New("username/password authentication failed")}, "socks5://user:password@"},
		{&net.OpError{Op: "socks connect", Err: errors.New("unknown error host unreachable")}, ""},
	} {
		got := offline.Advice(test.err)
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%v: %q, want %q", test.err, got, test.want)
		}
	}
	// It is remembered for whoever meets the failure while nobody tries.
	f := offline.NewFailure(offline.StepRefresh, proxyAnswer(407), t0)
	s := after(online, time.Minute, f)
	if s.Advice != f.Advice || s.Advice == "" {
		t.Errorf("%q", s.Advice)
	}
	s, _ = offline.Decide(s, t0.Add(time.Hour), policy(), offline.Call{}, session(token(2*time.Hour)), offline.Outcome{Stage: offline.Succeeded})
	if s.Advice != "" {
		t.Errorf("online again: %q", s.Advice)
	}
}

// TestForcedWarning: a token that is good is not called due for renewal.
func TestForcedWarning(t *testing.T) {
	failed := offline.Outcome{Stage: offline.Failed, Failure: offline.NewFailure(offline.StepRefresh, proxyAnswer(407), t0)}
	for _, test := range []struct {
		call offline.Call
		at   time.Duration
		want string
	}{
		{offline.Call{Force: true}, time.Minute, "the token was not renewed, and is good for another 59 minutes; identity provider unavailable (the proxy answered HTTP 407)"},
		{offline.Call{Force: true, MinValid: 2 * time.Hour}, time.Minute, "the token is due for renewal, and the provider has not validated it since; identity provider unavailable (the proxy answered HTTP 407)"},
		{offline.Call{}, 59*time.Minute + 30*time.Second, "the token is due for renewal, and the provider has not validated it since; identity provider unavailable (the proxy answered HTTP 407)"},
	} {
		_, a := offline.Decide(online, t0.Add(test.at), policy(), test.call, session(token(time.Hour)), failed)
		if a.Verb != offline.Print || len(a.Warnings) != 1 || a.Warnings[0].Message != test.want {
			t.Errorf("%s, %+v", a.Verb, a.Warnings)
		}
	}
}
