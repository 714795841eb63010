package oidcflow

import (
	"crypto"
	"io"
)

// opaque is a key that signs but can't be taken out.
type opaque struct{}

func (*opaque) Public() crypto.PublicKey { return ecKey().Public() }

func (*opaque) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	return ecKey().Sign(r, digest, o)
}
