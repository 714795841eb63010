package oidcflow

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
)

// proofs is a token endpoint that checks DPoP proofs, RFC 9449 §4.3.
type proofs struct {
	t *testing.T
	f *fake
	// nonces that are good, one after the other; none: no nonce is wanted.
	nonces []string
	// refuse a request without a proof with this answer; "" takes it.
	refuse string
	// answer to a request with a good proof; "" is tokens of type DPoP.
	answer string
	seen   map[string]bool
	keys   []string // the thumbprint of each proof
	asked  []string // what was asked, with or without proof
	alg    string
}

func newProofs(t *testing.T) *proofs {
	p := &proofs{t: t, f: newFake(t), seen: map[string]bool{}, alg: "ES256"}
	p.f.on("/token", p.token)
	p.f.on("/userinfo", p.userinfo)
	return p
}

func (p *proofs) metadata(listed ...string) *Metadata {
	md := p.f.metadata()
	md.DPoPSigningAlgs = listed
	return md
}

func (p *proofs) client(mode string) *Client {
	c := p.f.client()
	c.DPoP = mode
	return c
}

// check reads the proof of a request; "" if it has none. ok says whether its
// nonce is good.
func (p *proofs) check(r *http.Request, access string) (jkt string, ok bool) {
	p.t.Helper()
	headers := r.Header.Values("DPoP")
	if len(headers) == 0 {
		return "", false
	}
	jws, err := jose.ParseSignedCompact(headers[0], asymmetricAlgs())
	if err != nil || len(headers) != 1 {
		p.t.Fatalf("%d proofs, %v", len(headers), err)
	}
	h := jws.Signatures[0].Protected
	if h.Algorithm != p.alg || h.ExtraHeaders["typ"] != "dpop+jwt" || h.JSONWebKey == nil || !h.JSONWebKey.IsPublic() || h.KeyID != "" {
		p.t.Errorf("header %+v", h)
	}
	payload, err := jws.Verify(h.JSONWebKey)
	if err != nil {
		p.t.Fatal(err)
	}
	var claims struct {
		Jti, Htm, Htu, Nonce, Ath string
		Iat                       int64
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		p.t.Fatal(err)
	}
	if claims.Htm != r.Method || claims.Htu != p.f.URL+r.URL.Path || claims.Iat != testNow.Add(-behind).Unix() || claims.Jti == "" || p.seen[claims.Jti] {
		p.t.Errorf("claims %+v", claims)
	}
	p.seen[claims.Jti] = true
	ath := ""
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		ath = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if claims.Ath != ath {
		p.t.Errorf("ath %q, want %q", claims.Ath, ath)
	}
	sum, err := h.JSONWebKey.Thumbprint(crypto.SHA256)
	if err != nil {
		p.t.Fatal(err)
	}
	jkt = base64.RawURLEncoding.EncodeToString(sum)
	p.keys = append(p.keys, jkt)
	if len(p.nonces) == 0 {
		return jkt, claims.Nonce == ""
	}
	return jkt, claims.Nonce == p.nonces[0]
}

func (p *proofs) token(w http.ResponseWriter, r *http.Request) {
	jkt, ok := p.check(r, "")
	p.asked = append(p.asked, map[bool]string{true: "proof", false: "plain"}[jkt != ""])
	w.Header().Set("Content-Type", "application/json")
	switch {
	case jkt == "" && p.refuse != "":
		w.WriteHeader(400)
		_, _ = io.WriteString(w, p.refuse)
	case jkt == "":
		_, _ = io.WriteString(w, tokenBody(""))
	case !ok:
		w.Header().Set("DPoP-Nonce", p.nonces[0])
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"error":"use_dpop_nonce"}`)
	case p.answer != "":
		if strings.Contains(p.answer, `"error"`) {
			w.WriteHeader(400)
		}
		_, _ = io.WriteString(w, p.answer)
	default:
		if len(p.nonces) > 1 {
			p.nonces = p.nonces[1:]
			w.Header().Set("DPoP-Nonce", p.nonces[0])
		}
		_, _ = io.WriteString(w, `{"access_token":"at-1","token_type":"dpop","id_token":"x.y.z","refresh_token":"rt-2"}`)
	}
}

func (p *proofs) userinfo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "DPoP at-1" {
		p.t.Errorf("authorization %q", r.Header.Get("Authorization"))
	}
	if _, ok := p.check(r, "at-1"); !ok {
		w.Header().Set("DPoP-Nonce", p.nonces[0])
		w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce", error_description="a nonce"`)
		w.WriteHeader(401)
		return
	}
	saysJSON(200, `{"sub":"s"}`)(w, r)
}

func refusal(code, description string) string {
	return fmt.Sprintf(`{"error":%q,"error_description":%q}`, code, description)
}

