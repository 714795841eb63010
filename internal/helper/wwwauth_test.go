package helper

import (
	"strings"
	"testing"
)

func TestOffers(t *testing.T) {
	for _, tt := range []struct {
		name          string
		headers       []string
		basic, bearer bool
	}{
		{"none", nil, false, false},
		{"Basic", []string{`Basic realm="Gitea"`}, true, false},
		{"Bearer", []string{`Bearer realm="x", error="invalid_token"`}, false, true},
		{"a header each", []string{`Basic realm="x"`, `Bearer realm="y"`}, true, true},
		{"one header", []string{`Basic realm="x", charset="UTF-8", Bearer realm="y"`}, true, true},
		{"case, no parameter", []string{"bAsIc,BEARER"}, true, true},
		{"within a quoted string", []string{`Basic realm="a, Bearer b"`}, true, false},
		{"after an escaped quote", []string{`Basic realm="a\", Bearer b"`}, true, false},
		{"a parameter of that name", []string{`Basic Bearer="x"`, `Basic realm=x, Bearer = y`}, true, false},
		{"a longer name", []string{`BasicToo realm="x", NotBearer`}, false, false},
		{"others", []string{"Negotiate", "NTLM TlRMTVNTUAAB=="}, false, false},
		{"Azure DevOps", []string{
			`Bearer authorization_uri=https://login.example.com/t`, `Basic realm="https://x/"`, "TFS-Federated",
		}, true, true},
		{"empty elements", []string{` , ,Basic realm="x",, `, ""}, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := offers(tt.headers, "Basic"); got != tt.basic {
				t.Errorf("Basic: %v", got)
			}
			if got := offers(tt.headers, "Bearer"); got != tt.bearer {
				t.Errorf("Bearer: %v", got)
			}
		})
	}
}

// FuzzWWWAuthenticate: whatever a server sends, the end is reached, and a
// scheme that is found stands in the text.
func FuzzWWWAuthenticate(f *testing.F) {
	for _, s := range []string{"", "Basic", `Basic realm="x", Bearer realm="y"`, `"\`, `,,a=b ,= "`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		for _, scheme := range []string{"Basic", "Bearer"} {
			if offers([]string{header}, scheme) && !strings.Contains(strings.ToLower(header), strings.ToLower(scheme)) {
				t.Errorf("%s in %q", scheme, header)
			}
		}
		if !offers([]string{header + `", Bearer`}, "Bearer") && !offers([]string{header + `, Bearer`}, "Bearer") && !offers([]string{header + `"", Bearer`}, "Bearer") {
			t.Errorf("a last element is lost after %q", header)
		}
	})
}
