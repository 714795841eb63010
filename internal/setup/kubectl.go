package setup

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Kubectl makes a kubeconfig's user get its token from oidc-cred.
type Kubectl struct {
	// Profile whose token the user gets.
	Profile string
	// Config is oidc-cred's configuration file, if it is not the usual one.
	Config string
	// User is the entry's name; "" is oidc-cred-PROFILE.
	User string
	// Cluster, if given, is joined with the user in a context.
	Cluster string
	// Context is that context's name; "" takes one that joins the two, or
	// makes USER@CLUSTER.
	Context string
	// Namespace of the context; "" leaves it.
	Namespace string
	// Kubeconfig is the file; "" is the first of $KUBECONFIG or ~/.kube/config.
	Kubeconfig string
	// Use makes the context the current one.
	Use bool
	// Type of the token, for the helper's arguments; "" leaves it to the helper.
	Type string
	// Force overwrites entries that are not ours.
	Force bool
	// Print shows what would be written, and changes nothing.
	Print bool
	// Remove takes it out again.
	Remove bool

	// Created is as in [Common].
	Created string

	// Executable is the absolute path of oidc-cred.
	Executable string
	Getenv     func(string) string
	// Home is the user's home directory.
	Home string
	Out  io.Writer
}

// Run does it.
func (k Kubectl) Run() error {
	if k.Profile == "" && (k.User == "" || !k.Remove) {
		return usage("", "no profile is given")
	}
	if !k.Remove {
		if err := checkProgram(k.Executable); err != nil {
			return err
		}
	}
	k.User = cmp.Or(k.User, "oidc-cred-"+k.Profile)
	if k.Use && k.Cluster == "" && k.Context == "" {
		return usage("add --cluster NAME", "--use needs a context to use")
	}
	if k.Print && !k.Remove {
		return k.print()
	}
	path, others, err := k.paths()
	if err != nil {
		return err
	}
	if k.Print { // with Remove: look, say and leave the file alone
		file, err := readKubeconfig(path)
		if err != nil {
			return err
		}
		return k.remove(file)
	}
	return editKubeconfig(path, Common{Out: k.Out, Created: k.Created}, func(file *kubeconfig) error {
		if k.Remove {
			return k.remove(file)
		}
		return k.add(file, others)
	})
}

// paths gives the file to change and those that kubectl reads beside it.
func (k Kubectl) paths() (string, []string, error) {
	if k.Kubeconfig != "" {
		return k.Kubeconfig, nil, nil
	}
	list := filepath.SplitList(k.Getenv("KUBECONFIG"))
	list = slices.DeleteFunc(list, func(p string) bool { return p == "" })
	if len(list) > 0 {
		return list[0], list[1:], nil
	}
	if k.Home == "" {
		return "", nil, usage("give the file with --kubeconfig", "there is no home directory to hold a kubeconfig")
	}
	return filepath.Join(k.Home, ".kube", "config"), nil, nil
}

func (k Kubectl) add(file *kubeconfig, others []string) error {
	if err := k.addUser(file); err != nil {
		return err
	}
	context, err := k.addContext(file, others)
	if err != nil {
		return err
	}
	if k.Use {
		file.changed = setScalar(file.root, "current-context", context) || file.changed
	}
	var use string
	switch {
	case k.Use:
		use = "kubectl uses it from now on"
	case context != "":
		use = fmt.Sprintf("use it with: kubectl --context %s …", shellWord(context))
	default:
		use = fmt.Sprintf("use it with: kubectl --user %s …, or add --cluster NAME for a context", shellWord(k.User))
	}
	if !file.changed {
		return say(k.Out, "user %s in %s asks oidc-cred already; nothing to change; %s", k.User, file.path, use)
	}
	return say(k.Out, "user %s in %s asks oidc-cred for a token of profile %s; %s", k.User, file.path, k.Profile, use)
}

// execSection is a user's exec section; its order is the file's.
type execSection struct {
	APIVersion      string   `yaml:"apiVersion"`
	Command         string   `yaml:"command"`
	Args            []string `yaml:"args"`
	InteractiveMode string   `yaml:"interactiveMode"`
}

