package cache

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

// The fuzzer's processes each make their own seeds, so keys are fixed and
// nothing is compared with a seed.

func FuzzSealed(f *testing.F) {
	key := sealKey{id: [keyIDSize]byte{1}, key: [keySize]byte{2}}
	sealed, err := key.seal(testID, []byte("payload"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add(sealed[:headerSize])
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		id, err := sealedKeyID(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		// A store opens only what has its key's id.
		if payload, err := key.open(testID, data); err == nil && id == key.id && string(payload) != "payload" {
			t.Fatalf("forged: %q", payload)
		}
		if payload, err := key.open("other", data); err == nil {
			t.Fatalf("opened for another session: %q", payload)
		}
	})
}

func FuzzKeyFile(f *testing.F) {
	raw, err := newKeyFile(longPassphrase).seal(longPassphrase, "name", []byte("secret"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:fileHeaderSize])
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := parseKeyFile(data)
		if err != nil {
			return
		}
		if !bytes.Equal(append(parsed.header(), parsed.sealed...), data) {
			t.Fatal("not what was parsed")
		}
		if parsed.kdf == kdfPBKDF2 {
			return // right, but slow
		}
		if secret, err := parsed.open(longPassphrase, "name"); err == nil && string(secret) != "secret" {
			t.Fatalf("forged: %q", secret)
		}
		if secret, err := parsed.open(longPassphrase, "other"); err == nil {
			t.Fatalf("opened under another name: %q", secret)
		}
	})
}

func FuzzDocument(f *testing.F) {
	raw, err := encodeDocument("https://id.example.com", "keys", []byte("{}\n"), time.Unix(1, 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte("{}\n"))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		document, fetched, err := decodeDocument(data, "https://id.example.com", "keys")
		if err != nil {
			return
		}
		again, err := encodeDocument("https://id.example.com", "keys", document, fetched)
		if err != nil {
			return // a time that JSON can't say
		}
		if back, when, err := decodeDocument(again, "https://id.example.com", "keys"); err != nil || !bytes.Equal(back, document) || !when.Equal(fetched) {
			t.Fatalf("%q, %v", back, err)
		}
	})
}

func FuzzEscapeName(f *testing.F) {
	f.Add("a/../ü")
	f.Fuzz(func(t *testing.T, name string) {
		back, err := unescapeName(escapeName(name))
		if err != nil || back != name {
			t.Fatalf("%q, %v", back, err)
		}
		_, _ = unescapeName(name)
	})
}
