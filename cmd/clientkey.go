package cmd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow"
)

// maxKeyFile is far above every private key's size.
const maxKeyFile = 64 << 10

// clientKey gives the way to the key for private_key_jwt, nil if the profile
// has none. It is read when it is needed, and once.
func (a *app) clientKey(p *profile) func(context.Context) (*oidcflow.ClientKey, error) {
	path := p.text("client_key_file")
	if path == "" {
		return nil
	}
	var once sync.Once
	var key *oidcflow.ClientKey
	var err error
	return func(context.Context) (*oidcflow.ClientKey, error) {
		once.Do(func() {
			var data []byte
			if data, err = readKeyFile(path); err == nil {
				key, err = oidcflow.ParseClientKey(data, p.text("client_key_id"), p.text("token_endpoint_auth_signing_alg"))
			}
		})
		if err != nil {
			return nil, usageError{
				message: fmt.Sprintf("profile %s: client_key_file %s: %s", p.name, path, err),
				hint:    firstOf(hintOf(err), "expected an unencrypted private key: PEM (PKCS#8, PKCS#1 or SEC1) or a JWK"),
			}
		}
		return key, nil
	}
}

// readKeyFile reads a file of a limited size. The path, which the os package
// repeats, is left out of its errors.
func readKeyFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err == nil {
		defer file.Close() //nolint:errcheck // opened for reading
		var data []byte
		if data, err = io.ReadAll(io.LimitReader(file, maxKeyFile+1)); err == nil {
			if len(data) > maxKeyFile {
				return nil, fmt.Errorf("it is larger than %d bytes", maxKeyFile)
			}
			return data, nil
		}
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return nil, err
}

// clientCertificate gives the way to the certificate for mutual TLS, nil if the
// profile has none.
func (a *app) clientCertificate(p *profile) func() (*tls.Certificate, error) {
	certificate, key := p.text("client_certificate_file"), p.text("client_certificate_key_file")
	if certificate == "" {
		return nil
	}
	return func() (*tls.Certificate, error) {
		c, err := oidcflow.LoadClientCertificate(certificate, key)
		if err != nil {
			return nil, usageError{
				message: fmt.Sprintf("profile %s: %s", p.name, err),
				hint:    firstOf(hintOf(err), "expected PEM files: the certificate with its chain, and its unencrypted private key"),
			}
		}
		return c, nil
	}
}

// checkCertificateFiles loads the certificate and its key before a person is
// sent to the browser, or they would be found wanting only after it.
func (a *app) checkCertificateFiles(p *profile) error {
	load := a.clientCertificate(p)
	if load == nil {
		return nil
	}
	_, err := load()
	return err
}

// warnOpenKeys warns of private keys that others on this machine can read.
func (a *app) warnOpenKeys(p *profile) {
	for _, key := range []string{"client_key_file", "client_certificate_key_file"} {
		if path := p.text(key); path != "" {
			if f := openToOthers(key, path); f != nil {
				a.warnf("key_readable_by_others", "%s %s: %s", key, f.Detail, f.Hint)
			}
		}
	}
}
