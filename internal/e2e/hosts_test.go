package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/oidc-cred/oidc-cred/pkg/oidcflow/oidctest"
)

// Which profile's token a server gets: "" is none.
const (
	work  = "work"
	other = "other"
)

// hostRow is a server as a tool names it, and what it gets: where the tool gives
// the text as a host by itself, and where it stands in a URL.
type hostRow struct {
	host       string
	field, url string
}

// same is for a text that is a host and nothing else.
func same(profile string, hosts ...string) []hostRow {
	var rows []hostRow
	for _, h := range hosts {
		rows = append(rows, hostRow{h, profile, profile})
	}
	return rows
}

// mappedHosts are the hosts of the profiles; %s is a port of this machine.
var mappedHosts = map[string]string{
	work:  `git.example.com, "*.corp.example", xn--bcher-kva.example, kube.example.com, "[2001:db8::1]:8443", 192.0.2.7, "127.0.0.1:%[1]s", "[::1]:%[1]s"`,
	other: `git.other.example, "git.example.com:9443", "*.other.example:8443", "localhost:%[1]s"`,
}

// secureHosts are servers of https.
func secureHosts() []hostRow {
	var rows []hostRow
	for _, part := range [][]hostRow{
		// Mapped, in all the ways to write a name.
		same(work, "git.example.com", "GIT.Example.COM", "git.example.com.", "git.example.com:443", "git.example.com:0443"),
		same(work, "a.corp.example", "a.b.corp.example", "A.CORP.example:443", "xn--bcher-kva.example"),
		same(work, "[2001:db8::1]:8443", "[2001:DB8:0:0::1]:8443", "192.0.2.7"),
		same(other, "git.other.example", "git.example.com:9443", "a.other.example:8443"),
		// Look-alikes.
		same("", "evil.org", "evil-git.example.com", "xgit.example.com", "sub.git.example.com", "example.com", "gitexample.com", "git-example.com"),
		same("", "git.example.com.evil.org", "git.example.com-evil.org", "git.example.co", "git.example.comm", "git.example.com.."),
		same("", "corp.example", "evilcorp.example", ".corp.example", "*.corp.example", "a..corp.example", "a.corp.example.evil.org", "other.example:8443", "a.other.example"),
		// Homographs: Cyrillic, dotless, full width, the ideographic full stop,
		// the Kelvin sign, a hyphen that is none, an invisible one.
		same("", "gіt.example.com", "git.examрle.com", "gıt.example.com", "ｇit.example.com", "git。example.com", "git．example.com",
			"\u212aube.example.com", "git.example.com\u00ad", "git\u200b.example.com", "bücher.example", "xn--bcher-kvb.example"),
		// Ports.
		same("", "git.example.com:8443", "git.example.com:80", "git.example.com:", "git.example.com:443:443", "git.example.com:65979", "git.example.com:-443",
			"git.example.com:+443", "git.example.com:443x", "git.example.com:4４3", "git.example.com:9443:443", "[2001:db8::1]", "192.0.2.7:8443"),
		// Users, paths and what looks like them.
		same("", "git.example.com@evil.org", "git.example.com:443@evil.org", "user:git.example.com@evil.org", `git.example.com\@evil.org`, `evil.org\@git.example.com`,
			`git.example.com\.evil.org`, `evil.org\git.example.com`, "evil.org/git.example.com", "evil.org/@git.example.com", "evil.org?@git.example.com",
			"evil.org#@git.example.com", "evil.org#git.example.com", "evil.org:443#@git.example.com", "git.example.com&evil.org", "git.example.com,evil.org"),
		{{"evil.org@git.example.com", "", work}, {"evil.org:443@git.example.com", "", work}, {"evil.org@x@git.example.com", "", work}},
		{{"git.example.com/evil.org", "", work}, {"git.example.com?evil.org", "", work}, {"git.example.com#@evil.org", "", work}},
		// Percent-encoding and white space.
		same("", "git%2eexample.com", "git.example.com%2eevil.org", "git.example.com%00.evil.org", "git.example.com%40evil.org", "evil.org%40git.example.com",
			"evil.org%2f@evil.com", "git.example.com evil.org", "git.example.com\tevil.org", "git.example.com\u00a0", "git.example.com\x7f"),
		// Addresses.
		same("", "[2001:db8::2]:8443", "[2001:db8::1%25eth0]:8443", "[2001:db8::1]:8443.evil.org", "[2001:db8::1].evil.org:8443", "[2001:db8::1", "2001:db8::1:8443",
			"[::ffff:192.0.2.7]", "192.0.2.007", "192.0.519", "3221225991", "0xc0.0.2.7", "0300.0.2.7", "1.192.0.2.7", "127.0.0.1", "[::1]"),
	} {
		rows = append(rows, part...)
	}
	return rows
}

