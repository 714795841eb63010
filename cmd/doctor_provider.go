package cmd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/offline"
	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// checkProxy says which proxy the environment names for the provider; nil where
// there is none. net/http passes over an address that it can't read.
func (a *app) checkProxy(p *profile) []finding {
	issuer, err := url.Parse(p.text("issuer"))
	if err != nil {
		return nil
	}
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: issuer})
	unreadable := finding{
		Check: "proxy", Result: "warning", Detail: "the environment holds no proxy address that can be read",
		Hint: "it is written http://user:password@proxy:port, and what is special in the password as %40",
	}
	if err == nil && proxy != nil && !oidcflow.IsProxyAddress(proxy) {
		return []finding{unreadable}
	}
	if err == nil && proxy != nil {
		f := finding{Check: "proxy", Result: "ok", Detail: proxy.Scheme + "://" + proxy.Host}
		if proxy.User != nil {
			f.Detail += ", with a user name"
		}
		return []finding{f}
	}
	for _, name := range []string{strings.ToUpper(issuer.Scheme) + "_PROXY", issuer.Scheme + "_proxy"} {
		value := a.getenv(name)
		if value == "" {
			continue
		}
		if !strings.Contains(value, "://") {
			value = "http://" + value
		}
		if u, err := url.Parse(value); err != nil || u.Host == "" {
			unreadable.Detail = name + " holds no address that can be read, and is passed over"
			return []finding{unreadable}
		}
	}
	return nil
}

// checkProvider fetches the discovery document, and compares the clocks.
func (a *app) checkProvider(ctx context.Context, p *profile) []finding {
	f := finding{Check: "provider", Result: "ok"}
	client, err := a.flow(p)
	if err != nil {
		return []finding{{Check: f.Check, Result: "problem", Detail: err.Error(), Hint: hintOf(err), code: exitUsage}}
	}
	dates := &dateKeeper{next: client.HTTP.Transport, now: a.now}
	client.HTTP.Transport = dates
	ctx, cancel := context.WithTimeout(ctx, p.duration("timeout"))
	defer cancel()
	start := time.Now()
	md, err := client.Discover(ctx)
	if err != nil {
		f.Result, f.Detail, f.code = "problem", p.text("issuer")+": "+offline.Describe(err), exitUnreachable
		f.Hint = networkHint(err)
		var local interface{ Configuration() bool }
		if errors.As(err, &local) && local.Configuration() {
			f.code = exitUsage
			if hint := hintOf(err); hint != "" {
				f.Hint = hint
			}
		}
		return []finding{f}
	}
	f.Detail = fmt.Sprintf("%s answered in %s", md.Issuer, time.Since(start).Round(time.Millisecond))
	return append([]finding{f, dates.finding()}, offers(p, md)...)
}

// networkHint says what to do about a provider that can't be reached.
func networkHint(err error) string {
	var file *oidcflow.CAFileError
	if errors.As(err, &file) {
		return "ca_file must be a file of PEM certificates"
	}
	return firstOf(offline.Advice(err), "check the network, the proxy settings (HTTPS_PROXY, NO_PROXY) and the issuer")
}

