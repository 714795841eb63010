package cmd

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// httpClient is the one for the profile's provider. What it needs of the
// system, such as certificates, is read when its first request goes out.
func (a *app) httpClient(p *profile) (*http.Client, error) {
	return a.newHTTPClient(p, a.clientCertificate(p))
}

// newHTTPClient makes a client that shows certificate, if it is not nil, to
// servers that ask for one.
func (a *app) newHTTPClient(p *profile, certificate func() (*tls.Certificate, error)) (*http.Client, error) {
	if file := p.text("ca_file"); file != "" {
		// A name that is wrong is told at once, not at the first refresh.
		if _, err := os.Stat(file); err != nil {
			where := fmt.Sprintf("profile %s: ca_file", p.name) // from the environment, or a flag
			if a.config.profiles[p.name]["ca_file"] == file {
				where = fmt.Sprintf("%s: profiles.%s.ca_file", a.paths.config, p.name)
			}
			return nil, usageError{message: fmt.Sprintf("%s: %s", where, err), hint: "expected a file of PEM certificates; 'oidc-cred profile show' shows the settings in force"}
		}
	}
	return a.clientTrusting(p.text("ca_file"), certificate)
}

// serverClient is for a server that is not the provider, which is shown no
// certificate. caFile takes the place of the profile's.
func (a *app) serverClient(p *profile, caFile string) (*http.Client, error) {
	if caFile == "" {
		return a.newHTTPClient(p, nil)
	}
	return a.clientTrusting(caFile, nil)
}

func (a *app) clientTrusting(caFile string, certificate func() (*tls.Certificate, error)) (*http.Client, error) {
	return oidcflow.NewHTTPClient(oidcflow.HTTPOptions{
		CAFile: caFile, UserAgent: "oidc-cred/" + a.version.Version, ClientCertificate: certificate,
		Wrap: func(next http.RoundTripper) http.RoundTripper {
			if a.simulate != "" {
				next = drill{reason: offline.Reason(a.simulate)}
			}
			if a.verbose {
				next = tracing{app: a, next: next}
			}
			return next
		},
	})
}

// drill treats the network as down, in the way that the reason names.
type drill struct{ reason offline.Reason }

// drillReasons are the values of --simulate-offline.
func drillReasons() []string {
	return []string{
		string(offline.ReasonNetworkUnavailable), string(offline.ReasonServerUnavailable),
		string(offline.ReasonTokenRefreshFailed), string(offline.ReasonDiscoveryUnavailable),
		string(offline.ReasonUserInfoUnavailable),
	}
}

func (d drill) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	switch d.reason {
	case offline.ReasonDiscoveryUnavailable:
		return nil, drillError(offline.StepDiscovery)
	case offline.ReasonUserInfoUnavailable:
		return nil, drillError(offline.StepUserInfo)
	case offline.ReasonServerUnavailable:
		return &http.Response{
			Status: "503 Service Unavailable", StatusCode: http.StatusServiceUnavailable, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r,
		}, nil
	case offline.ReasonTokenRefreshFailed:
		return nil, errors.New("simulated failure of the exchange")
	default:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
}

// drillError stands for the failure of a step, whichever request it met.
type drillError offline.Step

func (drillError) Error() string { return "simulated failure" }

// SimulatedStep tells the offline decision which step it is.
func (e drillError) SimulatedStep() offline.Step { return offline.Step(e) }

// tracing tells --verbose of each request: never a query, a header or a body,
// where secrets are.
type tracing struct {
	app  *app
	next http.RoundTripper
}

func (t tracing) RoundTrip(r *http.Request) (*http.Response, error) {
	start := time.Now()
	response, err := t.next.RoundTrip(r)
	target := r.URL.Scheme + "://" + r.URL.Host + r.URL.Path
	took := time.Since(start).Round(time.Millisecond)
	if err != nil {
		t.app.debugf("%s %s: %s after %s", r.Method, target, offline.Describe(err), took)
		return response, err
	}
	t.app.debugf("%s %s: HTTP %d after %s", r.Method, target, response.StatusCode, took)
	return response, nil
}
