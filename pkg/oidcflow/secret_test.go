package oidcflow

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretIsRedacted(t *testing.T) {
	s := NewSecret("hush")
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "token", s, "tokens", Tokens{Access: s})
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "token", s, "tokens", &Tokens{Access: s})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+" "+verb+"\n", s, struct{ S Secret }{s})
	}
	raw, err := json.Marshal(map[Secret]Secret{s: s})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(raw)
	out.WriteString(s.String() + s.GoString())
	for _, shown := range []string{"hush", "68757368"} {
		if strings.Contains(out.String(), shown) {
			t.Errorf("shown: %s", out.String())
		}
	}
	if s.Reveal() != "hush" || s.IsZero() || !(Secret{}).IsZero() {
		t.Error("the secret is lost")
	}
	if !s.Equal(NewSecret("hush")) || s.Equal(NewSecret("hus")) || s.Equal(Secret{}) {
		t.Error("the comparison is wrong")
	}
}
