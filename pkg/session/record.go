package session

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/cache"
	"github.com/oidc-cred/oidc-cred/pkg/offline"
)

// recordVersion is the version of the sealed content. A newer one is refused
// rather than half understood.
const recordVersion = 1

// record is a session as it is sealed on disk.
type record struct {
	Version  int
	Profile  string
	Issuer   string
	ClientID string
	Subject  string
	Username string
	LoginAt  time.Time

	Access  heldToken
	ID      heldToken
	Refresh string
	Scopes  []string
	// IDNotRenewed: the last refresh brought no ID token.
	IDNotRenewed bool

	UserInfo json.RawMessage
	State    offline.State

	// TokenType is the access token's, as the provider wrote it.
	TokenType string
	// DPoPKey is the key that the tokens are bound to; "" if there is none.
	DPoPKey string
	// Nonce is the first ID token's, which one that comes with a refresh must
	// have too, if it has any.
	Nonce string
	// RefreshExpiry is when the refresh token ends by what the provider
	// announced, and RefreshSince when that end was first heard of.
	RefreshExpiry time.Time
	RefreshSince  time.Time
	// Asked is the digest of what a session without a person was asked for.
	Asked string
}

// heldToken is one token with what the decision needs to know of it.
type heldToken struct {
	Value    string
	Obtained time.Time
	Expiry   time.Time
	// Stale: a resource server refused it.
	Stale bool
	// Instead: it came in place of one that was refused.
	Instead bool
}

func (t heldToken) lifetime() time.Duration {
	if t.Expiry.IsZero() || t.Obtained.IsZero() {
		return 0
	}
	return max(t.Expiry.Sub(t.Obtained), 0)
}

// same says whether o is the token that t is: the same text obtained at the
// same time, since a provider may answer a refresh with the same text again.
func (t heldToken) same(o heldToken) bool {
	return t.Value == o.Value && t.Obtained.Equal(o.Obtained)
}

// held is the record's token of the given type.
func (r *record) held(t TokenType) *heldToken {
	if t == ID {
		return &r.ID
	}
	return &r.Access
}

func (r *record) facts(t TokenType, first heldToken, now time.Time) offline.Facts {
	held := r.held(t)
	return offline.Facts{
		SignedIn: true,
		Token: offline.Token{
			Present:  held.Value != "",
			Expiry:   held.Expiry,
			Lifetime: held.lifetime(),
			Stale:    held.Stale,
		},
		Refreshable: r.Refresh != "",
		Renewed:     !held.same(first),
		// Only while the access token lives: when that has to be renewed all the
		// same, an ID token may come again.
		NotRenewable: t == ID && r.IDNotRenewed && (r.Access.Expiry.IsZero() || now.Before(r.Access.Expiry)),
	}
}

// public is the copy without secrets that serves status alone.
type public struct {
	Version    int           `json:"v"`
	Profile    string        `json:"profile"`
	Issuer     string        `json:"issuer"`
	ClientID   string        `json:"client_id"`
	Subject    string        `json:"sub,omitempty"`
	Username   string        `json:"username,omitempty"`
	Store      string        `json:"store,omitempty"`
	LoginAt    time.Time     `json:"login_at,omitzero"`
	Access     publicToken   `json:"access,omitzero"`
	ID         publicToken   `json:"id,omitzero"`
	HasRefresh bool          `json:"has_refresh_token,omitempty"`
	Scopes     []string      `json:"scopes,omitempty"`
	State      offline.State `json:"state,omitzero"`
	SignedOut  *signedOut    `json:"signed_out,omitempty"`

	Bound         bool      `json:"bound,omitempty"`
	RefreshExpiry time.Time `json:"refresh_expiry,omitzero"`
	RefreshSince  time.Time `json:"refresh_since,omitzero"`

	Asked string    `json:"asked,omitempty"`
	Tries publicTry `json:"tries,omitzero"`
}

