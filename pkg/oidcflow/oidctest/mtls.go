package oidctest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"time"
)

// MutualTLS says where the provider asks for a client certificate, RFC 8705.
type MutualTLS string

// The places. [MutualTLSAliases] is a second port, named by
// mtls_endpoint_aliases (§5), so that browsers are not asked at the first.
const (
	MutualTLSOff     MutualTLS = ""
	MutualTLSMain    MutualTLS = "main"
	MutualTLSAliases MutualTLS = "aliases"
)

// ClientCertificate issues a client certificate of the provider's authority
// with this common name, and its key, in PEM. It panics without TLS.
func (p *Provider) ClientCertificate(commonName string) (certPEM, keyPEM []byte) {
	return p.ClientCertificateUntil(commonName, p.now().AddDate(0, 1, 0))
}

// ClientCertificateUntil is [Provider.ClientCertificate] with an end.
func (p *Provider) ClientCertificateUntil(commonName string, end time.Time) (certPEM, keyPEM []byte) {
	if p.certs == nil {
		panic("oidctest: start the provider with Options.TLS for client certificates")
	}
	return clientCertificate(commonName, p.certs.ca, end)
}

// SelfSignedCertificate makes a client certificate that nobody vouches for, for
// self_signed_tls_client_auth, in PEM.
func SelfSignedCertificate(commonName string, now time.Time) (certPEM, keyPEM []byte) {
	return clientCertificate(commonName, nil, now.AddDate(0, 1, 0))
}

func clientCertificate(commonName string, by *authority, end time.Time) (certPEM, keyPEM []byte) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(err)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: commonName},
		NotBefore: end.AddDate(-1, 0, 0), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	if by == nil {
		by = &authority{cert: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, key.Public(), by.key)
	must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

// checkCertificate is RFC 8705 §2.1 and §2.2. The text says what is wrong.
func (p *Provider) checkCertificate(client Client, r *http.Request) string {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return "there is no client certificate"
	}
	shown := r.TLS.PeerCertificates[0]
	if len(client.Certificate) > 0 {
		want := client.Certificate
		if block, _ := pem.Decode(want); block != nil {
			want = block.Bytes
		}
		if !bytes.Equal(shown.Raw, want) {
			return "the certificate is not the client's"
		}
		return ""
	}
	roots := x509.NewCertPool()
	roots.AddCert(p.certs.ca.cert)
	_, err := shown.Verify(x509.VerifyOptions{
		Roots: roots, CurrentTime: p.now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	switch {
	case err != nil:
		return "the certificate is not valid: " + err.Error()
	case shown.Subject.CommonName != client.CertificateSubject:
		return "the certificate is another client's"
	}
	return ""
}

// thumbprintOf is RFC 8705 §3.1 "x5t#S256" of the certificate that the client
// shows, or "".
func thumbprintOf(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	return b64(sum[:])
}

// tlsConfig is a listener's. Any certificate gets through the handshake: the
// answer to a wrong one is an OAuth error.
func (p *Provider) tlsConfig(ask bool) *tls.Config {
	c := &tls.Config{
		// No HTTP/2: a connection that carries many streams can't be hijacked,
		// and so not be reset.
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: p.certs.get,
	}
	if ask {
		c.ClientAuth = tls.RequestClientCert
	}
	return c
}
