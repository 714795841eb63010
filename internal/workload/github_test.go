package workload

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

const bearer = "the-request-token"

// github is GitHub's endpoint, which answers with answer.
func github(t *testing.T, answer http.HandlerFunc) (GitHub, map[string]string) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	env := map[string]string{githubURL: server.URL + "/idtoken?api-version=2.0&job=a%2Fb", githubToken: bearer}
	return GitHub{
		Audience: "https://id.example.com/?a=1&b", Getenv: func(name string) string { return env[name] },
		HTTP: func() (*http.Client, error) { return server.Client(), nil },
	}, env
}

func TestGitHub(t *testing.T) {
	g, _ := github(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.Method != http.MethodGet || r.URL.Path != "/idtoken" || r.Header.Get("Authorization") != "Bearer "+bearer ||
			q.Get("api-version") != "2.0" || q.Get("job") != "a/b" || q.Get("audience") != "https://id.example.com/?a=1&b" {
			t.Errorf("request %s %s", r.Method, r.URL)
		}
		_, _ = w.Write([]byte(`{"count": 1500, "value": "` + jwt + `"}`))
	})
	if token, err := g.Token(t.Context()); err != nil || token.Reveal() != jwt {
		t.Fatalf("%v, %v", token, err)
	}
}

func TestGitHubLocalErrors(t *testing.T) {
	for name, test := range map[string]struct {
		set  map[string]string
		want string
	}{
		"no permission": {map[string]string{githubURL: ""}, "ACTIONS_ID_TOKEN_REQUEST_URL is not set"},
		"no token":      {map[string]string{githubToken: ""}, "ACTIONS_ID_TOKEN_REQUEST_TOKEN is not set"},
		"plain http":    {map[string]string{githubURL: "http://actions.example.com/idtoken"}, "expected an https:// URL"},
		"no URL":        {map[string]string{githubURL: "idtoken"}, "expected an https:// URL"},
		"user in it":    {map[string]string{githubURL: "https://me@actions.example.com/"}, "expected an https:// URL"},
		"bad token":     {map[string]string{githubToken: "hunter2\r\nX-Other: 1"}, "it is no token"},
	} {
		t.Run(name, func(t *testing.T) {
			g, env := github(t, func(http.ResponseWriter, *http.Request) { t.Error("it was asked") })
			for k, v := range test.set {
				env[k] = v
			}
			_, err := g.Token(t.Context())
			local(t, err, test.want)
		})
	}
}

// What GitHub answers is told apart from a fault of this machine, and shown
// without the body.
func TestGitHubAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"down":         {503, "hunter2", "HTTP 503"},
		"forbidden":    {403, `{"message": "hunter2"}`, "HTTP 403"},
		"a portal":     {302, "<html>hunter2", "HTTP 302"},
		"no JSON":      {200, "<html>hunter2", "HTTP 200 without a token"},
		"no value":     {200, `{"count": 1}`, "HTTP 200 without a token"},
		"empty value":  {200, `{"value": ""}`, "HTTP 200 without a token"},
		"wrong type":   {200, `{"value": 7}`, "HTTP 200 without a token"},
		"not a token":  {200, `{"value": "hunter2\n\n-"}`, "HTTP 200 without a token"},
		"endless":      {200, `{"value": "` + strings.Repeat("x", 3*maxToken) + `"}`, "HTTP 200 without a token"},
		"a list":       {200, `[]`, "HTTP 200 without a token"},
		"no content":   {204, "", "HTTP 204"},
		"rate limited": {429, "", "HTTP 429"},
	} {
		t.Run(name, func(t *testing.T) {
			g, _ := github(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://portal.example.com/")
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			})
			_, err := g.Token(t.Context())
			var answer *AnswerError
			var classified *oauth2.RetrieveError
			var own *LocalError
			if !errors.As(err, &answer) || !errors.As(err, &classified) || errors.As(err, &own) || (answer.Hint() == "") == (test.status == 403) {
				t.Fatalf("error %v", err)
			}
			if classified.Response.StatusCode != test.status || len(classified.Body) > 0 || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("error %v, status %d", err, classified.Response.StatusCode)
			}
		})
	}
}

func TestGitHubUnreachable(t *testing.T) {
	g, env := github(t, nil)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	env[githubURL] = "http://" + listener.Addr().String()
	_ = listener.Close()
	var network *net.OpError
	if _, err := g.Token(t.Context()); !errors.As(err, &network) {
		t.Errorf("error %v, want the network's", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Token(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the interrupt", err)
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(`{"count": 1, "value": "` + jwt + `"}`))
	f.Add([]byte(`{"value": null}`))
	f.Add([]byte(`{"value": "a", "value": "b c"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		token, err := parseAnswer(data)
		if err == nil && (token.IsZero() || strings.ContainsFunc(token.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' })) {
			t.Errorf("%q gives %q", data, token.Reveal())
		}
	})
}
