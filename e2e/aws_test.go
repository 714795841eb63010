package e2e

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

const awsRole = "arn:aws:iam::123456789012:role/developer"

// awsUser is a person who is signed in and has the aws command set up.
type awsUser struct {
	*harness.CLI
	provider *harness.Provider
	sts      *fakeSTS
	program  string
}

func newAWSUser(t *testing.T, o harness.ProviderOptions, more string) *awsUser {
	t.Helper()
	u := &awsUser{program: testenv.Program(t, "aws"), CLI: harness.NewCLI(t, "AWS_REGION=eu-central-1", "AWS_DEFAULT_REGION=eu-central-1", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER="), provider: harness.StartProvider(t, o)}
	u.sts = newFakeSTS(t, u.provider)
	u.Config(t, profile(u.provider, more))
	signIn(t, u.CLI, harness.BrowserOptions{})
	u.OK(t, "setup", "aws", awsRole, "--endpoint-url", u.sts.URL)
	return u
}

func (u *awsUser) aws(t *testing.T, args ...string) harness.Result {
	t.Helper()
	return u.Program(t, harness.Input{}, u.program, append([]string{"--profile", "work", "--endpoint-url", u.sts.URL}, args...)...)
}

func (u *awsUser) works(t *testing.T) {
	t.Helper()
	r := u.aws(t, "sts", "get-caller-identity", "--query", "Arn", "--output", "text")
	if r.Code != 0 || !strings.HasPrefix(r.Stdout, "arn:aws:sts::123456789012:assumed-role/developer/") {
		t.Fatalf("aws: exit %d, %q\n%s", r.Code, r.Stdout, r.Stderr)
	}
	if strings.Contains(r.Stderr, "oidc-cred") {
		t.Errorf("aws says %q", r.Stderr)
	}
}

func (u *awsUser) fails(t *testing.T, texts ...string) {
	t.Helper()
	r := u.aws(t, "sts", "get-caller-identity")
	for _, text := range texts {
		if r.Code == 0 || !strings.Contains(r.Stderr, text) {
			t.Errorf("aws: exit %d, want %q in\n%s", r.Code, text, r.Stderr)
		}
	}
}

func (u *awsUser) kept(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(u.Home, "state", "sessions", "*.beside"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAWS(t *testing.T) {
	u := newAWSUser(t, harness.ProviderOptions{}, "")
	u.works(t)
	u.works(t)
	if n := u.sts.count(); n != 1 {
		t.Errorf("STS was asked %d times for two calls", n)
	}
	id, _ := u.Token(t, "--type", "id")
	if u.sts.tokens[0] != id.Token {
		t.Error("STS got another token than the ID token")
	}
	kept := u.kept(t)
	if len(kept) != 1 {
		t.Fatalf("kept: %v", kept)
	}
	if data, err := os.ReadFile(kept[0]); err != nil || strings.Contains(string(data), "ASIA") || strings.Contains(string(data), "secret-") {
		t.Errorf("the credentials lie there in clear (%v)", err)
	}
	u.OK(t, "logout", "--no-revoke")
	if kept := u.kept(t); len(kept) != 0 {
		t.Errorf("after the sign-out: %v", kept)
	}
	u.fails(t, "profile work is not signed in")
}

func TestAWSExpiry(t *testing.T) {
	u := newAWSUser(t, harness.ProviderOptions{}, "")
	u.sts.set(func(s *fakeSTS) { s.life = 12 * time.Second })
	u.works(t)
	time.Sleep(7 * time.Second) // more than half of their life
	u.works(t)
	if n := u.sts.count(); n < 2 {
		t.Errorf("STS was asked %d times", n)
	}
}

func TestAWSOutage(t *testing.T) {
	u := newAWSUser(t, harness.ProviderOptions{}, "")
	u.sts.set(func(s *fakeSTS) { s.life = 14 * time.Second })
	u.works(t)
	t.Run("of STS, while the credentials are good", func(t *testing.T) {
		time.Sleep(7500 * time.Millisecond)
		u.sts.set(func(s *fakeSTS) { s.refuse = "IDPCommunicationError" })
		u.works(t)
	})
	t.Run("of STS, after their end", func(t *testing.T) {
		time.Sleep(7 * time.Second)
		u.sts.set(func(s *fakeSTS) { s.down, s.refuse = true, "" })
		begin := time.Now()
		r := u.Fails(t, 4, "helper", "aws", "--role-arn", awsRole, "--endpoint-url", u.sts.URL)
		if !strings.Contains(r.Stderr, "can't be asked for a credential") || time.Since(begin) > 5*time.Second {
			t.Errorf("after %s: %q", time.Since(begin), r.Stderr)
		}
		u.fails(t, "can't be asked for a credential")
	})
}

func TestAWSProviderDown(t *testing.T) {
	u := newAWSUser(t, harness.ProviderOptions{IDTTL: 4 * time.Second, AccessTTL: 4 * time.Second}, "    offline: {enabled: true}\n")
	u.works(t)
	u.provider.Down(t)
	time.Sleep(5 * time.Second)
	u.works(t) // with what is kept
	asked := u.sts.count()
	// Another role was never asked for, and STS takes no expired token.
	r := u.Fails(t, 4, "helper", "aws", "--role-arn", awsRole+"2", "--endpoint-url", u.sts.URL)
	if !strings.Contains(r.Stderr, "accepts no expired token") {
		t.Errorf("stderr %q", r.Stderr)
	}
	if n := u.sts.count(); n != asked {
		t.Errorf("STS was sent an expired token")
	}
}

func TestAWSRefused(t *testing.T) {
	u := newAWSUser(t, harness.ProviderOptions{}, "")
	u.sts.set(func(s *fakeSTS) { s.refuse = "AccessDenied" })
	u.fails(t, "STS refused: AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity", "trust policy")
	u.sts.set(func(s *fakeSTS) { s.refuse = "" })
	u.works(t)
}

// Whoever sets the environment of the aws command gets no token.
func TestAWSHosts(t *testing.T) {
	u := newAWSUser(t, harness.ProviderOptions{}, "")
	var asked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(other.Close)
	u.Set("AWS_ENDPOINT_URL_STS", other.URL)
	u.works(t) // what setup has written comes first
	for _, args := range [][]string{{"--role-arn", awsRole}, {"--role-arn", awsRole, "--profile", "work"}, {"--role-arn", awsRole, "--endpoint-url", "http://sts.example.com"}} {
		r := u.Fails(t, 2, append([]string{"helper", "aws"}, args...)...)
		if !strings.Contains(r.Stderr, "in its hosts, so it gets no token") {
			t.Errorf("%v: %q", args, r.Stderr)
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("another server was asked %d times", n)
	}
}
