package helper

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/oidc-cred/oidc-cred/pkg/session"
)

// The versions of the ExecCredential API, client.authentication.k8s.io.
const (
	ExecV1      = "client.authentication.k8s.io/v1"
	ExecV1beta1 = "client.authentication.k8s.io/v1beta1"
)

// staleFor is how long a client may keep a token that has expired. Without an
// expiry ahead it would run the helper on every request.
const staleFor = time.Minute

// KubectlOptions are the helper's flags.
type KubectlOptions struct {
	// Profile wins over the one that the cluster's configuration names.
	Profile string
	// Type of the token; "" is the ID token, which kube-apiserver expects.
	Type session.TokenType
}

// Kubectl answers as a client-go credential plugin.
func Kubectl(ctx context.Context, env Env, opt KubectlOptions) error {
	info, err := readExecInfo(env.getenv("KUBERNETES_EXEC_INFO"))
	if err != nil {
		return err
	}
	profile := opt.Profile
	if profile == "" {
		profile = info.profile
	}
	target, err := env.Profile(profile)
	if err != nil {
		return err
	}
	kind := opt.Type
	if kind == "" {
		kind = session.ID
	}
	tok, err := target.token(ctx, session.Request{Type: kind}, info.interactive)
	if err != nil {
		return err
	}
	if tok.Expired && !target.ServeStale {
		return refuseExpired(tok, env.now(), "kube-apiserver")
	}
	answer, err := ExecCredential(tok, info.apiVersion, env.now())
	if err != nil {
		return err
	}
	env.warn(tok)
	_, err = env.Stdout.Write(answer)
	return err
}

// execInfo is what the environment says about the caller.
type execInfo struct {
	apiVersion  string
	interactive bool
	profile     string
}

// maxExecInfo bounds KUBERNETES_EXEC_INFO; it may hold a CA bundle.
const maxExecInfo = 4 << 20

// readExecInfo reads KUBERNETES_EXEC_INFO. Without it, as when a person runs
// the helper by hand, the answer is in the current version.
func readExecInfo(text string) (execInfo, error) {
	if text == "" {
		return execInfo{apiVersion: ExecV1, interactive: true}, nil
	}
	if len(text) > maxExecInfo {
		return execInfo{}, badExecInfo("it is longer than %d bytes", maxExecInfo)
	}
	var in struct {
		Kind       string `json:"kind"`
		APIVersion string `json:"apiVersion"`
		Spec       struct {
			Interactive bool `json:"interactive"`
			Cluster     *struct {
				Config json.RawMessage `json:"config"`
			} `json:"cluster"`
		} `json:"spec"`
	}
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return execInfo{}, badExecInfo("%s", jsonProblem(err))
	}
	if in.Kind != "" && in.Kind != "ExecCredential" {
		return execInfo{}, badExecInfo("its kind is %q instead of ExecCredential", in.Kind)
	}
	if in.APIVersion != ExecV1 && in.APIVersion != ExecV1beta1 {
		return execInfo{}, &UsageError{
			Message: fmt.Sprintf("KUBERNETES_EXEC_INFO asks for apiVersion %q, and this helper answers %s and %s", in.APIVersion, ExecV1, ExecV1beta1),
			Advice:  "set the exec section's apiVersion in the kubeconfig to " + ExecV1,
		}
	}
	info := execInfo{apiVersion: in.APIVersion, interactive: in.Spec.Interactive}
	if in.Spec.Cluster != nil {
		var err error
		if info.profile, err = clusterProfile(in.Spec.Cluster.Config); err != nil {
			return execInfo{}, err
		}
	}
	return info, nil
}

// ExecAPIVersion is the version of the ExecCredential that
// KUBERNETES_EXEC_INFO asks for, [ExecV1] without it.
func ExecAPIVersion(getenv func(string) string) (string, error) {
	info, err := readExecInfo(getenv("KUBERNETES_EXEC_INFO"))
	return info.apiVersion, err
}

// clusterProfile reads the cluster's exec extension, {"profile": "name"}. An
// unknown key may be a misspelt one, and another profile's token must not go
// to the cluster for it.
func clusterProfile(config json.RawMessage) (string, error) {
	if len(config) == 0 || string(config) == "null" {
		return "", nil
	}
	var c struct {
		Profile string `json:"profile"`
	}
	d := json.NewDecoder(bytes.NewReader(config))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return "", &UsageError{
			Message: "the cluster's exec config can't be read: " + jsonProblem(err),
			Advice:  `the extension client.authentication.k8s.io/exec has to be {"profile": "NAME"}`,
		}
	}
	return c.Profile, nil
}

func badExecInfo(format string, args ...any) error {
	return &UsageError{Message: "KUBERNETES_EXEC_INFO can't be read: " + fmt.Sprintf(format, args...)}
}

// ExecCredential is the token as the plugin's answer in the given version of
// the API; "" is [ExecV1].
func ExecCredential(tok *session.Token, apiVersion string, now time.Time) ([]byte, error) {
	if apiVersion == "" {
		apiVersion = ExecV1
	}
	if apiVersion != ExecV1 && apiVersion != ExecV1beta1 {
		return nil, &UsageError{Message: fmt.Sprintf("unknown apiVersion %q of an ExecCredential", apiVersion)}
	}
	type status struct {
		Expiry string `json:"expirationTimestamp,omitempty"`
		Token  string `json:"token"`
	}
	out := struct {
		Kind       string   `json:"kind"`
		APIVersion string   `json:"apiVersion"`
		Spec       struct{} `json:"spec"`
		Status     status   `json:"status"`
	}{Kind: "ExecCredential", APIVersion: apiVersion, Status: status{Token: tok.Value.Reveal()}}
	if at := execExpiry(tok, now); !at.IsZero() {
		out.Status.Expiry = at.Format(time.RFC3339)
	}
	var buf bytes.Buffer
	if err := json.NewEncoder(&buf).Encode(out); err != nil {
		return nil, fmt.Errorf("encode the ExecCredential: %w", err)
	}
	return buf.Bytes(), nil
}

// execExpiry is never in the past: client-go would drop the token at once, and
// run the helper for each request. Zero is unknown.
func execExpiry(tok *session.Token, now time.Time) time.Time {
	switch {
	case tok.Expired:
		return now.Add(staleFor).UTC().Truncate(time.Second)
	case tok.Expiry.IsZero():
		return time.Time{}
	}
	at := tok.Expiry.UTC().Truncate(time.Second)
	if !at.After(now) { // its last second, or a clock that ran on meanwhile
		at = now.UTC().Truncate(time.Second).Add(time.Second)
	}
	return at
}

// jsonProblem says what is wrong without repeating the input.
func jsonProblem(err error) string {
	var syntax *json.SyntaxError
	var shape *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("it is no JSON at byte %d", syntax.Offset)
	case errors.As(err, &shape):
		return fmt.Sprintf("%q is a JSON %s where a %s is expected", shape.Field, shape.Value, shape.Type.Kind())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends early"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}
