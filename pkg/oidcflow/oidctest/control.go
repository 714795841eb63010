package oidctest

import (
	"encoding/json"
	"net/http"
	"time"
)

// Control is the body of POST /_control, for tests that run in another process
// than the provider. Durations are in nanoseconds, as [time.Duration] encodes
// them. The steps are taken in the order of the fields.
type Control struct {
	// Set and Clear are [Provider.Set] and [Provider.Clear]; clear ["*"] ends
	// all faults.
	Clear []Endpoint           `json:"clear,omitempty"`
	Set   map[Endpoint][]Fault `json:"set,omitempty"`
	// Settings are laid over the current settings: members that are not in the
	// object keep their value.
	Settings json.RawMessage `json:"settings,omitempty"`
	// RotateKeys is "keep" or "drop".
	RotateKeys string `json:"rotate_keys,omitempty"`
	RevokeAll  bool   `json:"revoke_all,omitempty"`
	// Approve and Deny are user codes, or "*" for all that wait.
	Approve     string `json:"approve,omitempty"`
	Deny        string `json:"deny,omitempty"`
	ResetCounts bool   `json:"reset_counts,omitempty"`
	// DownFor takes the provider down for so long, after the answer was sent.
	DownFor time.Duration `json:"down_for,omitempty"`
}

// Report is what /_control answers.
type Report struct {
	Counts      map[Endpoint]int `json:"counts"`
	Granted     map[string]int   `json:"granted"`
	Connections int              `json:"connections"`
	Reused      int              `json:"reused"`
}

func (p *Provider) serveControl(w http.ResponseWriter, r *http.Request) {
	var c Control
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&c); err != nil {
			oauthError(w, http.StatusBadRequest, "invalid_request", err.Error())
			return
		}
	}
	if err := p.Do(c); err != nil {
		oauthError(w, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	writeJSON(w, http.StatusOK, p.Report())
	if c.DownFor > 0 {
		_ = http.NewResponseController(w).Flush()
		go func() { // not here: Down waits for the server, which waits for nobody
			p.Down()
			time.Sleep(c.DownFor)
			p.Up()
		}()
	}
}

// Do takes the steps of c, but for DownFor.
func (p *Provider) Do(c Control) error {
	var err error
	if len(c.Settings) > 0 {
		p.Change(func(s *Settings) {
			changed := s.clone()
			if err = json.Unmarshal(c.Settings, &changed); err == nil {
				*s = changed
			}
		})
	}
	if err != nil {
		return err
	}
	for _, e := range c.Clear {
		if e == AnyEndpoint {
			p.Clear()
		}
		p.Clear(e)
	}
	for e, faults := range c.Set {
		p.Set(e, faults...)
	}
	if c.RotateKeys != "" {
		p.RotateKeys(c.RotateKeys == "keep")
	}
	if c.RevokeAll {
		p.RevokeAll()
	}
	for code, decide := range map[string]func(string) bool{c.Approve: p.Approve, c.Deny: p.Deny} {
		if code == "*" {
			decide("")
		} else if code != "" {
			decide(code)
		}
	}
	if c.ResetCounts {
		p.ResetCounts()
	}
	return nil
}

// Report gives the counters.
func (p *Provider) Report() Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := Report{
		Counts: map[Endpoint]int{}, Granted: map[string]int{},
		Connections: p.connections, Reused: p.reused,
	}
	for e, n := range p.counts {
		r.Counts[e] = n
	}
	for g, n := range p.granted {
		r.Granted[g] = n
	}
	return r
}
