package helper

import "strings"

// Called is the helper that the program is by the name it was called by, which
// may be a path; "" if it is the program itself, under whatever name. A name
// may end in "@PROFILE", for tools that can be told a path and no arguments.
func Called(name string) (protocol, profile string) {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	if n := len(name) - len(".exe"); n > 0 && strings.EqualFold(name[n:], ".exe") {
		name = name[:n]
	}
	name, profile, _ = strings.Cut(name, "@")
	switch name = strings.ToLower(name); name {
	case "git-credential-oidc-cred":
		return "git", profile
	case "kubectl-oidc_cred":
		return "kubectl", profile
	case "docker-credential-oidc-cred":
		return "docker", profile
	case "terraform-credentials-oidc-cred":
		return "terraform", profile
	case "cargo-credential-oidc-cred":
		return "cargo", profile
	case "keyring":
		return "keyring", profile
	}
	switch protocol := strings.TrimPrefix(name, "oidc-cred-"); protocol {
	case name: // another name
	case "git", "kubectl", "docker", "cargo", "go", "terraform", "aws", "gcp", "bazel", "keyring", "pnpm", "vault":
		return protocol, profile
	}
	return "", ""
}