// plainHosts are servers of plain http. "refused" are mapped and not on this
// machine.
const refused = "refused"

func plainHosts(port string) []hostRow {
	var rows []hostRow
	for _, part := range [][]hostRow{
		same(work, "127.0.0.1:"+port, "[::1]:"+port),
		same(other, "localhost:"+port, "LOCALHOST:"+port),
		same(refused, "git.example.com", "git.example.com:80", "a.corp.example", "192.0.2.7", "git.other.example", "[2001:db8::1]:8443", "localhost.:"+port),
		same("", "evil.org", "git.example.com:443", "127.0.0.1.evil.org:"+port, "localhost.evil.org:"+port, "127.1:"+port, "2130706433:"+port,
			"127.0.0.1:"+port+"@evil.org", "127.0.0.2:"+port, "127.0.0.1:1", "git.example.com@evil.org", `evil.org\@git.example.com`),
	} {
		rows = append(rows, part...)
	}
	return rows
}

// protocol is how a tool asks for a server's token.
type protocol struct {
	name string
	// ask is the call; stdin may be "".
	ask func(h *home, scheme, host string) (stdin string, env, args []string)
	// field: the host stands by itself.
	field bool
	// secure: it knows no plain http.
	secure bool
	// none is what it prints, and its exit code, for a server that is not mapped.
	none     string
	noneCode int
	// refuses is what is in stdout, and the exit code, for plain http.
	refuses     string
	refusesCode int
	// sends: the program itself sends the token there, and prints what it gets
	// for it.
	sends bool
	// owner: it serves the profile in use alone. noUser: it takes no user in a
	// URL.
	owner, noUser bool
}

