package offline_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/oauth2"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

const page = "<!DOCTYPE html><html><body>Welcome to the hotel</body></html>"

// dial is a failed dial as net gives it.
func dial(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }

// timeoutError is a failure of net/http or net that is known by its method.
type timeoutError struct{}

func (timeoutError) Error() string { return "too slow" }
func (timeoutError) Timeout() bool { return true }

// TestClassify has one block for each row of the table of categories.
func TestClassify(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want offline.Category
	}{
		// network_unavailable
		{"name not found", &net.DNSError{Err: "no such host", Name: "id.invalid", IsNotFound: true}, offline.NetworkUnavailable},
		{"name server silent", &net.DNSError{Err: "i/o timeout", Name: "id.example.com", IsTimeout: true}, offline.NetworkUnavailable},
		{"refused", dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), offline.NetworkUnavailable},
		{"refused, bare", syscall.ECONNREFUSED, offline.NetworkUnavailable},
		{"reset", &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, offline.NetworkUnavailable},
		{"reset, bare", fmt.Errorf("read: %w", syscall.ECONNRESET), offline.NetworkUnavailable},
		{"no route", dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), offline.NetworkUnavailable},
		{"no network", dial(os.NewSyscallError("connect", syscall.ENETUNREACH)), offline.NetworkUnavailable},
		{"closed before the answer", &url.Error{Op: "Post", Err: io.EOF}, offline.NetworkUnavailable},
		{"closed while idle", errors.New("http: server closed idle connection"), offline.NetworkUnavailable},
		{"closed by HTTP/2", errors.New("http2: server sent GOAWAY and closed the connection; LastStreamID=1"), offline.NetworkUnavailable},
		{"closed here", net.ErrClosed, offline.NetworkUnavailable},
		{"proxy refused", &net.OpError{Op: "proxyconnect", Err: dial(syscall.ECONNREFUSED)}, offline.NetworkUnavailable},
		{"proxy silent", &net.OpError{Op: "proxyconnect", Err: dial(timeoutError{})}, offline.NetworkUnavailable},
		{"proxy without a way to the provider", proxyAnswer(502), offline.NetworkUnavailable},
		{"proxy 503", proxyAnswer(503), offline.NetworkUnavailable},
		{"proxy 504", fmt.Errorf("refresh: %w", &url.Error{Op: "Post", Err: proxyAnswer(504)}), offline.NetworkUnavailable},

		// network_timeout
		{"dial timeout", dial(timeoutError{}), offline.NetworkTimeout},
		{"dial timeout of the kernel", dial(os.NewSyscallError("connect", syscall.ETIMEDOUT)), offline.NetworkTimeout},
		{"whole exchange", context.DeadlineExceeded, offline.NetworkTimeout},
		{"read deadline", os.ErrDeadlineExceeded, offline.NetworkTimeout},
		{"deep under url.Error", &url.Error{Op: "Post", Err: fmt.Errorf("dial: %w", dial(timeoutError{}))}, offline.NetworkTimeout},
		{"joined", errors.Join(errPlain, fmt.Errorf("x: %w", timeoutError{})), offline.NetworkTimeout},
		{"a deadline that cancelled", fmt.Errorf("%w: %w", context.DeadlineExceeded, context.Canceled), offline.NetworkTimeout},
		{"body cut off", fmt.Errorf("read answer: %w", io.ErrUnexpectedEOF), offline.NetworkTimeout},
		{"answer cut off after its head", errors.Join(oauthError(401, "invalid_client"), io.ErrUnexpectedEOF), offline.NetworkTimeout},

		// tls_error
		{"unknown authority", x509.UnknownAuthorityError{}, offline.TLSError},
		{"wrong host", &tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "id.example.com"}}, offline.TLSError},
		{"expired", x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired}, offline.TLSError},
		{"no roots", x509.SystemRootsError{Err: errPlain}, offline.TLSError},
		{"no TLS at all", tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, offline.TLSError},
		{"plain HTTP", &url.Error{Op: "Post", Err: http.ErrSchemeMismatch}, offline.TLSError},
		{"alert", tls.AlertError(40), offline.TLSError},
		{"alert from the server", &net.OpError{Op: "remote error", Err: tls.AlertError(70)}, offline.TLSError},
		{"without a type", fmt.Errorf("post: %w", errors.New("tls: server selected unsupported protocol version 301")), offline.TLSError},
		{"without a type, joined", errors.Join(errPlain, errors.New("x509: malformed certificate")), offline.TLSError},
		{"proxy with a bad certificate", &net.OpError{Op: "proxyconnect", Err: x509.UnknownAuthorityError{}}, offline.TLSError},
		{"handshake too slow is a timeout", &net.OpError{Op: "remote error", Err: timeoutError{}}, offline.NetworkTimeout},

		// server_error
		{"500", answer(500, "", ""), offline.ServerError},
		{"502 HTML", answer(502, "text/html", page), offline.ServerError},
		{"503", answer(503, "application/json", "{}"), offline.ServerError},
		{"599", answer(599, "", ""), offline.ServerError},
		{"408", answer(408, "", ""), offline.ServerError},
		{"425", answer(425, "", ""), offline.ServerError},
		{"429", answer(429, "", ""), offline.ServerError},
		{"429 HTML", answer(429, "text/html", page), offline.ServerError},
		{"503 before its code", oauthError(503, "invalid_grant"), offline.ServerError},
		{"500 before its code", oauthError(500, "invalid_client"), offline.ServerError},
		{"429 before its code", oauthError(429, "access_denied"), offline.ServerError},
		{"server_error with 400", oauthError(400, "server_error"), offline.ServerError},
		{"temporarily_unavailable with 400", oauthError(400, "temporarily_unavailable"), offline.ServerError},
		{"temporarily_unavailable with 401", oauthError(401, "temporarily_unavailable"), offline.ServerError},
		{"service_unavailable with 403", oauthError(403, "service_unavailable"), offline.ServerError},
		{"slow_down with 400", oauthError(400, "slow_down"), offline.ServerError},
		{"temporarily_unavailable with 200", oauthError(200, "temporarily_unavailable"), offline.ServerError},
		{"in capitals", oauthError(400, "Temporarily_Unavailable"), offline.ServerError},
		{"with blanks", oauthError(400, " temporarily_unavailable "), offline.ServerError},
		{"behind a byte order mark", answer(400, "", "\ufeff{\"error\":\"server_error\"}"), offline.ServerError},

		// not_the_provider
		{"portal", answer(200, "text/html", page), offline.NotTheProvider},
		{"portal redirect", answer(302, "", ""), offline.NotTheProvider},
		{"redirect before its code", oauthError(307, "invalid_grant"), offline.NotTheProvider},
		{"304", answer(304, "", ""), offline.NotTheProvider},
		{"407", answer(407, "", ""), offline.NotTheProvider},
		{"511", answer(511, "text/html", page), offline.NotTheProvider},
		{"511 before its code", oauthError(511, "invalid_grant"), offline.NotTheProvider},
		{"204", answer(204, "", ""), offline.NotTheProvider},
		{"200 empty", answer(200, "application/json", ""), offline.NotTheProvider},
		{"200 {}", answer(200, "application/json", "{}"), offline.NotTheProvider},
		{"200 null", answer(200, "application/json", "null"), offline.NotTheProvider},
		{"200 truncated", answer(200, "application/json", `{"access_token":"a`), offline.NotTheProvider},
		{"200 too large, body not kept", answer(200, "application/json", ""), offline.NotTheProvider},
		{"200 array", answer(200, "application/json", `[{"error":"invalid_grant"}]`), offline.NotTheProvider},
		{"200 error an object", answer(200, "application/json", `{"error":{"code":1,"error":"invalid_grant"}}`), offline.NotTheProvider},
		{"200 error true", answer(200, "application/json", `{"error":true}`), offline.NotTheProvider},
		{"200 error null", answer(200, "application/json", `{"error":null}`), offline.NotTheProvider},
		{"200 error a number", answer(200, "application/json", `{"error":401}`), offline.NotTheProvider},
		{"200 error blank", oauthError(200, " "), offline.NotTheProvider},
		{"200 Error", answer(200, "application/json", `{"Error":"invalid_grant"}`), offline.NotTheProvider},
		{"400 HTML", answer(400, "text/html; charset=utf-8", page), offline.NotTheProvider},
		{"401 HTML", answer(401, "text/html", page), offline.NotTheProvider},
		{"403 HTML", answer(403, "TEXT/HTML", "blocked"), offline.NotTheProvider},
		{"404 HTML", answer(404, "application/xhtml+xml", ""), offline.NotTheProvider},
		{"403 HTML called JSON", answer(403, "application/json", page), offline.NotTheProvider},
		{"403 HTML called nothing", answer(403, "", "\ufeff \r\n<html\nlang=en>"), offline.NotTheProvider},
		{"403 XHTML called XML", answer(403, "application/xml", `<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0">`), offline.NotTheProvider},
		{"403 HTML that mentions an error", answer(403, "text/html", `<p>{"error":"invalid_grant"}</p>`), offline.NotTheProvider},
		{"proxy 407", proxyAnswer(407), offline.NotTheProvider},
		{"proxy 403", proxyAnswer(403), offline.NotTheProvider},
		{"proxy 511", proxyAnswer(511), offline.NotTheProvider},
		{"proxy redirect", proxyAnswer(302), offline.NotTheProvider},

		// authentication_error
		{"invalid_grant", oauthError(400, "invalid_grant"), offline.AuthenticationError},
		{"invalid_token", oauthError(400, "invalid_token"), offline.AuthenticationError},
		{"invalid_client", oauthError(401, "invalid_client"), offline.AuthenticationError},
		{"unauthorized_client", oauthError(400, "unauthorized_client"), offline.AuthenticationError},
		{"access_denied", oauthError(400, "access_denied"), offline.AuthenticationError},
		{"interaction_required", oauthError(400, "interaction_required"), offline.AuthenticationError},
		{"login_required", oauthError(400, "login_required"), offline.AuthenticationError},
		{"consent_required", oauthError(400, "consent_required"), offline.AuthenticationError},
		{"invalid_grant with 200", oauthError(200, "invalid_grant"), offline.AuthenticationError},
		{"invalid_grant with 404", oauthError(404, "invalid_grant"), offline.AuthenticationError},
		{"invalid_grant called HTML", answer(400, "text/html", `{"error":"invalid_grant"}`), offline.AuthenticationError},
		{"in other letters", oauthError(400, "Invalid_Grant"), offline.AuthenticationError},
		{"with blanks", oauthError(400, " invalid_grant\\n"), offline.AuthenticationError},
		{"behind a byte order mark", answer(400, "application/json", "\ufeff{\"error\":\"invalid_grant\"}"), offline.AuthenticationError},
		{"401 empty", answer(401, "", ""), offline.AuthenticationError},
		{"401 plain", answer(401, "text/plain", "no"), offline.AuthenticationError},
		{"401 with another code", oauthError(401, "invalid_request"), offline.AuthenticationError},
		{"403 JSON without error", answer(403, "application/json", `{"message":"no"}`), offline.AuthenticationError},
		{"403 error an object", answer(403, "application/json", `{"error":{"code":403}}`), offline.AuthenticationError},
		{"code read by oauth2", &oauth2.RetrieveError{Response: &http.Response{StatusCode: 400}, ErrorCode: "invalid_grant"}, offline.AuthenticationError},
		{"code without a status", &oauth2.RetrieveError{ErrorCode: "invalid_grant"}, offline.AuthenticationError},

		// client_error
		{"invalid_request", oauthError(400, "invalid_request"), offline.ClientError},
		{"invalid_scope", oauthError(400, "invalid_scope"), offline.ClientError},
		{"unsupported_grant_type", oauthError(400, "unsupported_grant_type"), offline.ClientError},
		{"a code of its own", oauthError(400, "E1234"), offline.ClientError},
		{"a code of its own with 200", oauthError(200, "E1234"), offline.ClientError},
		{"400 empty", answer(400, "", ""), offline.ClientError},
		{"400 error true", answer(400, "application/json", `{"error":true}`), offline.ClientError},
		{"404 JSON", answer(404, "application/json", `{"message":"no"}`), offline.ClientError},
		{"404 empty", answer(404, "", ""), offline.ClientError},
		{"404 XML", answer(404, "application/xml", `<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>`), offline.ClientError},
		{"405 plain", answer(405, "text/plain", "method not allowed"), offline.ClientError},
		{"410", answer(410, "", ""), offline.ClientError},

		// unknown
		{"nil", nil, offline.Unknown},
		{"anything else", errPlain, offline.Unknown},
		{"interrupted", context.Canceled, offline.Unknown},
		{"interrupted while dialling", &url.Error{Op: "Post", Err: dial(context.Canceled)}, offline.Unknown},
		{"interrupted while resolving", errors.Join(&net.DNSError{Err: "operation was canceled"}, context.Canceled), offline.Unknown},
		{"interrupted during an answer", errors.Join(oauthError(400, "invalid_grant"), context.Canceled), offline.Unknown},
		{"no answer in the answer", &oauth2.RetrieveError{Body: []byte("x")}, offline.Unknown},
		{"nil answer", fmt.Errorf("x: %w", (*oauth2.RetrieveError)(nil)), offline.Unknown},
		{"status 0", answer(0, "", ""), offline.Unknown},
		{"status 101", answer(101, "", ""), offline.Unknown},
		{"status 999", answer(999, "", ""), offline.Unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := offline.Classify(test.err); got != test.want {
				t.Errorf("Classify(%v) = %s, want %s", test.name, got, test.want)
			}
			// The same, wrapped and joined at any depth.
			if test.err == nil {
				return
			}
			deep := fmt.Errorf("token: %w", errors.Join(errPlain, &url.Error{Op: "Post", URL: "https://id.example.com", Err: fmt.Errorf("x: %w", test.err)}))
			if strings.HasPrefix(test.name, "nil") {
				return // it has no text to wrap
			}
			if got := offline.Classify(deep); got != test.want {
				t.Errorf("wrapped: %s, want %s", got, test.want)
			}
		})
	}
}

