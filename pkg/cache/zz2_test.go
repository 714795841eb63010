package cache

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/oidc-cred/oidc-cred/internal/testenv"
)

func TestYY(t *testing.T) {
	s := testenv.SecretService(t)
	k := mustOpen(t, KeychainOptions{Backend: SecretService, Getenv: environment(s.Env())})
	ctx := context.Background()
	if err := k.Set(ctx, "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		var bad error
		for range 50 {
			wg.Go(func() {
				if _, err := k.Get(ctx, "a"); err != nil {
					mu.Lock()
					bad = err
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if bad != nil {
			t.Fatal(i, bad)
		}
	}
	fmt.Println("ok")
}
