package e2e

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

// fakeSTS is a small Security Token Service: AssumeRoleWithWebIdentity, which
// checks the token as AWS does, and GetCallerIdentity for what it gave out.
type fakeSTS struct {
	*httptest.Server
	verifier *oidc.IDTokenVerifier

	mu     sync.Mutex
	life   time.Duration
	down   bool
	refuse string            // an error code
	given  map[string]string // access key id to session name
	asked  int
	tokens []string
}

func newFakeSTS(t *testing.T, p *harness.Provider) *fakeSTS {
	t.Helper()
	provider, err := oidc.NewProvider(t.Context(), p.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	s := &fakeSTS{verifier: provider.Verifier(&oidc.Config{ClientID: harness.ClientID}), life: time.Hour, given: map[string]string{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

// set changes the service's ways.
func (s *fakeSTS) set(change func(*fakeSTS)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// count says how often a role was asked for.
func (s *fakeSTS) count() (n int) {
	s.set(func(s *fakeSTS) { n = s.asked })
	return n
}

func (s *fakeSTS) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "text/xml")
	if err := r.ParseForm(); err != nil || s.down {
		http.Error(w, "<html>upstream</html>", http.StatusServiceUnavailable)
		return
	}
	switch r.Form.Get("Action") {
	case "AssumeRoleWithWebIdentity":
		s.assume(w, r)
	case "GetCallerIdentity":
		s.identity(w, r)
	default:
		stsError(w, http.StatusBadRequest, "InvalidAction", "no such action")
	}
}

func (s *fakeSTS) assume(w http.ResponseWriter, r *http.Request) {
	s.asked++
	name, raw := r.Form.Get("RoleSessionName"), r.Form.Get("WebIdentityToken")
	s.tokens = append(s.tokens, raw)
	switch {
	case r.Header.Get("Authorization") != "", r.URL.RawQuery != "", r.Form.Get("Version") != "2011-06-15":
		stsError(w, http.StatusBadRequest, "ValidationError", "not as the API has it")
		return
	case !regexp.MustCompile(`^[\w+=,.@-]{2,64}$`).MatchString(name):
		stsError(w, http.StatusBadRequest, "ValidationError", "RoleSessionName")
		return
	case s.refuse != "":
		stsError(w, http.StatusForbidden, s.refuse, "Not authorized to perform sts:AssumeRoleWithWebIdentity")
		return
	}
	token, err := s.verifier.Verify(context.WithoutCancel(r.Context()), raw)
	if err != nil {
		code := "InvalidIdentityToken"
		if strings.Contains(err.Error(), "expired") {
			code = "ExpiredTokenException"
		}
		stsError(w, http.StatusBadRequest, code, err.Error())
		return
	}
	var random [8]byte
	_, _ = rand.Read(random[:])
	id := "ASIA" + strings.ToUpper(hex.EncodeToString(random[:]))
	s.given[id] = name
	fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
<SubjectFromWebIdentityToken>%s</SubjectFromWebIdentityToken><AssumedRoleUser><Arn>%s</Arn></AssumedRoleUser>
<Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>secret-%s</SecretAccessKey><SessionToken>session-%s</SessionToken><Expiration>%s</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
		token.Subject, r.Form.Get("RoleArn"), id, id, id, time.Now().Add(s.life).UTC().Format(time.RFC3339))
}

func (s *fakeSTS) identity(w http.ResponseWriter, r *http.Request) {
	found := regexp.MustCompile(`Credential=([A-Z0-9]+)/`).FindStringSubmatch(r.Header.Get("Authorization"))
	if found == nil || s.given[found[1]] == "" || r.Header.Get("X-Amz-Security-Token") != "session-"+found[1] {
		stsError(w, http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid")
		return
	}
	fmt.Fprintf(w, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:sts::123456789012:assumed-role/developer/%s</Arn><UserId>AROA:%s</UserId><Account>123456789012</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>`, s.given[found[1]], s.given[found[1]])
}

func stsError(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>`, code)
	_ = xml.EscapeText(w, []byte(message))
	fmt.Fprint(w, `</Message></Error><RequestId>1</RequestId></ErrorResponse>`)
}
