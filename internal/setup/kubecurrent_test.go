package setup

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// kubeconfigWith has one context, whose user is the given text.
func kubeconfigWith(user string) string {
	return `apiVersion: v1
kind: Config
current-context: prod
clusters:
- {name: c1, cluster: {server: "https://127.0.0.1:1"}}
contexts:
- {name: prod, context: {cluster: c1, namespace: team, user: someone}}
users:
- {name: someone, user: ` + user + `}
`
}

func kubelogin(more string) string {
	return `{exec: {command: kubectl, args: [oidc-login, get-token, --oidc-issuer-url=https://id.example.com, --oidc-client-id=kubernetes` + more + `]}}`
}

func TestKubectlCurrent(t *testing.T) {
	const issuer, client = "https://id.example.com", "kubernetes"
	for _, tt := range []struct {
		name, user string
		want       *KubeOIDC
	}{
		{"kubelogin", kubelogin(""), &KubeOIDC{By: "kubelogin", Issuer: issuer, ClientID: client, Redirect: "http://localhost:8000"}},
		{
			"kubelogin by its own name, flags apart", `{exec: {command: /usr/bin/kubelogin, args: [get-token, --oidc-issuer-url, "` + issuer + `", --oidc-client-id, kubernetes, --oidc-use-access-token, --oidc-client-secret, x, --certificate-authority, ca.pem]}}`,
			&KubeOIDC{By: "kubelogin", Issuer: issuer, ClientID: client, Redirect: "http://localhost:8000", Access: true, Secret: true, CAFile: "ca.pem"},
		},
		{
			"scopes and addresses", kubelogin(`, --oidc-extra-scope=groups, "--oidc-extra-scope=email,profile", "--listen-address=127.0.0.1:18000,127.0.0.1:8000", --oidc-redirect-url-hostname=127.0.0.1`),
			&KubeOIDC{By: "kubelogin", Issuer: issuer, ClientID: client, Scopes: []string{"groups", "email", "profile"}, Redirect: "http://127.0.0.1:18000"},
		},
		{"its own redirect", kubelogin(`, "--oidc-redirect-url=http://localhost:9/cb"`), &KubeOIDC{By: "kubelogin", Issuer: issuer, ClientID: client, Redirect: "http://localhost:9/cb"}},
		{"device", kubelogin(`, --grant-type=device-code, --certificate-authority-data=QUJD`), &KubeOIDC{By: "kubelogin", Issuer: issuer, ClientID: client, Grant: "device_code", CAData: true}},
		{"client credentials", kubelogin(`, --grant-type, client-credentials`), &KubeOIDC{By: "kubelogin", Issuer: issuer, ClientID: client, Grant: "client_credentials"}},
		{
			"the auth-provider", `{auth-provider: {name: oidc, config: {idp-issuer-url: "` + issuer + `", client-id: kubernetes, client-secret: x, extra-scopes: "groups,email", idp-certificate-authority: /etc/ca.pem, idp-certificate-authority-data: QUJD}}}`,
			&KubeOIDC{By: "kubectl's former auth-provider", Issuer: issuer, ClientID: client, Scopes: []string{"groups", "email"}, CAFile: "/etc/ca.pem", Secret: true, CAData: true},
		},
		{"another auth-provider", `{auth-provider: {name: gcp, config: {idp-issuer-url: "` + issuer + `", client-id: kubernetes}}}`, nil},
		{"without an issuer", `{exec: {command: kubelogin, args: [get-token, --oidc-client-id=x]}}`, nil},
		{"Azure's kubelogin", `{exec: {command: kubelogin, args: [get-token, --login, azurecli, --server-id, x]}}`, nil},
		{"another plugin", `{exec: {command: aws, args: [eks, get-token, --cluster-name, x]}}`, nil},
		{"a token", `{token: "0123"}`, nil},
		{"nothing", `{}`, nil},
		{"no mapping", `[1, 2]`, nil},
		{"no list of arguments", `{exec: {command: kubectl, args: {get-token: x}}}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newKubeHome(t, kubeconfigWith(tt.user))
			c, err := h.k.Current()
			if err != nil {
				t.Fatal(err)
			}
			if tt.want != nil && tt.want.CAFile != "" && !filepath.IsAbs(tt.want.CAFile) { // beside the kubeconfig
				tt.want.CAFile = filepath.Join(filepath.Dir(h.file), tt.want.CAFile)
			}
			if c.Cluster != "c1" || c.Namespace != "team" || c.User != "someone" || c.Ours || !reflect.DeepEqual(c.OIDC, tt.want) {
				t.Errorf("%+v with %+v, want %+v", c, c.OIDC, tt.want)
			}
		})
	}
	t.Run("ours", func(t *testing.T) {
		h := newKubeHome(t, kubeconfigWith(`{exec: {command: /opt/oidc-cred, args: [helper, kubectl, --profile, home]}}`))
		if c, err := h.k.Current(); err != nil || !c.Ours || c.Profile != "home" || c.OIDC != nil {
			t.Errorf("%+v, %v", c, err)
		}
	})
	t.Run("several files", func(t *testing.T) {
		h := newKubeHome(t, "apiVersion: v1\nkind: Config\ncontexts:\n- {name: prod, context: {cluster: c2, user: someone}}\n")
		second := filepath.Join(filepath.Dir(h.file), "second")
		if err := os.WriteFile(second, []byte(kubeconfigWith(kubelogin(""))), 0o600); err != nil {
			t.Fatal(err)
		}
		h.k.Kubeconfig = ""
		h.env["KUBECONFIG"] = h.file + string(os.PathListSeparator) + second
		if c, err := h.k.Current(); err != nil || c.Cluster != "c2" || c.OIDC == nil {
			t.Errorf("%+v, %v", c, err)
		}
	})
	for name, config := range map[string]string{
		"no current context": "apiVersion: v1\nkind: Config\n", "no such context": "current-context: x\n",
		"no file": "", "no YAML": "a: [",
	} {
		t.Run(name, func(t *testing.T) {
			h := newKubeHome(t, config)
			if c, err := h.k.Current(); err == nil {
				t.Errorf("%+v", c)
			}
		})
	}
}
