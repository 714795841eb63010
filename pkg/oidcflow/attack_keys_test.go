package oidcflow

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// forge makes a compact JWS of a header, claims and a signature as they are.
func forge(t *testing.T, header string, claims any, signature []byte) Secret {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	return NewSecret(b64([]byte(header)) + "." + b64(mustJSON(t, claims)) + "." + b64(signature))
}

// within fails a test whose work takes longer than any honest document needs.
func within(t *testing.T, what string, limit time.Duration, work func()) {
	t.Helper()
	start := time.Now()
	work()
	if took := time.Since(start); took > limit {
		t.Errorf("%s took %v", what, took)
	}
}

// A set of ten thousand keys, for a token that names none of them, one that
// is not there, and the last one.
func TestAttackManyKeys(t *testing.T) {
	keys := make([]string, 0, 10_000)
	key := mustJSON(t, jose.JSONWebKey{Key: ecKey().Public(), Algorithm: "ES256"})
	for i := range 10_000 {
		keys = append(keys, strings.Replace(string(key), "{", fmt.Sprintf(`{"kid":"k%d",`, i), 1))
	}
	jwks := []byte(`{"keys":[` + strings.Join(keys, ",") + `]}`)
	if len(jwks) > maxAnswer { // it would not have been read
		jwks = []byte(`{"keys":[` + strings.Join(keys[:5000], ",") + `]}`)
	}
	other, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	signature := append(make([]byte, 56), other.FillBytes(make([]byte, 8))...)
	for name, header := range map[string]string{
		"no kid": `{"alg":"ES256"}`, "unknown kid": `{"alg":"ES256","kid":"x"}`, "kid of a key": `{"alg":"ES256","kid":"k4999"}`,
	} {
		within(t, name, 5*time.Second, func() {
			if _, err := testClient().VerifyIDToken(testMetadata("ES256"), jwks, forge(t, header, claimsOf(nil), signature), Expect{}); err == nil {
				t.Errorf("%s: taken", name)
			}
		})
	}
	// What is behind the first fifty keys of that name is not reached: a set
	// with more is no set of a provider.
	if got := len(candidates(jwks, "", "ES256")); got != maxKeysTried {
		t.Errorf("%d keys would be tried", got)
	}
	within(t, "a set that is too large", time.Second, func() {
		if got := candidates([]byte(strings.Repeat(" ", maxAnswer+1)+string(jwks)), "", "ES256"); got != nil {
			t.Errorf("%d keys", len(got))
		}
	})
}

// RSA keys so long that one signature would take minutes are passed over.
func TestAttackLongRSAKeys(t *testing.T) {
	b64 := base64.RawURLEncoding.EncodeToString
	for _, bits := range []int{16_384, 65_536, 1 << 20} {
		n := make([]byte, bits/8)
		_, _ = rand.Read(n)
		n[0], n[len(n)-1] = n[0]|0x80, n[len(n)-1]|1
		key := map[string]any{"kty": "RSA", "n": b64(n), "e": b64([]byte{0x7f, 0xff, 0xff, 0xff})}
		jwks := mustJSON(t, map[string]any{"keys": []any{key, key, key, key}})
		signature := append([]byte{0}, n[1:]...)
		within(t, fmt.Sprintf("%d bits", bits), 5*time.Second, func() {
			if _, err := testClient().VerifyIDToken(testMetadata(), jwks, forge(t, `{"alg":"RS256"}`, claimsOf(nil), signature), Expect{}); err == nil {
				t.Errorf("%d bits: taken", bits)
			}
		})
	}
	// Exponents that are no exponents: 1 would make every text its own
	// signature.
	n := rsaKey().N
	for _, e := range [][]byte{{1}, {0}, {2}, {}, make([]byte, 1000), {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}} {
		jwks := mustJSON(t, map[string]any{"keys": []any{map[string]any{"kty": "RSA", "n": b64(n.Bytes()), "e": b64(e)}}})
		if _, err := testClient().VerifyIDToken(testMetadata(), jwks, rs256().sign(t, claimsOf(nil)), Expect{}); err == nil {
			t.Errorf("exponent %x was taken", e)
		}
	}
}

