package helper

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

func TestPnpm(t *testing.T) {
	const link = "/opt/oidc-cred-pnpm"
	for _, tt := range []struct {
		name   string
		npmrc  string
		auth   string // pnpm's auth.ini
		args   []string
		src    *fakeSource
		mapped []Mapping
		err    string
	}{
		{name: "one registry", npmrc: "fund=false\n//npm.example.com/:tokenHelper=" + link + "@work\n"},
		{name: "a registry below a path", npmrc: "//npm.example.com/team/npm/:tokenHelper = " + link + "@work"},
		{name: "by hand, with no registry in the file"},
		{name: "expired", src: &fakeSource{tokens: []*session.Token{expired("T1")}}},
		{name: "a registry on this machine over http", npmrc: "//localhost:4873/:tokenHelper=" + link + "@work"},
		{name: "a registry of another profile", npmrc: "//other.example.com/:tokenHelper=" + link + "@home"},
		{name: "another program's", npmrc: "//other.example.com/:tokenHelper=/opt/theirs"},
		{name: "a comment", npmrc: "# //other.example.com/:tokenHelper=" + link},
		{name: "not mapped", npmrc: "//other.example.com/:tokenHelper=" + link + "@work", err: "other.example.com would get the token of profile work"},
		{name: "not mapped, whatever the profile", npmrc: "//other.example.com/:tokenHelper=" + link, err: "other.example.com would get"},
		{name: "not mapped, on Windows", npmrc: `//other.example.com/:tokenHelper=C:\Program Files\OIDC-CRED-pnpm@work.exe`, err: "other.example.com would get"},
		{name: "not mapped, quoted", npmrc: `"//other.example.com/:tokenHelper"="` + link + `@work"`, err: "other.example.com would get"},
		{name: "not mapped, as a command", npmrc: "//other.example.com/:tokenHelper=/opt/oidc-cred helper pnpm --profile work", err: "other.example.com would get"},
		{name: "another port", npmrc: "//npm.example.com:8443/:tokenHelper=" + link + "@work", err: "npm.example.com:8443 would get"},
		{name: "for every registry", npmrc: "tokenHelper=" + link + "@work", err: "without a registry"},
		{name: "not mapped, in pnpm's own file", auth: "//other.example.com/:tokenHelper=" + link + "@work", err: "other.example.com would get"},
		{name: "a profile without hosts", mapped: []Mapping{{Profile: "home", Hosts: []string{"npm.example.com"}}}, err: "no registry is mapped to profile work"},
		{name: "arguments", args: []string{"get"}, err: "no arguments"},
		{name: "signed out", src: &fakeSource{err: errSignIn}, err: "sign-in required"},
		{name: "a token with a line end", src: &fakeSource{tokens: []*session.Token{live("T1\nx")}}, err: "can't carry"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			home := t.TempDir()
			for file, content := range map[string]string{".npmrc": tt.npmrc, "config/pnpm/auth.ini": tt.auth} {
				if content == "" {
					continue
				}
				path := filepath.Join(home, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if tt.src == nil {
				tt.src = &fakeSource{tokens: []*session.Token{live("T1")}}
			}
			w := newWorld(&Target{Source: tt.src, Profile: "work"}, "")
			w.env.Getenv = func(name string) string {
				return map[string]string{"XDG_CONFIG_HOME": filepath.Join(home, "config"), "NPM_CONFIG_USERCONFIG": filepath.Join(home, ".npmrc")}[name]
			}
			t.Setenv("HOME", home)
			w.env.Mapped = func() ([]Mapping, error) {
				if tt.mapped != nil {
					return tt.mapped, nil
				}
				return []Mapping{{Profile: "home", Hosts: []string{"other.example.com"}}, {Profile: "work", Hosts: []string{"npm.example.com", "localhost:4873"}}}, nil
			}
			err := Pnpm(t.Context(), w.env, tt.args)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || w.out.Len() > 0 {
					t.Errorf("error %v, answer %q", err, w.out.String())
				}
				return
			}
			if err != nil || w.out.String() != "Bearer T1\n" || w.errs.Len() > 0 || len(w.warned) > 0 {
				t.Errorf("%v, answer %q, stderr %q, %v", err, w.out.String(), w.errs.String(), w.warned)
			}
		})
	}
}

func FuzzTokenHelpers(f *testing.F) {
	for _, file := range []string{
		"//npm.example.com/:tokenHelper=/opt/oidc-cred-pnpm@work\n", "tokenHelper = oidc-cred-pnpm.exe", "//h/:tokenHelper=/a b/oidc-cred helper pnpm -p x",
		"=\n\"=\"\n'", "//:tokenHelper=oidc-cred-pnpm", "\r\n;\n#\n[x]\n",
	} {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file string) {
		for _, e := range TokenHelpers([]byte(file)) {
			if strings.ContainsAny(e.Host, "/\n") || strings.ContainsAny(e.Profile, "\n") {
				t.Fatalf("%q in %q", e, file)
			}
			if !strings.Contains(strings.ToLower(file), "pnpm") {
				t.Fatalf("%q is not ours", file)
			}
		}
	})
}