// offers says what the provider lacks for this profile, and what it has.
func offers(p *profile, md *oidcflow.Metadata) []finding {
	var found []finding
	warn := func(check, detail, hint string) {
		found = append(found, finding{Check: check, Result: "warning", Detail: detail, Hint: hint})
	}
	grant := p.text("grant")
	switch {
	case grant == grantCode && md.AuthorizationEndpoint == "":
		warn("discovery document", "the provider has no authorization_endpoint, so there is no sign-in with the browser", "try 'oidc-cred login --device'")
	case grant == grantDevice && md.DeviceAuthorizationEndpoint == "":
		warn("discovery document", "the provider has no device_authorization_endpoint, which grant device_code needs", "set grant to authorization_code; 'oidc-cred login --no-browser' works without a browser on this machine")
	case md.RevocationEndpoint == "":
		warn("discovery document", "the provider has no revocation_endpoint, so a sign-out can't be told to it", "")
	default:
		found = append(found, finding{Check: "discovery document", Result: "ok", Detail: "it has what oidc-cred needs"})
	}
	// What a list does not name may work all the same: some providers list
	// what every client may use, or nothing.
	if wire := grantName(grant); len(md.GrantTypesSupported) > 0 && !slices.Contains(md.GrantTypesSupported, wire) {
		warn("grant", "the provider's grant_types_supported does not have "+wire, "check grant, and what the provider allows this client")
	}
	if slices.Contains(p.list("scopes"), "offline_access") && len(md.ScopesSupported) > 0 && !slices.Contains(md.ScopesSupported, "offline_access") {
		warn("scopes", "the provider's scopes_supported does not have offline_access, so there may be no refresh token", "if the sign-in brings none, look for the provider's own way in docs/providers.md, such as auth_params: {access_type: offline}")
	}
	if p.text("pushed_authorization_requests") == "always" && md.PushedAuthorizationRequestEndpoint == "" {
		warn("pushed requests", "the provider has no pushed_authorization_request_endpoint, and pushed_authorization_requests is always", "set pushed_authorization_requests to auto")
	}
	if p.text("dpop") == "always" && len(md.DPoPSigningAlgs) == 0 {
		warn("DPoP", "the provider's discovery document does not say that it knows DPoP, and dpop is always", "set dpop to auto")
	}
	if method := p.text("token_endpoint_auth_method"); method != "auto" && len(md.TokenEndpointAuthMethods) > 0 && !slices.Contains(md.TokenEndpointAuthMethods, method) {
		warn("client authentication", "the provider's token_endpoint_auth_methods_supported does not have "+method, "it has "+oidcflow.Clean(strings.Join(md.TokenEndpointAuthMethods, ", ")))
	}
	return append(found, finding{Check: "the provider offers", Result: "ok", Detail: strings.Join(features(md), ", ")})
}

// features are what a profile can make use of, for people's information.
func features(md *oidcflow.Metadata) []string {
	var list []string
	add := func(there bool, name string) {
		if there {
			list = append(list, name)
		} else {
			list = append(list, "no "+name)
		}
	}
	add(md.DeviceAuthorizationEndpoint != "", "device grant")
	pushed := "pushed requests"
	if md.RequirePushedAuthorizationRequests {
		pushed += " (required)"
	}
	add(md.PushedAuthorizationRequestEndpoint != "", pushed)
	add(len(md.DPoPSigningAlgs) > 0, "DPoP")
	add(md.RevocationEndpoint != "", "revocation")
	add(md.EndSessionEndpoint != "", "end of session")
	return list
}

// grantName is a grant as it is called in requests and metadata.
func grantName(grant string) string {
	switch grant {
	case grantDevice:
		return "urn:ietf:params:oauth:grant-type:device_code" // RFC 8628 §3.4
	case grantJWTBearer:
		return "urn:ietf:params:oauth:grant-type:jwt-bearer" // RFC 7523 §2.1
	case grantExchange:
		return "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693 §2.1
	default:
		return grant
	}
}

// skewTolerance is how far two clocks may stand apart before tokens look
// expired, or not yet valid, to one side.
const skewTolerance = time.Minute

// dateKeeper notes how far the provider's clock, as its Date header tells it,
// stands from this machine's.
type dateKeeper struct {
	next http.RoundTripper
	now  func() time.Time
	skew time.Duration
	seen bool
}

func (d *dateKeeper) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := d.next.RoundTrip(r)
	if err == nil {
		if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
			d.skew, d.seen = d.now().Sub(date), true
		}
	}
	return response, err
}

func (d *dateKeeper) finding() finding {
	f := finding{Check: "clock", Result: "ok", Detail: "agrees with the provider's"}
	switch skew := d.skew.Abs(); {
	case !d.seen:
		f.Detail = "the provider does not tell its time"
	case skew > skewTolerance:
		side := "ahead of"
		if d.skew < 0 {
			side = "behind"
		}
		f.Result, f.Detail, f.Hint = "warning", fmt.Sprintf("this machine's clock is %s %s the provider's", offline.Short(skew), side), "set the clock; tokens may look expired or not yet valid"
	}
	return f
}
