package setup

import (
	"cmp"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// KubeCurrent is what a kubeconfig's current context joins.
type KubeCurrent struct {
	Context, Cluster, Namespace, User string
	// Profile that the user's entry names, if it is ours already.
	Profile string
	// Ours: it is, whether or not it names one.
	Ours bool
	// OIDC is what the user signs in with now, nil if that is not OpenID
	// Connect, or of a kind that is not known here.
	OIDC *KubeOIDC
}

// KubeOIDC is another program's client at a provider.
type KubeOIDC struct {
	// By is that program.
	By string
	// Issuer and ClientID are always there.
	Issuer, ClientID string
	// Scopes beside openid.
	Scopes []string
	// CAFile is the provider's, "" if none is named.
	CAFile string
	// Redirect that the client is registered with, as far as can be told.
	Redirect string
	// Grant is a profile's grant, "" for the usual one.
	Grant string
	// Access: the cluster takes the access token.
	Access bool
	// Secret and CAData: the entry holds one, which is not taken over.
	Secret, CAData bool
}

// Current reads the current context as kubectl does: of several files the first
// that says something counts.
func (k Kubectl) Current() (KubeCurrent, error) {
	path, others, err := k.paths()
	if err != nil {
		return KubeCurrent{}, err
	}
	var files []*kubeconfig
	for _, p := range append([]string{path}, others...) {
		file, err := readKubeconfig(p)
		if err != nil {
			return KubeCurrent{}, err
		}
		files = append(files, file)
	}
	return k.current(files)
}

func (k Kubectl) current(files []*kubeconfig) (KubeCurrent, error) {
	path := files[0].path
	var c KubeCurrent
	for _, file := range files {
		c.Context = cmp.Or(c.Context, scalar(file.root, "current-context"))
	}
	if c.Context == "" {
		return c, usage("choose one with kubectl config use-context, or name a cluster with --cluster", "%s has no current context", path)
	}
	_, entry := find(files, "contexts", c.Context)
	body := get(entry, "context")
	c.Cluster, c.User, c.Namespace = scalar(body, "cluster"), scalar(body, "user"), scalar(body, "namespace")
	if c.Cluster == "" {
		return c, usage("name a cluster with --cluster", "the current context %q of %s has no cluster", c.Context, path)
	}
	file, entry := find(files, "users", c.User)
	user := get(entry, "user")
	exec := get(user, "exec")
	if k.ours(exec) {
		c.Ours, c.Profile = true, profileIn(execWords(exec))
		return c, nil
	}
	if c.OIDC = fromAuthProvider(user); c.OIDC == nil {
		c.OIDC = fromKubelogin(execWords(exec))
	}
	if c.OIDC != nil && c.OIDC.CAFile != "" && !filepath.IsAbs(c.OIDC.CAFile) {
		c.OIDC.CAFile = filepath.Join(filepath.Dir(file.path), c.OIDC.CAFile)
	}
	return c, nil
}

// find gives the first file's entry of that name.
func find(files []*kubeconfig, list, name string) (*kubeconfig, *yaml.Node) {
	for _, file := range files {
		if entry := file.entry(list, name); entry != nil {
			return file, entry
		}
	}
	return nil, nil
}

// fromAuthProvider reads the section that kubectl took up to 1.25.
func fromAuthProvider(user *yaml.Node) *KubeOIDC {
	provider := get(user, "auth-provider")
	if scalar(provider, "name") != "oidc" {
		return nil
	}
	config := get(provider, "config")
	o := &KubeOIDC{
		By:     "kubectl's former auth-provider",
		Issuer: scalar(config, "idp-issuer-url"), ClientID: scalar(config, "client-id"),
		CAFile: scalar(config, "idp-certificate-authority"),
		Secret: scalar(config, "client-secret") != "",
		CAData: scalar(config, "idp-certificate-authority-data") != "",
	}
	if extra := scalar(config, "extra-scopes"); extra != "" {
		o.Scopes = strings.Split(extra, ",")
	}
	return o.complete()
}

// fromKubelogin reads the command line of int128's kubelogin, which kubectl
// knows as oidc-login.
func fromKubelogin(words []string) *KubeOIDC {
	if len(words) == 0 {
		return nil
	}
	get := -1
	for i, w := range words[1:] {
		if w == "get-token" {
			get = i + 1
			break
		}
	}
	if get < 0 {
		return nil
	}
	flags := flagsOf(words[get+1:])
	last := func(name string) string {
		if all := flags[name]; len(all) > 0 {
			return all[len(all)-1]
		}
		return ""
	}
	o := &KubeOIDC{
		By:     "kubelogin",
		Issuer: last("oidc-issuer-url"), ClientID: last("oidc-client-id"),
		CAFile: last("certificate-authority"),
		Secret: last("oidc-client-secret") != "",
		CAData: last("certificate-authority-data") != "",
		Access: last("oidc-use-access-token") == "true",
	}
	for _, s := range flags["oidc-extra-scope"] {
		o.Scopes = append(o.Scopes, strings.Split(s, ",")...)
	}
	switch last("grant-type") {
	case "device-code":
		o.Grant = "device_code"
	case "client-credentials":
		o.Grant = "client_credentials"
	default:
		o.Redirect = last("oidc-redirect-url")
		if o.Redirect == "" {
			o.Redirect = kubeloginRedirect(flags["listen-address"], last("oidc-redirect-url-hostname"))
		}
	}
	return o.complete()
}

// kubeloginRedirect is the address that kubelogin waits at by default, and with
// which its clients are registered.
func kubeloginRedirect(listen []string, host string) string {
	port := "8000"
	if len(listen) > 0 {
		first, _, _ := strings.Cut(listen[0], ",")
		if _, p, err := net.SplitHostPort(first); err == nil && p != "" && p != "0" {
			port = p
		}
	}
	return fmt.Sprintf("http://%s:%s", cmp.Or(host, "localhost"), port)
}

// flagsOf reads --name=value, --name value and --name, which is true.
func flagsOf(words []string) map[string][]string {
	flags := map[string][]string{}
	for i := 0; i < len(words); i++ {
		name, found := strings.CutPrefix(words[i], "--")
		if !found {
			continue
		}
		name, value, given := strings.Cut(name, "=")
		if !given {
			value = "true"
			if i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
				i++
				value = words[i]
			}
		}
		flags[name] = append(flags[name], value)
	}
	return flags
}

func (o *KubeOIDC) complete() *KubeOIDC {
	if o.Issuer == "" || o.ClientID == "" {
		return nil
	}
	return o
}
