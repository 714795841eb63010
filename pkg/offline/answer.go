package offline

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"golang.org/x/oauth2"
)

// answerIn is the HTTP answer in err, or nil.
func answerIn(err error) *oauth2.RetrieveError {
	answer, _ := errors.AsType[*oauth2.RetrieveError](err)
	return answer
}

// statusOf is the answer's HTTP status; 0 if it is not known.
func statusOf(e *oauth2.RetrieveError) int {
	if e.Response == nil {
		return 0
	}
	return e.Response.StatusCode
}

// classifyAnswer goes through the categories of an answer in their order; the
// first that fits wins.
func classifyAnswer(e *oauth2.RetrieveError) Category {
	status, code := statusOf(e), errorCode(e)
	switch {
	case status == http.StatusNetworkAuthenticationRequired:
		// RFC 6585 §6: by definition not the origin that answers, so its
		// being a 5xx does not count.
		return NotTheProvider
	case status >= 500 && status < 600, status == http.StatusRequestTimeout, status == http.StatusTooEarly,
		status == http.StatusTooManyRequests:
		return ServerError
	case code != "" && categoryOfCode(code) == ServerError:
		return ServerError
	case status == http.StatusProxyAuthRequired, status >= 300 && status < 400,
		status >= 200 && status < 300 && code == "",
		status >= 400 && code == "" && isHTML(e):
		return NotTheProvider
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return AuthenticationError
	case code != "":
		return categoryOfCode(code)
	case status >= 400 && status < 500:
		return ClientError
	default:
		return Unknown
	}
}

// The OAuth error codes with a meaning of their own, RFC 6749 §5.2, RFC 6750
// §3.1, RFC 8628 §3.5 and OpenID Connect Core §3.1.2.6. Any other code is a
// client error. Codes are case-sensitive, but a server that spells one in
// another way means the same by it.
func categoryOfCode(code string) Category {
	switch strings.ToLower(code) {
	case "server_error", "temporarily_unavailable", "service_unavailable", "slow_down",
		"use_dpop_nonce": // RFC 9449 §8: ask again; about the session it says nothing
		return ServerError
	case "invalid_grant", "invalid_token", "invalid_client", "unauthorized_client", "access_denied",
		"interaction_required", "login_required", "consent_required":
		return AuthenticationError
	default:
		return ClientError
	}
}

// errorCode is the OAuth error of the answer, RFC 6749 §5.2, or "". Only a
// JSON object with a string under exactly "error" is one: gateways have
// objects, numbers and booleans there, and "Error" is some framework's.
func errorCode(e *oauth2.RetrieveError) string {
	if code := strings.TrimSpace(e.ErrorCode); code != "" {
		return code
	}
	var body map[string]json.RawMessage
	if json.Unmarshal(withoutMark(e.Body), &body) != nil {
		return ""
	}
	var code string
	if json.Unmarshal(body["error"], &code) != nil {
		return ""
	}
	return strings.TrimSpace(code)
}

// isHTML says whether a person was meant to read the answer. No token endpoint
// writes HTML, so what does is a portal, a proxy or a load balancer.
func isHTML(e *oauth2.RetrieveError) bool {
	if e.Response != nil && strings.Contains(strings.ToLower(e.Response.Header.Get("Content-Type")), "html") {
		return true
	}
	body := bytes.TrimSpace(withoutMark(e.Body))
	if !bytes.HasPrefix(body, []byte("<")) {
		return false
	}
	if strings.HasPrefix(http.DetectContentType(body), "text/html") {
		return true
	}
	// What the sniffing of browsers does not take for HTML: XHTML behind its
	// XML declaration, and a line break or attribute where it wants "<html>".
	start := bytes.ToLower(body[:min(len(body), 1024)])
	for _, tag := range []string{"<html", "<!doctype html", "<head", "<body", "<meta", "<center"} {
		if bytes.Contains(start, []byte(tag)) {
			return true
		}
	}
	return false
}

// withoutMark takes the UTF-8 byte order mark away, which JSON does not allow
// (RFC 8259 §8.1) and some servers send.
func withoutMark(body []byte) []byte {
	return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
}
