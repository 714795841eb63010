package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// browserVariable makes the test binary a browser: "1", or the file with the
// certificates to trust.
const browserVariable = "OIDC_CRED_E2E_BROWSER"

// browse opens an address as a browser does, redirects included. The provider
// approves at once, so that is a whole sign-in.
func browse(address, certificates string) int {
	client := &http.Client{Timeout: 30 * time.Second}
	if certificates != "1" {
		roots := x509.NewCertPool()
		if pem, err := os.ReadFile(certificates); err != nil || !roots.AppendCertsFromPEM(pem) {
			fmt.Fprintln(os.Stderr, "browser: no certificates in", certificates)
			return 1
		}
		client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	}
	answer, err := client.Get(address)
	if err != nil {
		fmt.Fprintln(os.Stderr, "browser:", err)
		return 1
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, answer.Body)
	return 0
}
