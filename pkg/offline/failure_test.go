package offline_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/oauth2"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

const oneHour = time.Hour

func withHeader(status int, body string, pairs ...string) error {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return &oauth2.RetrieveError{Response: &http.Response{StatusCode: status, Header: h}, Body: []byte(body)}
}

func TestRetryAfter(t *testing.T) {
	in := func(d time.Duration) string { return t0.Add(d).Format(http.TimeFormat) }
	for _, test := range []struct {
		name string
		err  error
		want time.Duration
	}{
		{"seconds on 503", withHeader(503, "", "Retry-After", "120"), 2 * time.Minute},
		{"seconds on 429", withHeader(429, "", "Retry-After", "7"), 7 * time.Second},
		{"seconds on 408", withHeader(408, "", "Retry-After", "7"), 7 * time.Second},
		{"seconds on 425", withHeader(425, "", "Retry-After", "7"), 7 * time.Second},
		{"seconds on 500", withHeader(500, "", "Retry-After", "7"), 7 * time.Second},
		{"with an OAuth error that will pass", withHeader(400, `{"error":"temporarily_unavailable"}`, "Retry-After", "7"), 7 * time.Second},
		{"blanks", withHeader(503, "", "Retry-After", "  120 "), 2 * time.Minute},
		{"a date", withHeader(503, "", "Retry-After", in(10*time.Minute)), 10 * time.Minute},
		{"a date by the server's clock", withHeader(503, "", "Retry-After", in(day+time.Minute), "Date", in(day)), time.Minute},
		{"a date, and a Date that is none", withHeader(503, "", "Retry-After", in(time.Minute), "Date", "today"), time.Minute},
		{"a date of RFC 850", withHeader(503, "", "Retry-After", t0.Add(time.Minute).Format("Monday, 02-Jan-06 15:04:05 GMT")), time.Minute},
		{"an hour", withHeader(503, "", "Retry-After", "3600"), time.Hour},
		{"a day is an hour", withHeader(503, "", "Retry-After", "86400"), time.Hour},
		{"a date in years", withHeader(503, "", "Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"), time.Hour},
		{"more than an integer", withHeader(503, "", "Retry-After", "99999999999999999999999"), time.Hour},
		{"as many seconds as overflow", withHeader(503, "", "Retry-After", "18446744073709551615"), time.Hour},
		{"a date that has passed", withHeader(503, "", "Retry-After", in(-time.Minute)), 0},
		{"zero", withHeader(503, "", "Retry-After", "0"), 0},
		{"negative", withHeader(503, "", "Retry-After", "-5"), 0},
		{"a fraction", withHeader(503, "", "Retry-After", "1.5"), 0},
		{"words", withHeader(503, "", "Retry-After", "soon"), 0},
		{"none", withHeader(503, ""), 0},
		{"not the provider's", withHeader(302, "", "Retry-After", "120"), 0},
		{"a rejection", withHeader(400, `{"error":"invalid_grant"}`, "Retry-After", "120"), 0},
		{"no answer", errPlain, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := offline.NewFailure(offline.StepRefresh, test.err, t0).RetryAfter; got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"120", "-1", "Fri, 31 Dec 9999 23:59:59 GMT", "18446744073709551616", "1e9", "\x00"} {
		f.Add(seed, "Mon, 02 Mar 2026 09:00:00 GMT", int64(0))
	}
	f.Fuzz(func(t *testing.T, value, date string, unix int64) {
		now := time.Unix(unix, 0)
		got := offline.NewFailure(offline.StepRefresh, withHeader(503, "", "Retry-After", value, "Date", date), now).RetryAfter
		if got < 0 || got > time.Hour {
			t.Fatalf("%q at %s: %s", value, now, got)
		}
	})
}

// checkText: what goes to terminals and into a plain file is one line of
// visible characters, and not too long.
func checkText(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > 300 || s != strings.TrimSpace(s) {
		t.Fatalf("not a short line of text: %q", s)
	}
	for _, r := range s {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			t.Fatalf("%U in %q", r, s)
		}
	}
}

func TestFailureIsFitForATerminal(t *testing.T) {
	evil := "a\x1b[31mb\x1b]0;title\ac\r\nd\u202e\u2066e\u200bf\u2028g\x9bh\xffi\u009bj\tk"
	for name, f := range map[string]offline.Failure{
		"code":        offline.NewFailure(offline.StepRefresh, &oauth2.RetrieveError{Response: &http.Response{StatusCode: 400}, ErrorCode: evil}, t0),
		"code, JSON":  offline.NewFailure(offline.StepRefresh, oauthError(400, `a\u001b[31m\u202e`), t0),
		"name":        offline.NewFailure(offline.StepRefresh, &net.DNSError{Name: evil}, t0),
		"certificate": offline.NewFailure(offline.StepRefresh, errors.New("x509: certificate is valid for "+evil), t0),
		"other":       offline.NewFailure(offline.StepRefresh, errors.New(evil), t0),
		"id token":    offline.InvalidIDToken(errors.New(evil)),
		"long code":   offline.NewFailure(offline.StepRefresh, oauthError(400, strings.Repeat("x", 5000)), t0),
		"long text":   offline.NewFailure(offline.StepRefresh, errors.New(strings.Repeat("ä b ", 5000)), t0),
	} {
		t.Run(name, func(t *testing.T) {
			checkText(t, f.Detail)
			checkText(t, f.Code)
			if f.Detail == "" {
				t.Error("nothing is left of it")
			}
		})
	}
	if got := offline.InvalidIDToken(errors.New(evil)).Detail; got != "a[31mb]0;titlec def ghij k" {
		t.Errorf("%q", got)
	}
	// What a caller puts together by hand is cleaned on its way into the state.
	s := after(synced(0), time.Hour, offline.Failure{Step: offline.StepRefresh, Category: offline.Unknown, Detail: evil})
	checkText(t, s.LastError)
}

