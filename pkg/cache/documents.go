package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Documents keeps what a provider publishes (its discovery document and its
// keys), so that a session can go on while they can't be had. They are no
// secrets. Losing one does no harm, so all that is wrong with a file is that
// it is [ErrNotFound].
type Documents struct {
	// Dir is a folder of its own in the cache folder.
	Dir string
}

// documentHeader is the first line of a file; the document follows.
type documentHeader struct {
	Version int       `json:"version"`
	Issuer  string    `json:"issuer"`
	Kind    string    `json:"kind"`
	Fetched time.Time `json:"fetched"`
	SHA256  string    `json:"sha256"`
}

const documentVersion = 1

// Get reads a document and when it was fetched.
func (d Documents) Get(issuer, kind string) (data []byte, fetched time.Time, err error) {
	path, err := d.path(issuer, kind)
	if err != nil {
		return nil, time.Time{}, err
	}
	raw, err := readLimited(path)
	if err == nil {
		data, fetched, err = decodeDocument(raw, issuer, kind)
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("cached %s of %s: %w", kind, issuer, ErrNotFound)
	}
	return data, fetched, nil
}

// Put stores a document fetched at now.
func (d Documents) Put(issuer, kind string, data []byte, now time.Time) error {
	path, err := d.path(issuer, kind)
	if err != nil {
		return err
	}
	raw, err := encodeDocument(issuer, kind, data, now)
	if err != nil {
		return fmt.Errorf("cache %s of %s: %w", kind, issuer, err)
	}
	if err := ensureDir(d.Dir); err != nil {
		return fmt.Errorf("cache %s of %s: %w", kind, issuer, err)
	}
	sweep(d.Dir, now.Add(-leftoverAge))
	if err := WriteFileAtomic(path, raw, 0o600); err != nil {
		return fmt.Errorf("cache %s of %s: %w", kind, issuer, err)
	}
	return nil
}

// Remove forgets all documents of the issuer.
func (d Documents) Remove(issuer string) error {
	entries, err := os.ReadDir(d.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("forget documents: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), issuerName(issuer)+".") {
			continue
		}
		if err := os.Remove(filepath.Join(d.Dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget documents: %w", err)
		}
	}
	return nil
}

func (d Documents) path(issuer, kind string) (string, error) {
	if checkID(kind) != nil {
		return "", fmt.Errorf("bad document kind %q", kind)
	}
	return filepath.Join(d.Dir, issuerName(issuer)+"."+kind), nil
}

func issuerName(issuer string) string {
	sum := sha256.Sum256([]byte(issuer))
	return hex.EncodeToString(sum[:])
}

func encodeDocument(issuer, kind string, data []byte, now time.Time) ([]byte, error) {
	sum := sha256.Sum256(data)
	raw, err := json.Marshal(documentHeader{documentVersion, issuer, kind, now.UTC(), hex.EncodeToString(sum[:])})
	if err != nil {
		return nil, err
	}
	raw = append(append(raw, '\n'), data...)
	if len(raw) > maxFile {
		return nil, fmt.Errorf("%d bytes are more than fit", len(data))
	}
	return raw, nil
}

func decodeDocument(raw []byte, issuer, kind string) ([]byte, time.Time, error) {
	line, data, ok := bytes.Cut(raw, []byte("\n"))
	var h documentHeader
	if !ok || json.Unmarshal(line, &h) != nil {
		return nil, time.Time{}, ErrCorrupt
	}
	sum := sha256.Sum256(data)
	if h.Version != documentVersion || h.Issuer != issuer || h.Kind != kind || h.SHA256 != hex.EncodeToString(sum[:]) {
		return nil, time.Time{}, ErrCorrupt
	}
	return data, h.Fetched, nil
}
