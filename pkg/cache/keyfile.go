package cache

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"unicode/utf8"
)

// A key file, version 1:
//
//	magic       8 bytes
//	version     1 byte
//	kdf         1 byte: 1 HKDF-SHA256 (RFC 5869), 2 PBKDF2-HMAC-SHA256 (RFC 8018)
//	iterations  4 bytes, big endian; 0 for HKDF
//	salt       16 bytes, random
//	nonce      12 bytes, random
//	ciphertext, with the 16-byte tag: AES-256-GCM
//
// Additional data: all before the nonce, and the item's name.
const (
	fileMagic       = "oidckey\x00"
	fileVersion     = 1
	saltSize        = 16
	fileHeaderSize  = len(fileMagic) + 1 + 1 + 4 + saltSize
	kdfHKDF         = 1
	kdfPBKDF2       = 2
	pbkdf2Rounds    = 600_000 // OWASP Password Storage Cheat Sheet, 2023
	pbkdf2RoundsMax = 10_000_000
	// randomPassphrase is the length from which a passphrase counts as a
	// random key, which needs no slow derivation: nobody types it.
	randomPassphrase = 32
)

// keyFile is a parsed key file.
type keyFile struct {
	kdf        byte
	iterations uint32
	salt       [saltSize]byte
	sealed     []byte // nonce and ciphertext
}

func newKeyFile(passphrase string) *keyFile {
	f := &keyFile{kdf: kdfPBKDF2, iterations: pbkdf2Rounds}
	if utf8.RuneCountInString(passphrase) >= randomPassphrase {
		f.kdf, f.iterations = kdfHKDF, 0
	}
	_, _ = rand.Read(f.salt[:])
	return f
}

func parseKeyFile(raw []byte) (*keyFile, error) {
	switch {
	case len(raw) < fileHeaderSize+gcmOverhead:
		return nil, errorText("it is cut off")
	case string(raw[:len(fileMagic)]) != fileMagic:
		return nil, errorText("it is not a key file")
	case raw[len(fileMagic)] != fileVersion:
		return nil, errorText("its format is unknown here")
	}
	rest := raw[len(fileMagic)+1:]
	f := &keyFile{kdf: rest[0], iterations: binary.BigEndian.Uint32(rest[1:])}
	copy(f.salt[:], rest[5:])
	f.sealed = rest[5+saltSize:]
	// The bounds keep a file that somebody else wrote from costing hours.
	switch {
	case f.kdf == kdfHKDF && f.iterations == 0:
	case f.kdf == kdfPBKDF2 && f.iterations >= pbkdf2Rounds && f.iterations <= pbkdf2RoundsMax:
	default:
		return nil, errorText("its key derivation is unknown here")
	}
	return f, nil
}

func (f *keyFile) header() []byte {
	b := append([]byte(fileMagic), fileVersion, f.kdf)
	b = binary.BigEndian.AppendUint32(b, f.iterations)
	return append(b, f.salt[:]...)
}

func (f *keyFile) aead(passphrase string) (cipher.AEAD, error) {
	var key []byte
	var err error
	if f.kdf == kdfHKDF {
		key, err = hkdf.Key(sha256.New, []byte(passphrase), f.salt[:], "oidc-cred key file", keySize)
	} else {
		key, err = pbkdf2.Key(sha256.New, passphrase, f.salt[:], int(f.iterations), keySize)
	}
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (f *keyFile) seal(passphrase, name string, data []byte) ([]byte, error) {
	aead, err := f.aead(passphrase)
	if err != nil {
		return nil, err
	}
	header := f.header()
	return append(header, aead.Seal(nil, nil, data, append(f.header(), name...))...), nil
}

func (f *keyFile) open(passphrase, name string) ([]byte, error) {
	aead, err := f.aead(passphrase)
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, nil, f.sealed, append(f.header(), name...))
}