func jsonText(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func protocols() []protocol {
	const tooPlain = "is reached over plain http, where anyone on the way could read the token"
	call := func(stdin string, args ...string) (string, []string, []string) {
		return stdin, nil, append([]string{"helper"}, args...)
	}
	return []protocol{
		{name: "git", field: true, refuses: "quit=1\n", ask: func(_ *home, scheme, host string) (string, []string, []string) {
			return call("protocol="+scheme+"\nhost="+host+"\n\n", "git", "get")
		}},
		{name: "docker", none: "credentials not found in native keychain\n", noneCode: 1, refuses: tooPlain, refusesCode: 1, ask: func(_ *home, scheme, host string) (string, []string, []string) {
			return call(scheme+"://"+host+"/v1/", "docker", "get")
		}},
		{name: "cargo", none: "{\"v\":[1]}\n{\"Err\":{\"kind\":\"url-not-supported\"}}\n", refuses: `{"Err":{"kind":"other",`, ask: func(_ *home, scheme, host string) (string, []string, []string) {
			return call(`{"v":1,"kind":"get","operation":"read","registry":{"index-url":`+jsonText("sparse+"+scheme+"://"+host+"/index/")+`},"args":[]}`+"\n", "cargo", "--cargo-plugin")
		}},
		{name: "go URL", secure: true, ask: func(_ *home, scheme, host string) (string, []string, []string) {
			return call("HTTP/1.1 404 Not Found\r\n\r\n", "go", scheme+"://"+host+"/module/@v/list")
		}},
		{name: "terraform", field: true, secure: true, none: "{}\n", ask: func(_ *home, _, host string) (string, []string, []string) {
			return call("", "terraform", "get", host)
		}},
		{name: "bazel", none: "{\"headers\":{}}\n", refusesCode: 2, ask: func(_ *home, scheme, host string) (string, []string, []string) {
			return call(`{"uri":`+jsonText(scheme+"://"+host+"/cache")+`}`, "bazel", "get")
		}},
		{name: "keyring", noneCode: 1, refusesCode: 2, ask: func(_ *home, scheme, host string) (string, []string, []string) {
			return call("", "keyring", "get", scheme+"://"+host+"/simple/", "someone")
		}},
		{name: "pnpm", field: true, secure: true, owner: true, noneCode: 2, ask: func(h *home, _, host string) (string, []string, []string) {
			file := filepath.Join(h.dir, ".npmrc")
			if err := os.WriteFile(file, []byte("//"+host+"/:tokenHelper=/usr/bin/oidc-cred-pnpm\n"), 0o600); err != nil {
				h.t.Fatal(err)
			}
			return "", []string{"npm_config_userconfig=" + file}, []string{"helper", "pnpm", "--profile", work}
		}},
		{name: "aws", sends: true, noUser: true, noneCode: 2, refusesCode: 2, ask: func(_ *home, scheme, host string) (string, []string, []string) {
			return call("", "aws", "--role-arn", "arn:aws:iam::123456789012:role/x", "--endpoint-url", scheme+"://"+host)
		}},
		{name: "vault", sends: true, refusesCode: 2, ask: func(_ *home, scheme, host string) (string, []string, []string) {
			return "", []string{"VAULT_ADDR=" + scheme + "://" + host}, []string{"helper", "vault", "get"}
		}},
	}
}

// network is what the program can reach: an STS and a Vault on this machine,
// and a proxy that lets nothing through.
type network struct {
	server, proxy *httptest.Server
	mu            sync.Mutex
	body          string   // what the server got
	wanted        []string // where the proxy was asked to go
}

func newNetwork(t *testing.T) *network {
	n := &network{}
	n.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		var in struct{ JWT string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		n.mu.Lock()
		defer n.mu.Unlock()
		n.body = in.JWT + r.Form.Get("WebIdentityToken")
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			_, _ = w.Write([]byte(`{"auth":{"client_token":"granted","lease_duration":3600}}`))
			return
		}
		_, _ = w.Write([]byte(`<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>` +
			`<AccessKeyId>granted</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>` +
			`</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`))
	}))
	n.proxy = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.wanted = append(n.wanted, r.Host)
		w.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(n.server.Close)
	t.Cleanup(n.proxy.Close)
	return n
}

// take gives what was noted since the last call.
func (n *network) take() (body string, wanted []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	body, wanted = n.body, n.wanted
	n.body, n.wanted = "", nil
	return body, wanted
}

func (n *network) port() string { return n.server.URL[strings.LastIndex(n.server.URL, ":")+1:] }

// hostsHome has both profiles signed in. given are each profile's tokens.
func hostsHome(t *testing.T, n *network) (h *home, given map[string][]string) {
	t.Helper()
	p := newProvider(t, oidctest.Options{})
	h = newHome(t, p)
	text := "default_profile: work\nprofiles:\n"
	for _, name := range []string{work, other} {
		text += fmt.Sprintf("  %s:\n    issuer: %s\n    client_id: oidc-cred\n    store: file\n    vault_role: x\n    hosts: [%s]\n",
			name, p.Issuer(), fmt.Sprintf(mappedHosts[name], n.port()))
	}
	h.config(text)
	// Nothing else is in PATH: neither a keyring command nor another helper.
	h = h.with("PATH="+t.TempDir(), "HTTPS_PROXY="+n.proxy.URL, "HTTP_PROXY="+n.proxy.URL, "https_proxy="+n.proxy.URL, "http_proxy="+n.proxy.URL)
	given = map[string][]string{}
	for _, name := range []string{work, other} {
		h.run("login", "-p", name).exits(0)
		given[name] = []string{h.token("-p", name), h.token("-p", name, "--type", "id")}
	}
	for i := range 2 {
		if given[work][i] == given[other][i] {
			t.Fatal("the profiles have the same token")
		}
	}
	return h, given
}

