package cache

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
)

// A sealed file, version 1:
//
//	magic      8 bytes
//	version    1 byte
//	key id     8 bytes
//	nonce     12 bytes, random
//	ciphertext, with the 16-byte tag: AES-256-GCM (NIST SP 800-38D)
//
// The key id tells a file whose key is gone from one that is damaged. Random
// nonces allow 2^32 files under one key (SP 800-38D §8.3), which is a refresh
// each second for over a century.
const (
	sealMagic   = "oidccred"
	sealVersion = 1
	keyIDSize   = 8
	keySize     = 32
	headerSize  = len(sealMagic) + 1 + keyIDSize
	gcmOverhead = 12 + 16

	// maxFile bounds what is read, so that a file that is not ours can't fill
	// the memory.
	maxFile = 1 << 20
)

// sealKey is what the keychain keeps for a session.
type sealKey struct {
	id  [keyIDSize]byte
	key [keySize]byte
}

func newSealKey() (k sealKey) {
	// crypto/rand.Read never fails (Go 1.24).
	_, _ = rand.Read(k.id[:])
	_, _ = rand.Read(k.key[:])
	return k
}

// encode is the keychain item: version, key id, key.
func (k sealKey) encode() []byte {
	b := append([]byte{sealVersion}, k.id[:]...)
	return append(b, k.key[:]...)
}

func decodeSealKey(b []byte) (k sealKey, err error) {
	if len(b) != 1+keyIDSize+keySize || b[0] != sealVersion {
		return k, errors.New("the item is not a key of this program")
	}
	copy(k.id[:], b[1:])
	copy(k.key[:], b[1+keyIDSize:])
	return k, nil
}

// String keeps a key out of logs.
func (sealKey) String() string { return "[redacted]" }

// GoString keeps a key out of logs.
func (sealKey) GoString() string { return "[redacted]" }

func (k sealKey) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// seal encrypts the payload of session id.
func (k sealKey) seal(id string, payload []byte) ([]byte, error) {
	if len(payload) > maxFile-headerSize-gcmOverhead {
		return nil, fmt.Errorf("seal session: %d bytes are more than fit", len(payload))
	}
	aead, err := k.aead()
	if err != nil {
		return nil, fmt.Errorf("seal session: %w", err)
	}
	out := make([]byte, 0, headerSize+len(payload)+gcmOverhead)
	out = append(out, sealMagic...)
	out = append(out, sealVersion)
	out = append(out, k.id[:]...)
	return aead.Seal(out, nil, payload, k.additional(id)), nil
}

// open decrypts a sealed file whose header [sealedKeyID] has checked.
func (k sealKey) open(id string, sealed []byte) ([]byte, error) {
	aead, err := k.aead()
	if err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	payload, err := aead.Open(nil, nil, sealed[headerSize:], k.additional(id))
	if err != nil {
		return nil, ErrCorrupt
	}
	return payload, nil
}

// additional binds the ciphertext to the format's version, the session and
// the key: a file copied to another session's name does not open.
func (k sealKey) additional(id string) []byte {
	b := append([]byte(sealMagic), sealVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(len(id))) //nolint:gosec // at most 64, see checkID
	b = append(b, id...)
	return append(b, k.id[:]...)
}

// sealedKeyID checks the header of a sealed file and gives its key's id.
func sealedKeyID(sealed []byte) (id [keyIDSize]byte, err error) {
	switch {
	case len(sealed) < headerSize+gcmOverhead:
		return id, fmt.Errorf("%w: it is cut off", ErrCorrupt)
	case string(sealed[:len(sealMagic)]) != sealMagic:
		return id, fmt.Errorf("%w: it is not a session", ErrCorrupt)
	case sealed[len(sealMagic)] != sealVersion:
		return id, fmt.Errorf("%w: its format (version %d) is unknown here", ErrCorrupt, sealed[len(sealMagic)])
	}
	copy(id[:], sealed[len(sealMagic)+1:])
	return id, nil
}
