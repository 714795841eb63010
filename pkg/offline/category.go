package offline

// Category is the kind of failure of an exchange with the provider. It alone
// decides whether a session may go on offline.
type Category string

// The categories, in the order in which [Classify] tries them.
const (
	// NetworkUnavailable: the name does not resolve, the connection is refused
	// or reset, there is no route, the proxy can't be reached.
	NetworkUnavailable Category = "network_unavailable"
	// NetworkTimeout: dialling, the handshake, the headers or the whole
	// exchange took too long, or the body was cut off.
	NetworkTimeout Category = "network_timeout"
	// TLSError: the certificate or the handshake failed. Nothing was sent.
	TLSError Category = "tls_error"
	// ServerError: HTTP 5xx, 408, 425 or 429, or an OAuth error that says that
	// the provider is in trouble.
	ServerError Category = "server_error"
	// NotTheProvider: something between us and the provider answered, such as
	// a captive portal or a proxy.
	NotTheProvider Category = "not_the_provider"
	// AuthenticationError: the provider says no to the session.
	AuthenticationError Category = "authentication_error"
	// ClientError: the provider says that the request itself is wrong.
	ClientError Category = "client_error"
	// Unknown: anything else. The session goes on, since throwing one away
	// can't be undone.
	Unknown Category = "unknown"
)

// Rejection says whether the category is the provider's "no".
func (c Category) Rejection() bool {
	return c == AuthenticationError || c == ClientError
}

// Reason is why a session is offline, as shown to people and scripts.
type Reason string

// The reasons that status, events and `token -o json` show.
const (
	ReasonNone                 Reason = ""
	ReasonNetworkUnavailable   Reason = "network_unavailable"
	ReasonServerUnavailable    Reason = "server_unavailable"
	ReasonTokenRefreshFailed   Reason = "token_refresh_failed"
	ReasonDiscoveryUnavailable Reason = "discovery_document_unavailable"
	ReasonUserInfoUnavailable  Reason = "user_info_unavailable"
)

// Text is the reason in words, to stand after "offline: ".
func (r Reason) Text() string {
	switch r {
	case ReasonNetworkUnavailable:
		return "the network or the identity provider can't be reached"
	case ReasonServerUnavailable:
		return "identity provider unavailable"
	case ReasonDiscoveryUnavailable:
		return "the provider's discovery document can't be had"
	case ReasonUserInfoUnavailable:
		return "the provider's userinfo endpoint is unavailable"
	case ReasonTokenRefreshFailed:
		return "the token refresh failed"
	default:
		return string(r)
	}
}

// Step is the part of an exchange that failed. Only the token endpoint's
// answer to a refresh, or an ID token that proves wrong, ends a session.
type Step string

// The steps of a refresh.
const (
	StepDiscovery Step = "discovery"
	StepKeys      Step = "keys"
	StepRefresh   Step = "token"
	StepIDToken   Step = "id_token"
	StepUserInfo  Step = "userinfo"
	// StepSubjectToken is the way to whoever vouches for a workload, which is
	// not the provider: whatever it says, it ends no session.
	StepSubjectToken Step = "subject_token"
)

// reasonOf gives the reason for a category at the token endpoint.
func reasonOf(c Category) Reason {
	switch c {
	case NetworkUnavailable, NetworkTimeout:
		return ReasonNetworkUnavailable
	case TLSError, ServerError, NotTheProvider:
		return ReasonServerUnavailable
	default:
		return ReasonTokenRefreshFailed
	}
}
