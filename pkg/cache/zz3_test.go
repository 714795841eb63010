package cache

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

func TestXX(t *testing.T) {
	s := testenv.SecretService(t)
	k := mustOpen(t, KeychainOptions{Backend: SecretService, Getenv: environment(s.Env())})
	ctx := context.Background()
	if err := k.Set(ctx, "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	var sum [6]time.Duration
	for range 300 {
		t0 := time.Now()
		conn, hello, err := dialBus(ctx, environment(s.Env()))
		if err != nil {
			t.Fatal(err)
		}
		t1 := time.Now()
		ss := &secretService{call: &call{ctx: ctx}, conn: conn, service: "oidc-cred"}
		ss.enter(hello)
		t2 := time.Now()
		a, b := ss.openSession(), ss.search("a")
		var p dbus.ObjectPath
		wait(a, new(dbus.Variant), &p)
		t3 := time.Now()
		item, err := ss.found(b)
		if err != nil {
			t.Fatal(err)
		}
		t4 := time.Now()
		<-ss.send(item, secretsItem+"GetSecret", p).Done
		t5 := time.Now()
		conn.Close()
		t6 := time.Now()
		for i, d := range []time.Duration{t1.Sub(t0), t2.Sub(t1), t3.Sub(t2), t4.Sub(t3), t5.Sub(t4), t6.Sub(t5)} {
			sum[i] += d
		}
		time.Sleep(time.Millisecond)
	}
	for _, d := range sum {
		fmt.Println(d / 300)
	}
}
