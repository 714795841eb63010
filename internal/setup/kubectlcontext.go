package setup

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// contextBody is a context's content.
type contextBody struct {
	Cluster   string `yaml:"cluster"`
	Namespace string `yaml:"namespace,omitempty"`
	User      string `yaml:"user"`
}

// addContext sees to it that a context joins the cluster and the user, and
// gives its name; "" if none is asked for.
func (k Kubectl) addContext(file *kubeconfig, others []string) (string, error) {
	name := k.Context
	if name == "" {
		if k.Cluster == "" {
			return "", nil
		}
		name = cmp.Or(file.contextOf(k.Cluster, k.User, k.Namespace), k.User+"@"+k.Cluster)
	}
	if err := k.checkCluster(file, others); err != nil {
		return "", err
	}
	entry := file.entry("contexts", name)
	if entry == nil {
		if k.Cluster == "" {
			return "", usage("add --cluster NAME to make it", "there is no context %q in %s", name, file.path)
		}
		file.add("contexts", name, "context", contextBody{Cluster: k.Cluster, Namespace: k.Namespace, User: k.User})
		return name, nil
	}
	body := get(entry, "context")
	if body == nil || body.Kind != yaml.MappingNode {
		body = encode(map[string]string{})
		set(entry, "context", body)
	}
	cluster, user := scalar(body, "cluster"), scalar(body, "user")
	if !k.Force && (user != k.User && user != "" || k.Cluster != "" && cluster != k.Cluster && cluster != "") {
		return "", usage("choose another name with --context, or overwrite it with --force",
			"context %q in %s joins cluster %q and user %q", name, file.path, cluster, user)
	}
	changed := setScalar(body, "user", k.User)
	if k.Cluster != "" {
		changed = setScalar(body, "cluster", k.Cluster) || changed
	}
	if k.Namespace != "" {
		changed = setScalar(body, "namespace", k.Namespace) || changed
	}
	file.changed = file.changed || changed
	return name, nil
}

// checkCluster finds a misspelt cluster before kubectl does.
func (k Kubectl) checkCluster(file *kubeconfig, others []string) error {
	if k.Cluster == "" {
		return nil
	}
	known := file.names("clusters")
	for _, p := range others {
		if other, err := readKubeconfig(p); err == nil {
			known = append(known, other.names("clusters")...)
		}
	}
	if slices.Contains(known, k.Cluster) {
		return nil
	}
	advice := "add it first: kubectl config set-cluster " + shellWord(k.Cluster) + " --server https://…"
	if len(known) > 0 {
		advice = "there are: " + strings.Join(known, ", ")
	}
	return usage(advice, "there is no cluster %q in %s", k.Cluster, file.path)
}