func form(grant string) url.Values {
	return url.Values{"grant_type": {grant}, "code": {"c"}, "refresh_token": {"rt"}}
}

func TestDPoPModes(t *testing.T) {
	const code, refresh = "authorization_code", "refresh_token"
	silent := refusal("invalid_grant", "grant request is invalid") // a provider that does not say what is missing
	for _, tc := range []struct {
		name, mode, grant string
		listed            []string
		refuse            string
		asked             string
		fails             string
	}{
		{"always", "always", code, nil, "", "proof", ""},
		{"always, refresh", "always", refresh, nil, "", "proof", ""},
		{"never", "never", code, []string{"ES256"}, "", "plain", ""},
		{"never, though it is demanded", "never", code, []string{"ES256"}, refusal("invalid_dpop_proof", "x"), "plain", "invalid_dpop_proof"},
		{"auto, not demanded", "auto", code, []string{"ES256"}, "", "plain", ""},
		{"invalid_dpop_proof", "", code, nil, refusal("invalid_dpop_proof", "x"), "plain proof", ""},
		{"use_dpop_nonce", "auto", code, nil, refusal("use_dpop_nonce", "x"), "plain proof", ""},
		{"in words", "auto", code, []string{"ES256"}, refusal("invalid_request", "a dpop proof is missing"), "plain proof", ""},
		{"in words at a refresh", "auto", refresh, []string{"ES256"}, refusal("unauthorized_client", "DPoP proof is missing"), "plain proof", ""},
		{"in words of a provider without DPoP", "auto", code, nil, refusal("invalid_client", "DPoP proof is missing"), "plain", "invalid_client"},
		{"without words", "auto", code, []string{"ES256"}, silent, "plain proof", ""},
		{"without words, device", "auto", deviceGrant, []string{"ES256"}, silent, "plain proof", ""},
		{"without words, client credentials", "auto", "client_credentials", []string{"ES256"}, silent, "plain proof", ""},
		{"a refused refresh", "auto", refresh, []string{"ES256"}, silent, "plain", "invalid_grant"},
		{"another error", "auto", code, []string{"ES256"}, refusal("invalid_client", "x"), "plain", "invalid_client"},
		{"algorithms that nobody has", "auto", code, []string{"XX"}, silent, "plain", "invalid_grant"},
		{"algorithms that nobody has, demanded", "auto", code, []string{"XX"}, refusal("invalid_dpop_proof", "x"), "plain", "only proofs with XX"},
		{"unknown mode", "maybe", code, nil, "", "", `dpop can't be "maybe"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newProofs(t)
			p.refuse = tc.refuse
			tokens, err := p.client(tc.mode).requestTokens(t.Context(), "test", p.metadata(tc.listed...), form(tc.grant))
			if got := strings.Join(p.asked, " "); got != tc.asked {
				t.Errorf("asked %q, want %q", got, tc.asked)
			}
			if tc.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fails) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if bound := strings.HasSuffix(tc.asked, "proof"); tokens.Bound() != bound || tokens.DPoPKey.IsZero() == bound {
				t.Errorf("bound %v, key %v", tokens.Bound(), !tokens.DPoPKey.IsZero())
			}
			if len(p.keys) > 0 {
				if jkt, err := thumbprint(tokens.DPoPKey); err != nil || jkt != p.keys[len(p.keys)-1] {
					t.Errorf("another key was kept: %v", err)
				}
			}
		})
	}
}

func TestDPoPAlgorithms(t *testing.T) {
	for listed, alg := range map[string]string{
		"": "ES256", "RS256 ES256": "ES256", "PS256 ES384": "ES384", "EdDSA RS256": "EdDSA", "PS256": "PS256", "ES512": "ES512", "RS256 XX": "RS256",
	} {
		p := newProofs(t)
		p.alg = alg
		md := p.metadata(strings.Fields(listed)...)
		tokens, err := p.client("always").Refresh(t.Context(), md, NewSecret("rt"))
		if err != nil {
			t.Errorf("%s: %v", listed, err)
			continue
		}
		// The session's key is used on, whatever is listed by then.
		c := p.client("auto")
		c.DPoPKey = tokens.DPoPKey
		if alg != "PS256" { // an RSA key has two
			md = p.metadata("ES999")
		}
		if _, err := c.Refresh(t.Context(), md, NewSecret("rt")); err != nil || p.keys[0] != p.keys[1] {
			t.Errorf("%s: %v", listed, err)
		}
	}
}

// A session that is bound stays so in every mode.
func TestDPoPSessionKey(t *testing.T) {
	key, err := newDPoPKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	jkt, err := thumbprint(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"", "auto", "always", "never"} {
		p := newProofs(t)
		p.answer = `{"access_token":"at-1","token_type":"Bearer"}` // RFC 9449 §5: the refresh token alone is bound
		c := p.client(mode)
		c.DPoPKey = key
		tokens, err := c.Refresh(t.Context(), p.metadata(), NewSecret("rt"))
		if err != nil || tokens.Bound() || !tokens.DPoPKey.Equal(key) || len(p.keys) != 1 || p.keys[0] != jkt {
			t.Errorf("%s: %v %v", mode, p.keys, err)
		}
	}
	p := newProofs(t)
	c := p.client("auto")
	for _, broken := range []string{"x", "AAAA", base64.StdEncoding.EncodeToString(mustDER(pkcs1(rsaKey())))} {
		c.DPoPKey = NewSecret(broken)
		if _, err := c.Refresh(t.Context(), p.metadata(), NewSecret("rt")); !errors.Is(err, errDPoPKey) || len(p.asked) != 0 {
			t.Errorf("a broken key: %v", err)
		}
	}
}

func TestDPoPNonce(t *testing.T) {
	key, err := newDPoPKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := newProofs(t)
	p.nonces = []string{"n1", "n2", "n3"}
	c := p.client("auto")
	c.DPoPKey = key
	md := p.metadata("ES256")
	if _, err := c.Refresh(t.Context(), md, NewSecret("rt")); err != nil || strings.Join(p.asked, " ") != "proof proof" {
		t.Fatalf("refresh: %v %v", p.asked, err)
	}
	// Within one flow the next nonce is known.
	flow, err := p.client("always").forFlow(md)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"proof proof", "proof"} {
		p.asked = nil
		if _, err := flow.requestTokens(t.Context(), "test", md, form(deviceGrant)); err != nil || strings.Join(p.asked, " ") != want {
			t.Errorf("%d: %v, %v", i, p.asked, err)
		}
	}
	if flow.binding == nil || p.keys[len(p.keys)-1] != p.keys[len(p.keys)-2] {
		t.Error("the flow has no key of its own")
	}
}

// A provider that never has enough is not asked for ever, and its error is
// the one that comes out.
func TestDPoPNonceForEver(t *testing.T) {
	f := newFake(t)
	n := 0
	f.on("/token", func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("DPoP-Nonce", fmt.Sprint("n", n))
		saysJSON(400, refusal("use_dpop_nonce", "again"))(w, r)
	})
	c := f.client()
	c.DPoP = "always"
	_, err := c.Refresh(t.Context(), f.metadata(), NewSecret("rt"))
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) || answer.ErrorCode != "use_dpop_nonce" || n != 1+maxNonceRepeats {
		t.Errorf("asked %d times: %v", n, err)
	}
	for _, nonce := range []string{"", strings.Repeat("n", maxNonce+1), "n\tn"} {
		n = 0
		f.on("/token", func(w http.ResponseWriter, r *http.Request) {
			n++
			w.Header()["Dpop-Nonce"] = []string{nonce}
			saysJSON(400, refusal("use_dpop_nonce", "again"))(w, r)
		})
		if _, err := c.Refresh(t.Context(), f.metadata(), NewSecret("rt")); err == nil || n != 1 {
			t.Errorf("nonce of %d characters: asked %d times: %v", len(nonce), n, err)
		}
	}
}

func TestDPoPHints(t *testing.T) {
	for _, tc := range []struct {
		name, grant, refuse, answer string
		hint                        string
	}{
		{"the code was spent", "authorization_code", refusal("invalid_dpop_proof", ""), refusal("invalid_grant", "spent"), "set dpop to always"},
		{"the device code was spent", deviceGrant, refusal("invalid_dpop_proof", ""), refusal("invalid_grant", "spent"), "set dpop to always"},
		{"still pending", deviceGrant, refusal("invalid_dpop_proof", ""), refusal("authorization_pending", ""), ""},
		{"a code that is wrong either way", "authorization_code", refusal("invalid_grant", ""), refusal("invalid_grant", ""), "if the provider wants DPoP"},
		{"a refresh", "refresh_token", refusal("invalid_dpop_proof", ""), refusal("invalid_grant", ""), ""},
	} {
		p := newProofs(t)
		p.refuse, p.answer = tc.refuse, tc.answer
		_, err := p.client("auto").requestTokens(t.Context(), "test", p.metadata("ES256"), form(tc.grant))
		var hinted interface{ Hint() string }
		hint := ""
		if errors.As(err, &hinted) {
			hint = hinted.Hint()
		}
		var answer *oauth2.RetrieveError
		if !errors.As(err, &answer) || !strings.Contains(hint, tc.hint) || tc.hint == "" && hint != "" {
			t.Errorf("%s: %v, hint %q", tc.name, err, hint)
		}
	}
}

// A flow keeps the key only if it has helped.
func TestDPoPFlowAfterAGuess(t *testing.T) {
	p := newProofs(t)
	md := p.metadata("ES256")
	p.refuse, p.answer = refusal("invalid_grant", "x"), refusal("invalid_grant", "x")
	flow, err := p.client("auto").forFlow(md)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(want string) {
		t.Helper()
		p.asked = nil
		_, _ = flow.requestTokens(t.Context(), "test", md, form(deviceGrant))
		if got := strings.Join(p.asked, " "); got != want {
			t.Errorf("asked %q, want %q", got, want)
		}
	}
	ask("plain proof")
	p.answer = refusal("authorization_pending", "x")
	ask("plain proof")
	ask("proof")
	p.answer = ""
	ask("proof")
	if p.keys[len(p.keys)-1] != p.keys[len(p.keys)-2] {
		t.Error("the key was changed on the way")
	}
}

func TestDPoPAlwaysMustBind(t *testing.T) {
	bearer := `{"access_token":"at-1","token_type":"Bearer"`
	for _, tc := range []struct {
		name   string
		answer string
		listed []string
		secret bool
		grant  string
		good   bool
	}{
		{"nothing is bound", bearer + "}", []string{"ES256"}, false, "authorization_code", false},
		{"the refresh token is", bearer + `,"refresh_token":"rt"}`, []string{"ES256"}, false, "authorization_code", true},
		{"a provider without DPoP", bearer + `,"refresh_token":"rt"}`, nil, false, "authorization_code", false},
		{"a confidential client's is not", bearer + `,"refresh_token":"rt"}`, []string{"ES256"}, true, "authorization_code", false},
		{"a refresh is not thrown away", bearer + "}", nil, false, "refresh_token", true},
	} {
		p := newProofs(t)
		p.answer = tc.answer
		c := p.client("always")
		if tc.secret {
			c.ClientSecret = secretOf("hush")
		}
		_, err := c.requestTokens(t.Context(), "test", p.metadata(tc.listed...), form(tc.grant))
		var hinted interface{ Hint() string }
		if (err == nil) != tc.good || err != nil && !errors.As(err, &hinted) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestDPoPUserInfo(t *testing.T) {
	key, err := newDPoPKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	bound := &Tokens{Access: NewSecret("at-1"), TokenType: "DPoP", DPoPKey: key}
	for _, nonces := range [][]string{nil, {"n1"}} {
		p := newProofs(t)
		p.nonces = nonces
		md := p.metadata("ES256")
		md.UserinfoEndpoint += "?tenant=a" // not in the htu
		if claims, err := p.client("auto").UserInfoFor(t.Context(), md, bound, "s"); err != nil || string(claims) != `{"sub":"s"}` || len(p.keys) != 1+len(nonces) {
			t.Errorf("%v: %s, %v", nonces, claims, err)
		}
	}
	// A token that is not bound goes as before, whatever key there is.
	f := newFake(t)
	f.on("/userinfo", saysJSON(200, `{"sub":"s"}`))
	if _, err := f.client().UserInfoFor(t.Context(), f.metadata(), &Tokens{Access: NewSecret("at-1"), TokenType: "Bearer", DPoPKey: key}, "s"); err != nil {
		t.Error(err)
	}
	if _, header := f.last(); header.Get("Authorization") != "Bearer at-1" || header.Get("DPoP") != "" {
		t.Errorf("%v", header)
	}
	if _, err := f.client().UserInfoFor(t.Context(), f.metadata(), &Tokens{Access: NewSecret("at-1"), TokenType: "DPoP"}, "s"); !errors.Is(err, errDPoPKey) {
		t.Errorf("without the key: %v", err)
	}
}

func TestDPoPJKT(t *testing.T) {
	p := newProofs(t)
	md := p.metadata("ES256")
	for mode, want := range map[string]bool{"always": true, "auto": false, "never": false} {
		flow, err := p.client(mode).forFlow(md)
		if err != nil {
			t.Fatal(err)
		}
		jkt, err := flow.dpopJKT()
		if err != nil || (jkt != "") != want {
			t.Errorf("%s: %q, %v", mode, jkt, err)
		}
		p.keys = nil
		if _, err := flow.requestTokens(t.Context(), "test", md, form("authorization_code")); err != nil || want && p.keys[0] != jkt {
			t.Errorf("%s: %v", mode, err)
		}
	}
	if jkt, err := p.client("always").dpopJKT(); jkt != "" || err != nil {
		t.Errorf("outside of a flow: %q, %v", jkt, err)
	}
}

func TestWithoutQuery(t *testing.T) {
	for raw, want := range map[string]string{
		"https://id.example.com/token":            "https://id.example.com/token",
		"https://id.example.com":                  "https://id.example.com/",
		"https://id.example.com:8443/t%2Fa?x=1#f": "https://id.example.com:8443/t%2Fa",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := withoutQuery(u); got != want {
			t.Errorf("%s: %s", raw, got)
		}
	}
}
