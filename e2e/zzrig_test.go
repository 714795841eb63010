package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidc-cred/oidc-cred/e2e/harness"
)

func TestZZRig(t *testing.T) {
	script, gitdir := os.Getenv("RIG_SCRIPT"), os.Getenv("RIG_GIT")
	g := gitProgram{path: gitdir + "/git", lfs: gitdir + "/git-lfs", major: 2, minor: 50}
	c := &checkout{CLI: harness.NewCLI(t, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS="), program: g, provider: harness.StartProvider(t, harness.ProviderOptions{AccessTTL: 3600 * time.Second})}
	c.server = newGitServer(t, c.provider)
	up, _ := url.Parse("https://" + c.server.Host)
	rp := httputil.NewSingleHostReverseProxy(up)
	rp.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	front := httptest.NewUnstartedServer(rp)
	dir := t.TempDir()
	run := func(args ...string) {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatal(err, string(out))
		}
	}
	run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", dir+"/k", "-out", dir+"/c", "-subj", "/CN=git.example.com", "-addext", "subjectAltName=DNS:git.example.com,DNS:localhost", "-days", "2")
	cert, err := tls.LoadX509KeyPair(dir+"/c", dir+"/k")
	if err != nil {
		t.Fatal(err)
	}
	front.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	front.StartTLS()
	defer front.Close()
	c.server.Host = "git.example.com"
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			w.WriteHeader(400)
			return
		}
		to, err := net.Dial("tcp", front.Listener.Addr().String())
		if err != nil {
			return
		}
		conn, buf, _ := w.(http.Hijacker).Hijack()
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { io.Copy(to, buf); to.Close() }()
		io.Copy(conn, to)
		conn.Close()
	}))
	defer proxy.Close()
	home := filepath.Dir(c.Home)
	os.MkdirAll(home+"/bin", 0o755)
	os.Symlink(harness.Binary, home+"/bin/oidc-cred")
	b := harness.NewBrowser(t, harness.BrowserOptions{})
	_ = strings.Join
	c.Set("PATH", strings.Join([]string{home + "/bin", gitdir, os.Getenv("PATH")}, ":"))
	c.Set("BROWSER", b.Program)
	c.Set("HTTPS_PROXY", proxy.URL)
	c.Set("https_proxy", proxy.URL)
	c.Set("GIT_SSL_CAINFO", dir+"/c")
	c.Set("ISSUER", c.provider.Issuer)
	c.Set("ADMIN", adminOf(c.provider))
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		c.Set("GIT_"+who+"_NAME", "Alice")
		c.Set("GIT_"+who+"_EMAIL", "alice@example.test")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/lenient", func(http.ResponseWriter, *http.Request) { c.server.set(func(s *gitServer) { s.lenient = true }) })
	mux.HandleFunc("/strict", func(http.ResponseWriter, *http.Request) { c.server.set(func(s *gitServer) { s.strict = true }) })
	mux.HandleFunc("/refuse", func(http.ResponseWriter, *http.Request) {
		tok, _ := c.Token(t)
		c.server.set(func(s *gitServer) { s.refuse[tok.Token] = true })
	})
	mux.HandleFunc("/down", func(http.ResponseWriter, *http.Request) { c.provider.Down(t) })
	mux.HandleFunc("/fail", func(http.ResponseWriter, *http.Request) { c.provider.Fail(t, "token", 503) })
	mux.HandleFunc("/ttl", func(http.ResponseWriter, *http.Request) { c.provider.TTL(t, "access", 2*time.Second) })
	mux.HandleFunc("/basic", func(http.ResponseWriter, *http.Request) { c.server.set(func(s *gitServer) { s.schemes = []string{"Basic"} }) })
	steer := httptest.NewServer(mux)
	defer steer.Close()
	c.Set("STEER", steer.URL)
	r := c.Program(t, harness.Input{Dir: home}, "/bin/bash", script)
	fmt.Println(strings.NewReplacer(home, "/home/alice", c.provider.Issuer, "https://id.example.com").Replace(r.Stdout))
	fmt.Println("STDERR", r.Stderr, r.Code)
}

func adminOf(*harness.Provider) string { return "" }
