package helper

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

const stsAnswer = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s3cr3t</SecretAccessKey><SessionToken>sess</SessionToken><Expiration>2026-03-01T13:00:00Z</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`

const testRole = "arn:aws:iam::123456789012:role/dev"

// server is one on this machine that is mapped to the target.
func mappedServer(t *testing.T, w *world, target *Target, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	host := strings.TrimPrefix(s.URL, "http://")
	w.env.Resolve = func(server Server) (*Target, error) {
		if server.Matches([]string{host}) {
			return target, nil
		}
		return nil, nil
	}
	target.HTTP = func(string) (*http.Client, error) { return s.Client(), nil }
	return s.URL
}

func TestAWS(t *testing.T) {
	tok := live("T1")
	tok.Username = "ada lovelace@example.com"
	src := &fakeSource{tokens: []*session.Token{tok}}
	target := &Target{Source: src, Profile: "work", Keep: &memoryKeeper{}}
	w := newWorld(target, "")
	var form url.Values
	requests := 0
	endpoint := mappedServer(t, w, target, func(rw http.ResponseWriter, r *http.Request) {
		requests++
		_ = r.ParseForm()
		form = r.PostForm
		if r.Header.Get("Authorization") != "" || r.URL.RawQuery != "" {
			t.Errorf("request %s with %v", r.URL, r.Header)
		}
		_, _ = io.WriteString(rw, stsAnswer)
	})
	for range 2 {
		w.out.Reset()
		err := AWS(t.Context(), w.env, AWSOptions{RoleARN: testRole, EndpointURL: endpoint, Duration: 30 * time.Minute})
		want := `{"Version":1,"AccessKeyId":"ASIA1","SecretAccessKey":"s3cr3t","SessionToken":"sess","Expiration":"2026-03-01T13:00:00Z"}` + "\n"
		if err != nil || w.out.String() != want || w.errs.Len() > 0 {
			t.Fatalf("answer %q, %q, %v", w.out.String(), w.errs.String(), err)
		}
	}
	want := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {testRole},
		"RoleSessionName": {"ada-lovelace@example.com"}, "WebIdentityToken": {"T1"}, "DurationSeconds": {"1800"},
	}
	if form.Encode() != want.Encode() || requests != 1 {
		t.Errorf("%d requests, the form %v", requests, form)
	}
	if src.requests[0].Type != session.ID {
		t.Errorf("it takes the %s token", src.requests[0].Type)
	}
	if err := AWS(t.Context(), w.env, AWSOptions{RoleARN: testRole + "2", EndpointURL: endpoint}); err != nil || requests != 2 {
		t.Errorf("another role: %v after %d requests", err, requests)
	}
}

// A redirect takes the token nowhere.
func TestAWSFollowsNoRedirect(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other server was asked") }))
	t.Cleanup(other.Close)
	target := &Target{Source: &fakeSource{tokens: []*session.Token{live("T1")}}, Profile: "work"}
	w := newWorld(target, "")
	endpoint := mappedServer(t, w, target, func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, other.URL, http.StatusTemporaryRedirect)
	})
	err := AWS(t.Context(), w.env, AWSOptions{RoleARN: testRole, EndpointURL: endpoint})
	if session.KindOf(err) != session.Unreachable || !strings.Contains(err.Error(), "HTTP 307") {
		t.Errorf("error %v", err)
	}
}

func TestAWSRefusesToAsk(t *testing.T) {
	target := &Target{Source: &fakeSource{tokens: []*session.Token{live("T1")}}, Profile: "work"}
	for _, tt := range []struct {
		name string
		opt  AWSOptions
		env  map[string]string
		want string
	}{
		{"no role", AWSOptions{}, nil, "no role is given"},
		{"no ARN", AWSOptions{RoleARN: "developer"}, nil, "is no role's ARN"},
		{"a name that STS would not take", AWSOptions{RoleARN: testRole, SessionName: "a b"}, nil, "session name"},
		{"a name of one letter", AWSOptions{RoleARN: testRole, SessionName: "a"}, nil, "session name"},
		{"too short", AWSOptions{RoleARN: testRole, Duration: time.Minute}, nil, "duration"},
		{"not mapped", AWSOptions{RoleARN: testRole}, nil, "sts.amazonaws.com in its hosts"},
		{"not mapped, by the environment", AWSOptions{}, map[string]string{"AWS_ROLE_ARN": testRole, "AWS_ENDPOINT_URL": "https://evil.example.com"}, "evil.example.com in its hosts"},
		{"plain http", AWSOptions{RoleARN: testRole, EndpointURL: "http://plain.example.com"}, nil, "plain http"},
		{"no URL", AWSOptions{RoleARN: testRole, EndpointURL: "ftp://x"}, nil, "is no URL"},
		{"no region", AWSOptions{RoleARN: testRole, Region: "evil.example.com/#"}, nil, "is no region"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(target, "")
			w.env.Getenv = func(name string) string { return tt.env[name] }
			var usage *UsageError
			if err := AWS(t.Context(), w.env, tt.opt); !errors.As(err, &usage) || !strings.Contains(err.Error(), tt.want) || w.out.Len() > 0 {
				t.Errorf("error %v, stdout %q", err, w.out.String())
			}
		})
	}
}

func TestSTSEndpoint(t *testing.T) {
	for _, tt := range []struct {
		given, region string
		env           map[string]string
		want          string
	}{
		{"", "", nil, "https://sts.amazonaws.com/"},
		{"", "aws-global", map[string]string{"AWS_REGION": "eu-west-1"}, "https://sts.amazonaws.com/"},
		{"", "", map[string]string{"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, "https://sts.eu-west-1.amazonaws.com/"},
		{"", "", map[string]string{"AWS_DEFAULT_REGION": "us-east-1"}, "https://sts.us-east-1.amazonaws.com/"},
		{"", "cn-north-1", nil, "https://sts.cn-north-1.amazonaws.com.cn/"},
		{"", "eu-west-1", map[string]string{"AWS_ENDPOINT_URL": "https://all.example.com", "AWS_ENDPOINT_URL_STS": "https://sts.example.com/x"}, "https://sts.example.com/x"},
		{"", "eu-west-1", map[string]string{"AWS_ENDPOINT_URL": "https://all.example.com"}, "https://all.example.com/"},
		{"", "eu-west-1", map[string]string{"AWS_ENDPOINT_URL": "https://all.example.com", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, "https://sts.eu-west-1.amazonaws.com/"},
		{"https://given.example.com", "eu-west-1", map[string]string{"AWS_ENDPOINT_URL_STS": "https://sts.example.com"}, "https://given.example.com/"},
	} {
		got, err := STSEndpoint(tt.given, tt.region, func(name string) string { return tt.env[name] })
		if err != nil || got != tt.want {
			t.Errorf("%q in %q with %v: %q, %v; want %q", tt.given, tt.region, tt.env, got, err, tt.want)
		}
	}
}

func TestReadSTS(t *testing.T) {
	failure := func(code, message string) string {
		return "<ErrorResponse><Error><Type>Sender</Type><Code>" + code + "</Code><Message>" + message + "</Message></Error></ErrorResponse>"
	}
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   string
		down   bool
		token  bool // the token is at fault
	}{
		{"good", 200, stsAnswer, "", false, false},
		{"a portal", 200, "<html>sign in</html>", "without an answer of STS", true, false},
		{"no XML", 200, "{}", "without an answer of STS", true, false},
		{"half", 200, strings.Replace(stsAnswer, "<SessionToken>sess</SessionToken>", "", 1), "without credentials", true, false},
		{"no time", 200, strings.Replace(stsAnswer, "2026-03-01T13:00:00Z", "soon", 1), "without credentials", true, false},
		{"expired", 400, failure("ExpiredTokenException", "Token expired: current date/time…"), "ExpiredTokenException", false, true},
		{"not known", 400, failure("InvalidIdentityToken", "No OpenIDConnect provider found"), "No OpenIDConnect provider found", false, true},
		{"denied", 403, failure("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"), "STS refused: AccessDenied: Not authorized", false, false},
		{"keys", 400, failure("IDPCommunicationError", "x"), "IDPCommunicationError", true, false},
		{"throttled", 400, failure("Throttling", "Rate exceeded"), "Throttling", true, false},
		{"in trouble", 503, failure("ServiceUnavailable", "x"), "HTTP 503", true, false},
		{"a proxy", 403, "<html>no</html>", "HTTP 403", true, false},
		{"nothing", 502, "", "HTTP 502", true, false},
		{"escapes", 400, failure("ValidationError", "bad&#10;\u202ered"), "bad", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readSTS(&answer{status: tt.status, body: []byte(tt.body)})
			if tt.want == "" {
				if err != nil || got.AccessKeyID != "ASIA1" || got.Expiration.Hour() != 13 {
					t.Errorf("%v, %v", got, err)
				}
				return
			}
			var down *serverDown
			var refused *tokenRefused
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.As(err, &down) != tt.down || errors.As(err, &refused) != tt.token || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("error %#v", err)
			}
			if !tt.down && hintOf(err) == "" {
				t.Error("it says not what to do")
			}
		})
	}
}

func TestSessionName(t *testing.T) {
	valid := regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	for _, names := range [][2]string{{"ada@example.com", ""}, {"", "auth0|123"}, {"", ""}, {"x", "y"}, {"Ада", "sub"}, {strings.Repeat("é", 100), ""}} {
		tok := live("T1")
		tok.Username, tok.Subject = names[0], names[1]
		if got := awsSessionName(tok); !valid.MatchString(got) {
			t.Errorf("%q gives %q", names, got)
		}
	}
}

func FuzzSTSAnswer(f *testing.F) {
	f.Add(200, stsAnswer)
	f.Add(400, "<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>x</Message></Error></ErrorResponse>")
	f.Add(503, "")
	f.Fuzz(func(t *testing.T, status int, body string) {
		got, err := readSTS(&answer{status: status, body: []byte(body)})
		if (got == nil) == (err == nil) {
			t.Fatalf("%v and %v", got, err)
		}
		if err != nil {
			if text := line(err); strings.Count(text, "\n") != 1 || strings.ContainsAny(text, "\x1b\r\x00") {
				t.Errorf("error %q", text)
			}
			return
		}
		if status != http.StatusOK || got.AccessKeyID == "" || got.SecretAccessKey == "" || got.SessionToken == "" || got.Expiration.IsZero() && !strings.Contains(body, "0001-01-01") {
			t.Errorf("%d with %v", status, got)
		}
		if data, err := json.Marshal(got); err != nil || !json.Valid(data) {
			t.Errorf("%q, %v", data, err)
		}
	})
}

// FuzzSTSEndpoint: the server that a request to the endpoint goes to is the one
// that has to be mapped.
func FuzzSTSEndpoint(f *testing.F) {
	for _, s := range []string{"", "https://sts.example.com/x", "https://a@b", "https://a#@b", `https://a\@b`, "https://[::1%25x]:1/", "HTTP://a:", "https://a/?", "eu-west-1"} {
		f.Add(s, "", "")
		f.Add("", s, "")
		f.Add("", "", s)
	}
	f.Fuzz(func(t *testing.T, given, region, fromEnv string) {
		endpoint, err := STSEndpoint(given, region, func(name string) string {
			if name == "AWS_ENDPOINT_URL_STS" {
				return fromEnv
			}
			return ""
		})
		if err != nil {
			return
		}
		s, ok := ParseServer(endpoint)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, nil)
		if ok && err == nil && (r.URL.Host != s.Host || r.URL.Scheme != s.Scheme) {
			t.Fatalf("%q is checked as %v, and the request goes to %s://%s", endpoint, s, r.URL.Scheme, r.URL.Host)
		}
		if given == "" && fromEnv == "" && !strings.Contains(s.Host, ".amazonaws.com") {
			t.Fatalf("the region %q gives %q", region, endpoint)
		}
	})
}