// holder is the profile whose token is in the text.
func holder(t *testing.T, text string, given map[string][]string) string {
	t.Helper()
	var found []string
	for name, tokens := range given {
		for _, token := range tokens {
			if strings.Contains(text, token) {
				found = append(found, name)
			}
		}
	}
	switch len(found) {
	case 0:
		return ""
	case 1:
		return found[0]
	}
	t.Errorf("the tokens of %v stand in one answer", found)
	return found[0]
}

// TestHosts: over every protocol a server gets the token of the profile that it
// is mapped to, and a server that is not mapped, whatever it looks like, gets
// nothing, in the words that the protocol has for it. A token never goes over
// plain http but on this machine.
func TestHosts(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	table := map[string][]string{} // by protocol, a cell for each server
	t.Cleanup(func() { t.Log("\n" + hostsTable(table)) })
	for _, p := range protocols() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(t)
			h, given := hostsHome(t, n)
			n.take()
			var cells []string
			for _, row := range secureHosts() {
				cells = append(cells, p.try(t, h, n, given, "https", row))
			}
			for _, row := range plainHosts(n.port()) {
				cells = append(cells, p.try(t, h, n, given, "http", row))
			}
			mu.Lock()
			defer mu.Unlock()
			table[p.name] = cells
		})
	}
}

// hostsTable is what each protocol gave each server, for a person to read.
func hostsTable(cells map[string][]string) string {
	var text strings.Builder
	for _, p := range protocols() {
		fmt.Fprintf(&text, "%-10s", p.name)
	}
	text.WriteString("server\n")
	secure := secureHosts()
	for i, row := range append(secure, plainHosts("PORT")...) {
		for _, p := range protocols() {
			cell := "?" // the test did not get there
			if i < len(cells[p.name]) {
				cell = cells[p.name][i]
			}
			fmt.Fprintf(&text, "%-10s", cell)
		}
		scheme := "https"
		if i >= len(secure) {
			scheme = "http"
		}
		fmt.Fprintf(&text, "%s://%+q\n", scheme, row.host)
	}
	return text.String()
}

func (p protocol) want(scheme string, row hostRow) string {
	want := row.url
	if p.field && !(p.owner && strings.Contains(row.host, "/")) { // a registry's may have a path
		want = row.field
	}
	switch {
	case p.secure && scheme == "http", p.owner && want != work, p.noUser && strings.ContainsAny(row.host, "@?#"):
		return ""
	}
	return want
}

// try asks for one server's token and gives the cell of the table: the profile,
// "-" for nothing, "refused" or, of a protocol that has no such servers, "".
func (p protocol) try(t *testing.T, h *home, n *network, given map[string][]string, scheme string, row hostRow) string {
	t.Helper()
	if p.secure && p.field && scheme == "http" {
		return "" // it can't be said in the protocol
	}
	stdin, env, args := p.ask(h, scheme, row.host)
	r := h.with(env...).startWith(stdin, args...).wait()
	body, wanted := n.take()
	want, where := p.want(scheme, row), fmt.Sprintf("%s: %s://%q", p.name, scheme, row.host)
	if got := holder(t, r.stderr, given); got != "" {
		t.Errorf("%s: the token of %s stands on stderr", where, got)
	}
	got := holder(t, r.stdout+body, given)
	switch {
	case want == refused:
		if got != "" || r.code != p.refusesCode || p.refuses == "" && r.stdout != "" || !strings.Contains(r.stdout, p.refuses) || !strings.Contains(r.stdout+r.stderr, "plain http") {
			t.Errorf("%s is not refused: exit %d, the token of %q, stdout %q, stderr %q", where, r.code, got, r.stdout, r.stderr)
		}
	case want == "":
		if got != "" || r.code != p.noneCode || r.stdout != p.none {
			t.Errorf("%s: exit %d, the token of %q, stdout %q, stderr %q; want exit %d, %q", where, r.code, got, r.stdout, r.stderr, p.noneCode, p.none)
		}
	case p.sends:
		if !p.reached(scheme, row, r, got == want, wanted) {
			t.Errorf("%s: exit %d, the token of %q, the proxy is asked for %q, stdout %q, stderr %q; want it to send that of %q", where, r.code, got, wanted, r.stdout, r.stderr, want)
			return "WRONG"
		}
		return want
	case got != want || r.code != 0:
		t.Errorf("%s: exit %d, the token of %q, stderr %q; want that of %q", where, r.code, got, r.stderr, want)
	}
	if len(wanted) > 0 || p.sends && body != "" {
		t.Errorf("%s: the program calls %q", where, wanted)
	}
	switch {
	case got == "" && want == refused:
		return refused
	case got == "":
		return "-"
	}
	return got
}