// publicTry is what came of trying to begin a session without a person.
type publicTry struct {
	State offline.State `json:"state,omitzero"`
	// Refused is the provider's "no", and With the digest of what it was about.
	Refused offline.Refusal `json:"refused,omitzero"`
	With    string          `json:"with,omitempty"`
	// Hint is what to do about it; it may be empty.
	Hint string `json:"hint,omitempty"`
}

type publicToken struct {
	Present  bool      `json:"present,omitempty"`
	Obtained time.Time `json:"obtained,omitzero"`
	Expiry   time.Time `json:"expiry,omitzero"`
	Stale    bool      `json:"stale,omitempty"`
}

// signedOut is why a session ended.
type signedOut struct {
	At    time.Time     `json:"at"`
	Cause offline.Cause `json:"cause,omitempty"`
	// Detail is the provider's answer in a few words, such as "HTTP 400,
	// invalid_grant".
	Detail string `json:"detail,omitempty"`

	// try is kept beside it.
	try publicTry
}

func (t heldToken) public() publicToken {
	return publicToken{Present: t.Value != "", Obtained: t.Obtained, Expiry: t.Expiry, Stale: t.Stale}
}

func (r *record) public(store string) public {
	return public{
		Version: recordVersion, Profile: r.Profile, Issuer: r.Issuer, ClientID: r.ClientID,
		Subject: r.Subject, Username: r.Username, Store: store, LoginAt: r.LoginAt,
		Access: r.Access.public(), ID: r.ID.public(), HasRefresh: r.Refresh != "",
		Scopes: r.Scopes, State: r.State,
		Bound: r.bound(), RefreshExpiry: r.RefreshExpiry, RefreshSince: r.RefreshSince, Asked: r.Asked,
	}
}

// SessionID names a session in the storage. It depends on the issuer and the
// client too, so that a profile which is pointed at another provider does not
// send it the former one's tokens.
// That of a [Workload] has another name, see [Manager.SessionID].
func SessionID(profile, issuer, clientID string) string { //nolint:revive // session.ID is a token type
	return nameOf(profile + "\x00" + issuer + "\x00" + clientID)
}

// workloadID has the grant in it, so that a profile which is given another
// grant does not go on with the tokens of the former one.
func workloadID(profile, issuer, clientID, grant string) string {
	return nameOf(profile + "\x00" + issuer + "\x00" + clientID + "\x00" + grant)
}

func nameOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// encode gives the sealed content (see codec.go) and the public copy.
func (r *record) encode(store string) (sealed, plain []byte, err error) {
	c := coder{data: make([]byte, 1, 1024+len(r.Access.Value)+len(r.ID.Value)+len(r.Refresh)+len(r.UserInfo)+len(r.DPoPKey))}
	c.data[0] = recordVersion
	r.fields(&c)
	if plain, err = json.Marshal(r.public(store)); err != nil {
		return nil, nil, fmt.Errorf("encode status: %w", err)
	}
	return c.data, plain, nil
}

// decodeRecord reads what encode sealed. Its errors show nothing of the
// content.
func decodeRecord(data []byte) (*record, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("read session: %w: it is empty", cache.ErrCorrupt)
	}
	if data[0] != recordVersion {
		return nil, fmt.Errorf("read session: %w: it has version %d and this program reads version %d", cache.ErrCorrupt, data[0], recordVersion)
	}
	r := record{Version: recordVersion}
	c := coder{data: data[1:], reading: true}
	r.fields(&c)
	if c.err != nil {
		return nil, fmt.Errorf("read session: %w: %w", cache.ErrCorrupt, c.err)
	}
	return &r, nil
}

// decodePublic reads the public copy, which may be anybody's work.
func decodePublic(data []byte) (*public, error) {
	var p public
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("read status: %w", err)
	}
	if p.Version != recordVersion {
		return nil, fmt.Errorf("read status: it has version %d and this program reads version %d", p.Version, recordVersion)
	}
	return &p, nil
}