func TestInvalidIDToken(t *testing.T) {
	for _, err := range []error{nil, errors.New("the subject differs")} {
		f := offline.InvalidIDToken(err)
		if !f.EndsSession() || f.Detail == "" {
			t.Errorf("%v: %+v", err, f)
		}
	}
}

// wrongHost is the failure of a handshake with somebody else.
func wrongHost(c *x509.Certificate) error {
	return &url.Error{Op: "Get", URL: "https://id.example.com", Err: &tls.CertificateVerificationError{
		Err: x509.HostnameError{Certificate: c, Host: "id.example.com"},
	}}
}

// described is an OAuth error with the provider's own words.
func described(code, text string) error {
	return &oauth2.RetrieveError{Response: &http.Response{StatusCode: 400}, ErrorCode: code, ErrorDescription: text}
}

func TestDescribe(t *testing.T) {
	reset := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	for _, test := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{answer(503, "text/html", page), "HTTP 503"},
		{oauthError(400, "invalid_grant"), "HTTP 400, invalid_grant"},
		{described("invalid_grant", "the token\x1b[31m has\n expired "), "HTTP 400, invalid_grant: the token[31m has expired"},
		{described("", "not an OAuth error"), "HTTP 400"},
		{described("invalid_grant", strings.Repeat("x", 400)), "HTTP 400, invalid_grant: " + strings.Repeat("x", 275)},
		{oauthError(503, "temporarily_unavailable"), "HTTP 503, temporarily_unavailable"},
		{answer(404, "", "secret"), "HTTP 404"},
		{answer(302, "", ""), "HTTP 302 redirect: a captive portal or proxy may be in the way"},
		{answer(200, "text/html", page), "HTTP 200 without a token: a captive portal or proxy may be in the way"},
		{answer(403, "text/html", page), "HTTP 403 from something else than the provider: a captive portal or proxy may be in the way"},
		{withHeader(302, "", "Location", "https://wifi.example.net/login?to=https://id.example.com"), "HTTP 302 redirect: the network's sign-in page at wifi.example.net, or a proxy, may be in the way"},
		{withHeader(307, "", "Location", "/login"), "HTTP 307 redirect: a captive portal or proxy may be in the way"},
		{withHeader(302, "", "Location", "https://"+strings.Repeat("w", 500)+"/"), "HTTP 302 redirect: the network's sign-in page at " + strings.Repeat("w", 79) + "…, or a proxy, may be in the way"},
		{withHeader(302, "", "Location", "http://a\x1b[31m/"), "HTTP 302 redirect: a captive portal or proxy may be in the way"},
		{answer(511, "text/html", page), "HTTP 511: the network wants a sign-in at its own page first"},
		{wrongHost(&x509.Certificate{DNSNames: []string{"wifi.example.net"}}), "certificate or TLS problem: the certificate is for wifi.example.net, not id.example.com: a captive portal or proxy may be in the way"},
		{wrongHost(&x509.Certificate{DNSNames: []string{"a", "b\x1b[1m", "c"}}), "certificate or TLS problem: the certificate is for a, b[1m and others, not id.example.com: a captive portal or proxy may be in the way"},
		{wrongHost(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)}}), "certificate or TLS problem: the certificate is for 10.0.0.1, not id.example.com: a captive portal or proxy may be in the way"},
		{wrongHost(&x509.Certificate{Subject: pkix.Name{CommonName: "Box"}}), "certificate or TLS problem: the certificate is for Box, not id.example.com: a captive portal or proxy may be in the way"},
		{wrongHost(&x509.Certificate{}), "certificate or TLS problem: the certificate is for nobody, not id.example.com: a captive portal or proxy may be in the way"},
		{proxyAnswer(407), "the proxy answered HTTP 407"},
		{&oauth2.RetrieveError{ErrorCode: "invalid_grant"}, "invalid_grant"},
		{&oauth2.RetrieveError{ErrorCode: "invalid_grant", ErrorDescription: "expired"}, "invalid_grant: expired"},
		{&oauth2.RetrieveError{Body: []byte("secret")}, "an answer that can't be read"},
		{&net.DNSError{Name: "id.example.com", Err: "no such host"}, "name id.example.com can't be resolved"},
		{&net.OpError{Op: "proxyconnect", Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}, "the proxy can't be reached"},
		{fmt.Errorf("refresh: %w", dial(syscall.ECONNREFUSED)), "connection refused"},
		{dial(syscall.Errno(10061)), "connection refused"}, // Windows
		{reset, "connection closed by the other side"},
		{io.EOF, "connection closed by the other side"},
		{dial(syscall.EHOSTUNREACH), syscall.EHOSTUNREACH.Error()},
		{context.DeadlineExceeded, "timed out"},
		{io.ErrUnexpectedEOF, "the answer was cut off"},
		{errors.Join(io.ErrUnexpectedEOF, answer(401, "", "secret")), "the answer was cut off"},
		{fmt.Errorf("refresh: %w", errors.New("tls: no common version")), "certificate or TLS problem: tls: no common version"},
		{fmt.Errorf("refresh of https://id.example.com: %w", errPlain), "something else"},
		{errors.Join(errPlain, errors.New("second")), "something else"},
		{errors.Join(errPlain, context.Canceled, answer(400, "", "secret")), "HTTP 400"},
	} {
		if got := offline.Describe(test.err); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
