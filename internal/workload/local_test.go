package workload

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6Y2k6Ym90In0.c2ln"

// local wants an error of this machine that shows nothing of a secret.
func local(t *testing.T, err error, want string) {
	t.Helper()
	var own *LocalError
	if !errors.As(err, &own) || !own.Configuration() || own.Hint() == "" {
		t.Fatalf("error %v, want one of this machine with a hint", err)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("error %q, want it to have %q", err, want)
	}
	if strings.Contains(err.Error()+own.Hint(), "hunter2") {
		t.Errorf("error %q shows what was read", err)
	}
}

func TestEnv(t *testing.T) {
	env := map[string]string{"GOOD": jwt + "\n", "SPACE": "  ", "PAGE": "<html> hunter2"}
	get := func(name string) string { return env[name] }
	token, err := Env("GOOD", get)(t.Context())
	if err != nil || token.Reveal() != jwt {
		t.Fatalf("%v, %v", token, err)
	}
	env["GOOD"] = "another"
	for name, want := range map[string]string{"NONE": "NONE, which holds the token, is not set", "SPACE": "there is nothing in it", "PAGE": "it is no token"} {
		_, err := Env(name, get)(t.Context())
		local(t, err, want)
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := write("token", jwt+"\r\n")
	source := File(path)
	if token, err := source(t.Context()); err != nil || token.Reveal() != jwt {
		t.Fatalf("%v, %v", token, err)
	}
	write("token", "renewed")
	if token, err := source(t.Context()); err != nil || token.Reveal() != "renewed" {
		t.Errorf("after the kubelet renewed it: %v, %v", token, err)
	}
	largest := strings.Repeat("x", maxToken)
	if token, err := File(write("largest", largest+"\n"))(t.Context()); err != nil || token.Reveal() != largest {
		t.Errorf("the largest token: %v", err)
	}
	for name, test := range map[string]struct{ path, want string }{
		"none":        {filepath.Join(dir, "none"), "no such file"},
		"a folder":    {dir, "it is no regular file"},
		"empty":       {write("empty", " \n"), "there is nothing in it"},
		"too large":   {write("large", strings.Repeat("x", maxToken+1)), "it is larger than 65536 bytes"},
		"a key":       {write("key", "-----BEGIN PRIVATE KEY-----\nhunter2\n"), "it is no token"},
		"two lines":   {write("two", "a\nhunter2"), "it is no token"},
		"JSON":        {write("json", `{"access_token":"hunter2"}`), "it is no token"},
		"a page":      {write("page", "<p>hunter2</p>"), "it is no token"},
		"binary":      {write("binary", "\x00\x01"), "it is no token"},
		"not English": {write("text", "gültig"), "it is no token"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := File(test.path)(t.Context())
			if name == "none" && runtime.GOOS == "windows" {
				test.want = ""
			}
			local(t, err, test.want)
			if name == "none" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("error %v hides that there is no file", err)
			}
		})
	}
}

func TestCommand(t *testing.T) {
	give := func(line string, err error) Source {
		return Command(func(context.Context) (string, error) { return line, err })
	}
	if token, err := give(jwt, nil)(t.Context()); err != nil || token.Reveal() != jwt {
		t.Fatalf("%v, %v", token, err)
	}
	_, err := give("", errors.New("it failed: exit status 1"))(t.Context())
	local(t, err, "the command: it failed: exit status 1")
	_, err = give("login: hunter2", nil)(t.Context())
	local(t, err, "it is no token")
	var own *LocalError
	if _, err = give("", context.Canceled)(t.Context()); !errors.Is(err, context.Canceled) || errors.As(err, &own) {
		t.Errorf("an interrupt gives %v", err)
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add([]byte(jwt + "\n"))
	f.Add([]byte("\xef\xbb\xbf" + jwt))
	f.Add([]byte("a b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		token, err := parseToken(data)
		if err != nil {
			if text := strings.TrimSpace(string(data)); len(text) > 60 && strings.Contains(err.Error(), text) {
				t.Errorf("the error shows what was read")
			}
			return
		}
		text := token.Reveal()
		if text == "" || len(text) > maxToken || !strings.Contains(string(data), text) || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%q gives %q", data, text)
		}
	})
}
