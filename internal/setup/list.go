package setup

// Tool is what `setup --list` knows of a tool.
type Tool struct {
	// Name of the subcommand.
	Name string
	// Usage is the subcommand with its arguments.
	Usage string
	// Programs are the names that the tool goes by; any of them will do.
	Programs []string
	// Version are the arguments that make it print its version.
	Version []string
	// IDToken: the tool's server takes the ID token, not the access token.
	IDToken bool
	// Entries finds what setup has put into the tool's configuration.
	Entries func(Common) ([]Entry, error)
}

// Entry is one place where a tool is told to ask oidc-cred.
type Entry struct {
	// Where is the file, or the folder of a link.
	Where string
	// Host that the entry is about; "" for a protocol without hosts.
	Host string
	// AnyPort: the tool does not tell the host's ports apart.
	AnyPort bool
	// Profile that the entry names; "" leaves it to the mapping.
	Profile string
	// Program that the tool calls: a path, or a name that it looks for in PATH.
	Program string
	// Link is where a program is that is looked for by its name, "" if it is
	// nowhere.
	Link string
}

// Tools are all that there is a setup for.
func Tools() []Tool {
	version := []string{"--version"}
	return []Tool{
		{Name: "git", Usage: "git HOST…", Programs: []string{"git"}, Version: version, Entries: gitEntries},
		{Name: "kubectl", Usage: "kubectl --cluster NAME", Programs: []string{"kubectl"}, Version: []string{"version", "--client"}, IDToken: true, Entries: kubectlEntries},
		{Name: "docker", Usage: "docker HOST", Programs: []string{"docker", "podman", "skopeo", "crane"}, Version: version, Entries: dockerEntries},
		{Name: "cargo", Usage: "cargo REGISTRY [INDEX]", Programs: []string{"cargo"}, Version: version, Entries: cargoEntries},
		{Name: "go", Usage: "go HOST", Programs: []string{"go"}, Version: []string{"version"}, Entries: goauthEntries},
		{Name: "terraform", Usage: "terraform HOST", Programs: []string{"terraform", "tofu"}, Version: version, Entries: terraformEntries},
		{Name: "aws", Usage: "aws ROLE_ARN", Programs: []string{"aws"}, Version: version, IDToken: true, Entries: awsEntries},
		{Name: "gcp", Usage: "gcp AUDIENCE", Programs: []string{"gcloud"}, Version: version, IDToken: true, Entries: gcpEntries},
		{Name: "bazel", Usage: "bazel HOST", Programs: []string{"bazelisk", "bazel"}, Version: version, Entries: bazelEntries},
		{Name: "pip", Usage: "pip HOST", Programs: []string{"pip", "pip3", "uv"}, Version: version, Entries: pipEntries},
		{Name: "pnpm", Usage: "pnpm HOST", Programs: []string{"pnpm"}, Version: version, Entries: pnpmEntries},
		{Name: "vault", Usage: "vault ADDRESS", Programs: []string{"vault", "bao"}, Version: version, IDToken: true, Entries: vaultEntries},
	}
}
