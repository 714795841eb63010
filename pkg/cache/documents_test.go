package cache

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestDocuments(t *testing.T) {
	d := Documents{Dir: filepath.Join(t.TempDir(), "documents")}
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	const issuer, other = "https://id.example.com", "https://id.example.com/"
	if _, _, err := d.Get(issuer, "discovery"); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if err := d.Remove(issuer); err != nil {
		t.Error(err)
	}
	for _, kind := range []string{"discovery", "keys"} {
		for _, i := range []string{issuer, other} {
			if err := d.Put(i, kind, []byte(kind+"\nof "+i), now); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func(issuer, kind string) {
		t.Helper()
		data, fetched, err := d.Get(issuer, kind)
		if err != nil || string(data) != kind+"\nof "+issuer || !fetched.Equal(now) {
			t.Errorf("%q, %v, %v", data, fetched, err)
		}
	}
	check(issuer, "discovery")
	check(issuer, "keys")
	check(other, "keys")
	if err := d.Remove(issuer); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Get(issuer, "keys"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	check(other, "discovery")
	for _, kind := range []string{"", "..", "a/b"} {
		if err := d.Put(issuer, kind, nil, now); err == nil {
			t.Errorf("kind %q was taken", kind)
		}
		if _, _, err := d.Get(issuer, kind); err == nil {
			t.Errorf("kind %q was found", kind)
		}
	}
	if err := d.Put(issuer, "keys", make([]byte, maxFile), now); err == nil {
		t.Error("a document was taken that could not be read again")
	}
}

func TestDamagedDocuments(t *testing.T) {
	d := Documents{Dir: t.TempDir()}
	const issuer = "https://id.example.com"
	if err := d.Put(issuer, "keys", []byte(`{"keys":[]}`), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	path, err := d.path(issuer, "keys")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path) //nolint:gosec // a test's file
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty": nil, "cut off": whole[:len(whole)-1], "header only": whole[:bytes.IndexByte(whole, '\n')],
		"no header": []byte(`{"keys":[]}`), "changed": bytes.Replace(whole, []byte("keys\":["), []byte("kegs\":["), 1),
		"version": bytes.Replace(whole, []byte(`"version":1`), []byte(`"version":2`), 1),
		"issuer":  bytes.Replace(whole, []byte("example"), []byte("exomple"), 1),
		"huge":    make([]byte, maxFile+1),
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, _, err := d.Get(issuer, "keys"); !errors.Is(err, ErrNotFound) || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
