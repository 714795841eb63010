package cmd

import "github.com/spf13/pflag"

// addProviderFlags adds the flags of login for settings that depend on the
// provider and on how the client is registered there. They override the
// profile, and are saved with a new one.
func addProviderFlags(f *pflag.FlagSet) {
	f.String("grant", "", "how tokens are got: authorization_code, device_code, client_credentials, jwt-bearer or token-exchange")
	f.Bool("client-secret-keychain", false, "ask for the client secret, or read it from stdin, and keep it in the credential store")
	f.String("token-endpoint-auth-method", "", "how the client proves who it is (default auto)")
	f.String("client-key-file", "", "the client's private key, PEM or JWK, for private_key_jwt")
	f.String("client-key-id", "", "the key's id at the provider")
	f.String("token-endpoint-auth-signing-alg", "", "algorithm of the client's signature, such as ES256 (default: by the key)")
	f.String("client-assertion-audience", "", "audience of the client's signature: an URL, or token_endpoint (default: the issuer)")
	f.String("client-certificate-file", "", "the client's certificate, PEM, for mutual TLS")
	f.String("client-certificate-key-file", "", "the private key of the client's certificate, PEM")
	f.String("subject-token-env", "", "environment variable that holds the token to exchange")
	f.String("subject-token-file", "", "file that holds the token to exchange")
	f.String("subject-token-command", "", "command that prints the token to exchange")
	f.Bool("subject-token-github", false, "exchange the token that GitHub Actions gives a job")
	f.String("subject-token-audience", "", "audience of GitHub's token (default: the issuer)")
	f.String("subject-token-type", "", "type of the token to exchange (default jwt)")
	f.String("requested-token-type", "", "type of the token to get")
	f.String("pushed-authorization-requests", "", "send the sign-in request ahead (RFC 9126): auto, always or never")
	f.String("dpop", "", "bind tokens to a key (RFC 9449): auto, always or never")
	f.StringArray("auth-param", nil, "further parameter of the sign-in request, NAME=VALUE; may be given more than once")
	f.String("post-logout-redirect", "", "loopback URL that the browser returns to after a sign-out")
}