// Reason and rejection follow from the category, and the step refines the
// reason. Only the token endpoint and an ID token can end a session.
func TestCategoryDecides(t *testing.T) {
	type want struct {
		reason offline.Reason // at the token endpoint
		ends   bool
	}
	for category, want := range map[offline.Category]want{
		offline.NetworkUnavailable:  {offline.ReasonNetworkUnavailable, false},
		offline.NetworkTimeout:      {offline.ReasonNetworkUnavailable, false},
		offline.TLSError:            {offline.ReasonServerUnavailable, false},
		offline.ServerError:         {offline.ReasonServerUnavailable, false},
		offline.NotTheProvider:      {offline.ReasonServerUnavailable, false},
		offline.AuthenticationError: {offline.ReasonTokenRefreshFailed, true},
		offline.ClientError:         {offline.ReasonTokenRefreshFailed, true},
		offline.Unknown:             {offline.ReasonTokenRefreshFailed, false},
	} {
		for _, step := range []offline.Step{offline.StepDiscovery, offline.StepKeys, offline.StepRefresh, offline.StepIDToken, offline.StepUserInfo} {
			f := offline.Failure{Step: step, Category: category}
			reason, ends := want.reason, want.ends
			switch step {
			case offline.StepDiscovery:
				reason, ends = offline.ReasonDiscoveryUnavailable, false
			case offline.StepUserInfo:
				reason, ends = offline.ReasonUserInfoUnavailable, false
			case offline.StepKeys:
				ends = false
			}
			if f.Reason() != reason || f.EndsSession() != ends {
				t.Errorf("%s at %s: reason %s, ends the session %v; want %s, %v", category, step, f.Reason(), f.EndsSession(), reason, ends)
			}
			if f.Reason().Text() == "" || f.Reason().Text() == string(f.Reason()) {
				t.Errorf("%s has no text", f.Reason())
			}
		}
	}
	if got := offline.Reason("later").Text(); got != "later" {
		t.Errorf("text of an unknown reason: %q", got)
	}
}

