package cache

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

func TestZZ(t *testing.T) {
	s := testenv.SecretService(t)
	k := mustOpen(t, KeychainOptions{Backend: SecretService, Getenv: environment(s.Env())})
	ctx := context.Background()
	if err := k.Set(ctx, "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	conn, _ := dbus.Connect(s.Address)
	defer conn.Close()
	rules := func() int {
		var m map[string][]string
		if err := conn.BusObject().Call("org.freedesktop.DBus.Debug.Stats.GetAllMatchRules", 0).Store(&m); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, r := range m {
			n = max(n, len(r))
		}
		return n
	}
	for i := range 24 {
		start := time.Now()
		for range 100 {
			if _, err := k.Get(ctx, "a"); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Println(i, time.Since(start)/100, rules())
	}
	time.Sleep(time.Second)
	fmt.Println(rules())
	for range 20 {
		cmd := exec.Command("secret-tool", "lookup", "service", "oidc-cred", "account", "a")
		cmd.Env = append(os.Environ(), s.Env()...)
		cmd.CombinedOutput()
	}
	time.Sleep(time.Second)
	fmt.Println("after secret-tool", rules())
}
