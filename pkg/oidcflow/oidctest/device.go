package oidctest

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// device is a device authorization, RFC 8628.
type device struct {
	*session
	userCode string
	expires  time.Time
	interval time.Duration
	polled   time.Time
	polls    int
	decision string // "", approved, denied or used
}

// authorizeDevice is RFC 8628 §3.1 and §3.2.
func (p *Provider) authorizeDevice(w http.ResponseWriter, r *http.Request) {
	client, bad := p.clientRequest(r)
	if code := p.Settings().DeviceError; bad == nil && code != "" {
		bad = refuse(code, "no device may sign in here")
	} else if bad == nil && client.NoDevice {
		bad = refuse("unauthorized_client", "this client may not use the device grant") // RFC 8628 §3.2
	}
	if bad != nil {
		oauthError(w, bad.status, bad.code, bad.description)
		return
	}
	p.mu.Lock()
	set := p.settings.clone()
	text := rand.Text()
	d := &device{
		session: &session{
			client: client.ID, scopes: strings.Fields(r.PostForm.Get("scope")),
			audience: append(append([]string(nil), r.PostForm["resource"]...), r.PostForm["audience"]...),
		},
		userCode: text[:4] + "-" + text[4:8],
		interval: time.Duration(set.DeviceInterval) * time.Second,
	}
	life := set.DeviceLifetime
	if life == 0 {
		life = 10 * time.Minute
	}
	if d.interval == 0 {
		d.interval = 5 * time.Second // RFC 8628 §3.2: what the client has to assume
	}
	d.expires = p.now().Add(life)
	code := p.secret("device-", 0)
	p.devices[code] = d
	p.mu.Unlock()

	page := p.issuer + "/device"
	answer := map[string]any{
		"device_code": code, "user_code": d.userCode, "verification_uri": page, "expires_in": int64(life / time.Second),
	}
	if !set.NoUserCodeInURL {
		answer["verification_uri_complete"] = page + "?user_code=" + url.QueryEscape(d.userCode)
	}
	if set.DeviceInterval > 0 {
		answer["interval"] = set.DeviceInterval
	}
	override(answer, set.DeviceResponse)
	writeJSON(w, http.StatusOK, answer)
}

// pollDevice is RFC 8628 §3.4 and §3.5.
func (p *Provider) pollDevice(client Client, form url.Values, b binding) (map[string]any, *problem) {
	d := p.devices[form.Get("device_code")]
	if d == nil || d.client != client.ID {
		return nil, refuse("invalid_grant", "no such device code")
	}
	now := p.now()
	fast := d.polls > 0 && now.Sub(d.polled) < d.interval
	d.polls++
	d.polled = now
	if d.decision == "" && p.settings.DeviceApproveAfter > 0 && d.polls >= p.settings.DeviceApproveAfter {
		d.decision = "approved"
	}
	switch {
	case !now.Before(d.expires):
		return nil, refuse("expired_token", "the device code has expired")
	case fast && p.settings.DeviceSlowDown:
		d.interval += 5 * time.Second
		return nil, refuse("slow_down", "polling too fast")
	case d.decision == "denied":
		return nil, refuse("access_denied", "the person said no")
	case d.decision == "used":
		return nil, refuse("invalid_grant", "the device code was used before")
	case d.decision != "approved":
		return nil, refuse("authorization_pending", "the person has not decided yet")
	}
	d.decision = "used"
	d.subject, d.signedIn = p.settings.subject(), now
	return p.issue(d.session, d.scopes, false, b), nil
}

// Approve lets the device with this user code in; "" means all that wait. It
// says whether there was one.
func (p *Provider) Approve(userCode string) bool { return p.decideDevice(userCode, "approved") }

// Deny is the opposite of [Provider.Approve].
func (p *Provider) Deny(userCode string) bool { return p.decideDevice(userCode, "denied") }

func (p *Provider) decideDevice(userCode, decision string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := false
	for _, d := range p.devices {
		if d.decision == "" && (userCode == "" || strings.EqualFold(d.userCode, userCode)) {
			d.decision, found = decision, true
		}
	}
	return found
}

// devicePage is where a person enters the user code, RFC 8628 §3.3. With the
// code in the URL it approves at once.
func (p *Provider) devicePage(w http.ResponseWriter, r *http.Request) {
	if userCode := r.URL.Query().Get("user_code"); userCode != "" && p.Approve(userCode) {
		showPage(w, http.StatusOK, "Device allowed", "You can close this page.", "")
		return
	}
	showPage(w, http.StatusOK, "Device sign-in", "Open this page with ?user_code=CODE to allow a device.", "")
}