// Headers that tell the verifier how, or with what, to verify, RFC 8725 §3.
func TestAttackTokenHeader(t *testing.T) {
	jwks := jwksOf(t, rs256().jwk(), es256().jwk())
	evil := signer{ecKey(), jose.ES256, "evil"}
	js, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: evil.private}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := js.Sign(mustJSON(t, claimsOf(nil)))
	if err != nil {
		t.Fatal(err)
	}
	embedded, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	onlyRSA := jwksOf(t, rs256().jwk())
	good := rs256().sign(t, claimsOf(nil)).Reveal()
	parts := strings.Split(good, ".")
	for name, tc := range map[string]struct {
		raw  Secret
		jwks []byte
	}{
		"its own key":          {NewSecret(embedded), onlyRSA},
		"none":                 {forge(t, `{"alg":"none"}`, claimsOf(nil), nil), jwks},
		"None":                 {forge(t, `{"alg":"None"}`, claimsOf(nil), nil), jwks},
		"no alg":               {forge(t, `{"kid":"rsa-1"}`, claimsOf(nil), nil), jwks},
		"alg is a list":        {forge(t, `{"alg":["RS256","none"]}`, claimsOf(nil), nil), jwks},
		"empty alg":            {forge(t, `{"alg":""}`, claimsOf(nil), nil), jwks},
		"two algs":             {forge(t, `{"alg":"RS256","alg":"none"}`, claimsOf(nil), nil), jwks},
		"HS256":                {signer{jwks, jose.HS256, "rsa-1"}.sign(t, claimsOf(nil)), jwks},
		"unknown crit":         {forge(t, `{"alg":"RS256","kid":"rsa-1","crit":["exp"]}`, claimsOf(nil), []byte("x")), jwks},
		"b64 false":            {forge(t, `{"alg":"RS256","kid":"rsa-1","b64":false,"crit":["b64"]}`, claimsOf(nil), []byte("x")), jwks},
		"jku":                  {forge(t, `{"alg":"RS256","kid":"x","jku":"https://evil.example/jwks"}`, claimsOf(nil), []byte("x")), jwks},
		"x5u":                  {forge(t, `{"alg":"RS256","x5u":"file:///etc/passwd"}`, claimsOf(nil), []byte("x")), jwks},
		"kid is a path":        {forge(t, `{"alg":"RS256","kid":"../../../../dev/null"}`, claimsOf(nil), nil), jwks},
		"kid is a query":       {forge(t, `{"alg":"RS256","kid":"x' UNION SELECT 'k"}`, claimsOf(nil), nil), jwks},
		"kid is huge":          {forge(t, `{"alg":"RS256","kid":"`+strings.Repeat("k", 500_000)+`"}`, claimsOf(nil), nil), jwks},
		"kid of a key, no sig": {forge(t, `{"alg":"RS256","kid":"rsa-1"}`, claimsOf(nil), nil), jwks},
		"key of another kind":  {forge(t, `{"alg":"ES256","kid":"rsa-1"}`, claimsOf(nil), make([]byte, 64)), jwks},
		"ECDSA zeros":          {forge(t, `{"alg":"ES256","kid":"ec-1"}`, claimsOf(nil), make([]byte, 64)), jwks}, // CVE-2022-21449 and its like
		"deeply nested header": {forge(t, `{"alg":"RS256","x":`+strings.Repeat("[", 300_000)+strings.Repeat("]", 300_000)+`}`, claimsOf(nil), nil), jwks},
		"a good signature, another header": {NewSecret(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"rsa-1","typ":"x"}`)) +
			"." + parts[1] + "." + parts[2]), jwks},
		"JSON serialisation": {NewSecret(`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`), jwks},
		"encrypted":          {NewSecret("e30.e30.e30.e30.e30"), jwks},
		"padded":             {NewSecret(good + "="), jwks},
	} {
		within(t, name, 5*time.Second, func() {
			_, err := testClient().VerifyIDToken(testMetadata("RS256", "ES256"), tc.jwks, tc.raw, Expect{})
			if err == nil {
				t.Errorf("%s: taken", name)
			} else if text := err.Error(); len([]rune(text)) > 500 || Clean(text) != text && len(text) < 300 {
				t.Errorf("%s: %q", name, text)
			}
		})
	}
	if _, err := testClient().VerifyIDToken(testMetadata("RS256", "ES256"), jwks, NewSecret(good), Expect{}); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// Keys that are not there to verify signatures with, or not of this kind.
func TestAttackWrongKeys(t *testing.T) {
	public := mustJSON(t, rs256().jwk())
	var jwk map[string]any
	if err := json.Unmarshal(public, &jwk); err != nil {
		t.Fatal(err)
	}
	good := rs256().sign(t, claimsOf(nil))
	for name, change := range map[string]map[string]any{
		"for encryption": {"use": "enc"}, "for another algorithm": {"alg": "PS256"}, "another name": {"kid": "rsa-2"}, "a list for a name": {"kid": []string{"rsa-1"}},
		"symmetric": {"kty": "oct", "k": "AAAA"}, "of a curve": {"kty": "EC", "crv": "P-256"}, "in capitals": {"kty": "rsa"}, "no modulus": {"n": nil},
		"short": {"n": "AQAB"}, "even": {"n": base64.RawURLEncoding.EncodeToString(new(big.Int).Lsh(rsaKey().N, 1).Bytes())},
	} {
		changed := map[string]any{}
		for k, v := range jwk {
			changed[k] = v
		}
		for k, v := range change {
			changed[k] = v
		}
		if _, err := testClient().VerifyIDToken(testMetadata("RS256"), mustJSON(t, map[string]any{"keys": []any{changed}}), good, Expect{}); err == nil {
			t.Errorf("a key %s was taken", name)
		}
	}
	// The private half, published by mistake, is still only a public key to us.
	private := mustJSON(t, jose.JSONWebKey{Key: rsaKey(), KeyID: "rsa-1"})
	if _, err := testClient().VerifyIDToken(testMetadata("RS256"), []byte(`{"keys":[`+string(private)+`]}`), good, Expect{}); err != nil {
		t.Errorf("%v", err)
	}
}
