package oidcflow

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// CertificateFileError says that the client's certificate or its key can't be
// used.
type CertificateFileError struct {
	Path string
	Err  error
}

// Error implements error.
func (e *CertificateFileError) Error() string {
	return fmt.Sprintf("client certificate: %s: %v", e.Path, e.Err)
}

// Unwrap gives the failure behind it.
func (e *CertificateFileError) Unwrap() error { return e.Err }

// Configuration says that the failure is this machine's and tells nothing
// about the provider.
func (e *CertificateFileError) Configuration() bool { return true }

// Hint says what to do, or "".
func (e *CertificateFileError) Hint() string {
	var inner interface{ Hint() string }
	if errors.As(e.Err, &inner) {
		return inner.Hint()
	}
	return ""
}

// LoadClientCertificate reads the certificate (with its chain, if it has one)
// and the private key for mutual TLS, RFC 8705. keyFile "" says that the key
// is in certFile too. What is wrong is a [CertificateFileError].
func LoadClientCertificate(certFile, keyFile string) (*tls.Certificate, error) {
	return loadClientCertificate(certFile, keyFile, (&Client{}).now())
}

func loadClientCertificate(certFile, keyFile string, now time.Time) (*tls.Certificate, error) {
	if keyFile == "" {
		keyFile = certFile
	}
	text, err := readFile(certFile)
	if err != nil {
		return nil, &CertificateFileError{certFile, err}
	}
	c, err := parseCertificates(text)
	if err != nil {
		return nil, &CertificateFileError{certFile, err}
	}
	if now.After(c.Leaf.NotAfter) {
		return nil, &CertificateFileError{certFile, &KeyError{
			"the certificate expired at " + c.Leaf.NotAfter.UTC().Format(time.RFC3339), "have a new one issued, or check this machine's clock",
		}}
	}
	if keyFile != certFile {
		if text, err = readFile(keyFile); err != nil {
			return nil, &CertificateFileError{keyFile, err}
		}
	}
	key, _, err := parsePrivateKey(text)
	if err != nil {
		return nil, &CertificateFileError{keyFile, err}
	}
	public, ok := c.Leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(key.Public()) {
		return nil, &CertificateFileError{keyFile, &KeyError{"the private key does not belong to the certificate in " + certFile, "the client's own certificate comes first in its file, the chain after it"}}
	}
	c.PrivateKey = key
	return c, nil
}

// parseCertificates reads the certificates of a PEM file; the first one is
// the client's.
func parseCertificates(text []byte) (*tls.Certificate, error) {
	c := &tls.Certificate{}
	for rest := text; len(rest) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		parsed, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, &KeyError{fmt.Sprintf("the certificate can't be read: %v", err), ""}
		}
		if c.Leaf == nil {
			c.Leaf = parsed
		}
		c.Certificate = append(c.Certificate, block.Bytes)
	}
	if c.Leaf == nil {
		return nil, &KeyError{"it has no certificate in PEM form", "openssl x509 -in FILE -out cert.pem writes PEM"}
	}
	return c, nil
}

// readFile reads a file. The path, which the os package repeats, is left
// out of its errors.
func readFile(path string) ([]byte, error) {
	data, err := func() ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		if info, err := f.Stat(); err == nil && info.IsDir() {
			return nil, &KeyError{"it is a folder", ""}
		}
		return io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	}()
	var p *os.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &KeyError{"there is no such file", ""}
	case errors.As(err, &p):
		return nil, p.Err
	case err != nil:
		return nil, err
	case len(data) > maxKeyFile:
		return nil, &KeyError{fmt.Sprintf("it is larger than %d KiB", maxKeyFile>>10), ""}
	}
	return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), nil
}

// showCertificate is what a TLS handshake calls when the server asks for a
// certificate. It is shown whatever authorities the server names: a
// self-signed one has none of them, RFC 8705 §2.2.
func showCertificate(load func() (*tls.Certificate, error)) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if load == nil {
		return nil
	}
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		c, err := load()
		var local interface{ Configuration() bool }
		switch {
		case err != nil && !errors.As(err, &local):
			return nil, &ClientAuthError{Err: fmt.Errorf("the certificate: %w", err)}
		case err != nil:
			return nil, err
		case c == nil:
			return &tls.Certificate{}, nil // none
		}
		return c, nil
	}
}

// endpoint is the address of the endpoint that is called name in the
// metadata: the alias for clients with a certificate if this is one, else
// plain. RFC 8705 §5.
func (c *Client) endpoint(md *Metadata, name, plain string) string {
	if alias := md.MTLSEndpointAliases[name]; c.MutualTLS && alias != "" {
		return alias
	}
	return plain
}