// Whatever is answered, only an OAuth error object or a 4xx that is no page
// ends a session, and nothing may break.
func FuzzClassify(f *testing.F) {
	f.Add(503, "Retry-After", "120", "application/json", []byte(`{"error":"invalid_grant"}`), "")
	f.Add(400, "Date", "Mon, 02 Mar 2026 09:00:00 GMT", "text/html", []byte("\xef\xbb\xbf<html>"), "")
	f.Add(200, "", "", "application/json", []byte(`{"error":{"code":1}}`), "slow_down")
	f.Add(403, "", "", "application/xml", []byte(`<?xml ?><html>`), " ")
	f.Add(-1, "Retry-After", "-1", "\x1b[31m", []byte{0, 0xff}, "\x1b]0;x\a")
	f.Fuzz(func(t *testing.T, status int, name, value, contentType string, body []byte, code string) {
		header := http.Header{"Content-Type": {contentType}, http.CanonicalHeaderKey(name): {value}}
		e := &oauth2.RetrieveError{Response: &http.Response{StatusCode: status, Header: header}, Body: body, ErrorCode: code}
		err := fmt.Errorf("refresh: %w", e)
		failure := offline.NewFailure(offline.StepRefresh, err, t0)
		if failure.Category != offline.Classify(err) {
			t.Fatal("NewFailure and Classify disagree")
		}
		checkText(t, failure.Detail)
		checkText(t, failure.Code)
		if failure.RetryAfter < 0 || failure.RetryAfter > oneHour || failure.RetryAfter > 0 && failure.Category != offline.ServerError {
			t.Fatalf("retry after %s on %s", failure.RetryAfter, failure.Category)
		}
		if code == "" && len(body) > 20 && strings.Contains(failure.Detail, string(body)) {
			t.Fatal("the detail has the body in it")
		}
		if !failure.EndsSession() {
			return
		}
		if status >= 500 && status < 600 || status >= 300 && status < 400 || status == 408 || status == 425 || status == 429 || status == 407 {
			t.Fatalf("HTTP %d ends the session: %s", status, failure.Category)
		}
		object := strings.TrimSpace(code) != "" || strings.Contains(string(body), "error") || strings.Contains(string(body), `\u`)
		if !object && (status < 400 || status >= 500 || strings.Contains(strings.ToLower(contentType), "html")) {
			t.Fatalf("HTTP %d without an OAuth error ends the session: %s", status, failure.Category)
		}
	})
}
