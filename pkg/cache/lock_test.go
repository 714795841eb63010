package cache

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

func init() {
	children["lock"] = func() error {
		if _, err := New(Options{Dir: os.Getenv("OIDC_CRED_TEST_DIR")}).Lock(context.Background(), testID); err != nil {
			return err
		}
		fmt.Println("locked")
		select {}
	}
}

func TestLock(t *testing.T) {
	s, _, _ := newTestStore(t)
	other := again(s)
	ctx := context.Background()
	release, err := s.Lock(ctx, testID)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := other.TryLock(testID); ok || err != nil {
		t.Errorf("taken twice: %v, %v", ok, err)
	}
	free, ok, err := other.TryLock("another")
	if !ok || err != nil {
		t.Errorf("another session's lock: %v, %v", ok, err)
	} else {
		free()
	}
	short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancel()
	if _, err := other.Lock(short, testID); !errors.Is(err, ErrLocked) {
		t.Errorf("deadline: %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	time.AfterFunc(30*time.Millisecond, cancel)
	if _, err := other.Lock(cancelled, testID); !errors.Is(err, context.Canceled) || errors.Is(err, ErrLocked) {
		t.Errorf("cancelled: %v", err)
	}
	release()
	release() // twice is fine
	release, ok, err = other.TryLock(testID)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	release()
	if names := files(t, s.dir); !slices.Contains(names, testID+lockSuffix) {
		t.Errorf("the lock file was deleted: %v", names)
	}
}

// TestLockWaiters: fifty waiters all get the lock in moments, one at a time.
func TestLockWaiters(t *testing.T) {
	s, _, _ := newTestStore(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	inside := 0
	for range 50 {
		wg.Go(func() {
			release, err := again(s).Lock(ctx, testID)
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			mu.Lock()
			if inside++; inside != 1 {
				t.Error("two hold the lock")
			}
			mu.Unlock()
			mu.Lock()
			inside--
			mu.Unlock()
		})
	}
	wg.Wait()
}

// TestLockCrash: the lock of a killed process is free.
func TestLockCrash(t *testing.T) {
	s, _, dir := newTestStore(t)
	cmd := child(t, "lock")
	cmd.Env = append(cmd.Env, "OIDC_CRED_TEST_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatal(line, err)
	}
	if _, ok, err := s.TryLock(testID); ok || err != nil {
		t.Fatalf("taken twice: %v, %v", ok, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	release, ok, err := s.TryLock(testID)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	release()
	if _, err := os.Stat(filepath.Join(s.dir, testID+lockSuffix)); err != nil {
		t.Error(err)
	}
}