// reached says whether a token went to the server that was named, or would have
// if it were there, and nowhere else.
func (p protocol) reached(scheme string, row hostRow, r result, right bool, wanted []string) bool {
	if scheme == "http" { // on this machine, where nobody listens at [::1]
		return right && r.code == 0 && strings.Contains(r.stdout, "granted") || strings.HasPrefix(row.host, "[::1]") && r.code == 4
	}
	host := row.host
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	host = host[strings.LastIndex(host, "@")+1:]
	for _, w := range wanted {
		if !strings.EqualFold(w, host) && !strings.EqualFold(w, host+":443") {
			return false
		}
	}
	return len(wanted) > 0 && r.code == 4 && r.stdout == ""
}

// TestHostsListed: what lists servers names those of the configuration, each
// with its own profile's token and none for a wildcard.
func TestHostsListed(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	h, given := hostsHome(t, n)
	r := h.run("helper", "go").exits(0)
	if strings.Contains(r.stdout, "*") {
		t.Errorf("a wildcard: %q", r.stdout)
	}
	sets := strings.Split(strings.TrimSuffix(r.stdout, "\n\n"), "\n\n")
	if len(sets) != 4 {
		t.Fatalf("%d parts: %q", len(sets), r.stdout)
	}
	for i, name := range []string{work, other} { // as in the configuration
		if holder(t, sets[2*i+1], given) != name {
			t.Errorf("set %d is not that of %s: %q", i, name, sets[2*i])
		}
		for url := range strings.Lines(sets[2*i]) {
			url = strings.TrimSuffix(url, "\n")
			if got := holder(t, h.run("helper", "go", url).exits(0).stdout, given); got != name {
				t.Errorf("%s is listed for %s and gets the token of %q", url, name, got)
			}
		}
	}
	list := h.startWith("", "helper", "docker", "list").wait().exits(0)
	if holder(t, list.stdout, given) != "" || strings.Contains(list.stdout, "*") || !strings.Contains(list.stdout, `"git.other.example"`) {
		t.Errorf("docker list: %q", list.stdout)
	}
}

// TestHostsProfile: --profile narrows what is served and maps nothing; the
// protocols without a host give the token of the profile that is named.
func TestHostsProfile(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	h, given := hostsHome(t, n)
	for _, p := range protocols() {
		if p.owner || p.sends {
			continue
		}
		stdin, env, args := p.ask(h, "https", "git.example.com")
		r := h.with(env...).startWith(stdin, append(args[:2:2], append([]string{"--profile", other}, args[2:]...)...)...).wait()
		if r.code != p.noneCode || r.stdout != p.none {
			t.Errorf("%s: exit %d, %q, %q", p.name, r.code, r.stdout, r.stderr)
		}
	}
	for _, tool := range []string{"kubectl", "gcp"} {
		for _, name := range []string{work, other} {
			if got := holder(t, h.run("helper", tool, "--profile", name).exits(0).stdout, given); got != name {
				t.Errorf("%s of profile %s gives the token of %q", tool, name, got)
			}
		}
		if got := holder(t, h.run("helper", tool).exits(0).stdout, given); got != work {
			t.Errorf("%s gives the token of %q by default", tool, got)
		}
		h.run("helper", tool, "--profile", "none")
	}
}