// exec is the section that we want. IfAvailable: whether anyone is asked is
// the profile's to say.
func (k Kubectl) exec() execSection {
	args := []string{"helper", "kubectl", "--profile", k.Profile}
	if k.Config != "" {
		args = append(args, "--config", k.Config)
	}
	if k.Type != "" {
		args = append(args, "--type", k.Type)
	}
	return execSection{
		APIVersion:      "client.authentication.k8s.io/v1",
		Command:         k.Executable,
		Args:            args,
		InteractiveMode: "IfAvailable",
	}
}

func (k Kubectl) addUser(file *kubeconfig) error {
	entry := file.entry("users", k.User)
	if entry == nil {
		file.add("users", k.User, "user", map[string]execSection{"exec": k.exec()})
		return nil
	}
	user := get(entry, "user")
	exec := get(user, "exec")
	if !k.ours(exec) {
		if !k.Force {
			return usage("choose another name with --user, or overwrite it with --force", "user %q in %s is there and not oidc-cred's", k.User, file.path)
		}
		set(entry, "user", encode(map[string]execSection{"exec": k.exec()}))
		file.changed = true
		return nil
	}
	// Ours: set what has to be so, and keep what was added by hand, such as
	// --offline or an older apiVersion.
	want := k.exec()
	changed := setScalar(exec, "command", want.Command)
	var args []string
	if n := get(exec, "args"); n == nil || n.Decode(&args) != nil || len(args) < len(want.Args) || !slices.Equal(args[:len(want.Args)], want.Args) {
		set(exec, "args", encode(want.Args))
		changed = true
	}
	if get(exec, "apiVersion") == nil {
		changed = setScalar(exec, "apiVersion", want.APIVersion) || changed
	}
	if get(exec, "interactiveMode") == nil { // v1 demands it
		changed = setScalar(exec, "interactiveMode", want.InteractiveMode) || changed
	}
	file.changed = file.changed || changed
	return nil
}

// ours says whether the exec section runs oidc-cred's helper.
func (k Kubectl) ours(exec *yaml.Node) bool {
	return isOurs(execWords(exec), "kubectl", k.Executable)
}

// execWords are the command of an exec section and its arguments, nil if there
// is none that can be read.
func execWords(exec *yaml.Node) []string {
	var args []string
	if n := get(exec, "args"); exec == nil || n != nil && n.Decode(&args) != nil {
		return nil
	}
	return append([]string{scalar(exec, "command")}, args...)
}

// print shows the entries as they would be written into an empty file. A
// kubeconfig may hold others' secrets, so it is not shown.
func (k Kubectl) print() error {
	file := newKubeconfig("")
	file.add("users", k.User, "user", map[string]execSection{"exec": k.exec()})
	if k.Cluster != "" {
		name := cmp.Or(k.Context, k.User+"@"+k.Cluster)
		file.add("contexts", name, "context", contextBody{Cluster: k.Cluster, Namespace: k.Namespace, User: k.User})
		if k.Use {
			setScalar(file.root, "current-context", name)
		}
	}
	for _, empty := range []string{"apiVersion", "kind"} {
		drop(file.root, empty)
	}
	text, err := file.encode()
	if err != nil {
		return err
	}
	_, err = k.Out.Write(text)
	return err
}

// remove takes out the user, if it is ours, and the contexts that setup made
// for it.
func (k Kubectl) remove(file *kubeconfig) error {
	entry := file.entry("users", k.User)
	if entry == nil {
		return say(k.Out, "there is no user %s in %s; nothing to remove", k.User, file.path)
	}
	if !k.ours(get(get(entry, "user"), "exec")) {
		return usage("", "user %q in %s is not oidc-cred's", k.User, file.path)
	}
	file.remove("users", k.User)
	verb := "removed"
	if k.Print {
		verb = "would remove"
	}
	if err := say(k.Out, "%s user %s from %s", verb, k.User, file.path); err != nil {
		return err
	}
	for _, name := range file.contextsOf(k.User) {
		if name != k.Context && !strings.HasPrefix(name, k.User+"@") {
			if err := say(k.Out, "note: context %s still names the user %s", name, k.User); err != nil {
				return err
			}
			continue
		}
		file.remove("contexts", name)
		note := ""
		if scalar(file.root, "current-context") == name {
			setScalar(file.root, "current-context", "")
			note = ", which was the current one"
		}
		if err := say(k.Out, "%s context %s%s", verb, name, note); err != nil {
			return err
		}
	}
	return nil
}
