package oidctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

// TLSMode says which certificate the provider shows.
type TLSMode string

// The certificates. All but the unknown one are signed by [Provider.CA].
const (
	TLSOff       TLSMode = ""
	TLSValid     TLSMode = "valid"
	TLSWrongHost TLSMode = "wrong-host"
	TLSExpired   TLSMode = "expired"
	TLSUnknownCA TLSMode = "unknown-ca"
)

// certificates are the provider's own authority, and another one.
type certificates struct {
	ca, other *authority
	now       time.Time

	mu      sync.Mutex
	current *tls.Certificate
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCertificates(mode TLSMode, now time.Time) (*certificates, error) {
	c := &certificates{now: now}
	var err error
	if c.ca, err = newAuthority("oidctest", now); err != nil {
		return nil, err
	}
	if c.other, err = newAuthority("oidctest unknown", now); err != nil {
		return nil, err
	}
	if err := c.set(mode); err != nil {
		return nil, err
	}
	return c, nil
}

func newAuthority(name string, now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-48 * time.Hour), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert, key}, err
}

func (c *certificates) set(mode TLSMode) error {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "oidctest"},
		NotBefore: c.now.Add(-24 * time.Hour), NotAfter: c.now.AddDate(0, 6, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	signer := c.ca
	switch mode {
	case TLSWrongHost:
		template.DNSNames, template.IPAddresses = []string{"other.example"}, nil
	case TLSExpired:
		template.NotAfter = c.now.Add(-time.Hour)
	case TLSUnknownCA:
		signer = c.other
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.cert, key.Public(), signer.key)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return nil
}

func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current, nil
}

// SetTLS changes the certificate of new connections. It panics on a provider
// that was started without TLS.
func (p *Provider) SetTLS(mode TLSMode) {
	if p.certs == nil || mode == TLSOff {
		panic("oidctest: TLS can't be switched on or off, start the provider with Options.TLS")
	}
	if err := p.certs.set(mode); err != nil {
		panic(err)
	}
	// Connections that are open would go on with the old certificate.
	p.life.Lock()
	down := p.server == nil
	p.life.Unlock()
	if !down {
		p.Down()
		p.Up()
	}
}

// CA is the certificate of the provider's authority in PEM, as for ca_file;
// nil without TLS.
func (p *Provider) CA() []byte {
	if p.certs == nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.certs.ca.cert.Raw})
}

// HTTPClient trusts the provider's authority and uses no proxy. It keeps no
// connection open, so that it never finds one that the provider dropped.
func (p *Provider) HTTPClient() *http.Client {
	transport := &http.Transport{DisableKeepAlives: true}
	if p.certs != nil {
		roots := x509.NewCertPool()
		roots.AddCert(p.certs.ca.cert)
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	}
	return &http.Client{Transport: transport}
}
