package oidcflow

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

const socketHead = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

// kernelEnd writes an end as this machine's kernel does.
func kernelEnd(end netip.AddrPort) string {
	raw := end.Addr().AsSlice()
	var b strings.Builder
	for i := 0; i < len(raw); i += 4 {
		word := binary.BigEndian.Uint32(raw[i:])
		if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
			word = bits.ReverseBytes32(word)
		}
		fmt.Fprintf(&b, "%08X", word)
	}
	return fmt.Sprintf("%s:%04X", b.String(), end.Port())
}

func TestSocketOwner(t *testing.T) {
	a, b := netip.MustParseAddrPort("127.0.0.1:40000"), netip.MustParseAddrPort("127.0.0.1:8400")
	mapped := func(x netip.AddrPort) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom16(x.Addr().As16()), x.Port())
	}
	line := func(local, remote netip.AddrPort, state string, uid uint32, inode string) string {
		return fmt.Sprintf("   0: %s %s %s 00000000:00000000 00:00000000 00000000 %5d        0 %s 1 0 20 4 30 10 -1\n", kernelEnd(local), kernelEnd(remote), state, uid, inode)
	}
	for _, tc := range []struct {
		name, table string
		uid         uint32
		ok          bool
	}{
		{"there", socketHead + line(a, b, "01", 1000, "77"), 1000, true},
		{"mapped", socketHead + line(mapped(a), mapped(b), "01", 1001, "77"), 1001, true},
		{"large number", line(a, b, "01", 4294967294, "77"), 4294967294, true},
		{"our own end", socketHead + line(b, a, "01", 1000, "77"), 0, false},
		{"after others", socketHead + line(b, a, "01", 1, "7") + line(a, a, "01", 2, "8") + line(a, b, "01", 3, "9"), 3, true},
		{"listening", socketHead + line(a, b, "0A", 1000, "77"), 0, false},
		{"gone: time wait is root's", socketHead + line(a, b, "06", 0, "0"), 0, false},
		{"gone: no inode", socketHead + line(a, b, "01", 0, "0"), 0, false},
		{"closing", socketHead + line(a, b, "05", 0, "77"), 0, false},
		{"no number", strings.Replace(line(a, b, "01", 1000, "77"), "1000", "-100", 1), 0, false},
		{"short", "0: " + kernelEnd(a) + " " + kernelEnd(b) + " 01\n", 0, false},
		{"head alone", socketHead, 0, false},
		{"nothing", "", 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			uid, ok := socketOwner(strings.NewReader(tc.table), a, b)
			if uid != tc.uid || ok != tc.ok {
				t.Errorf("%d, %v", uid, ok)
			}
		})
	}
	c, d := netip.MustParseAddrPort("[::1]:40000"), netip.MustParseAddrPort("[::1]:8400")
	if uid, ok := socketOwner(strings.NewReader(line(c, d, "01", 5, "7")), c, d); uid != 5 || !ok {
		t.Errorf("IPv6: %d, %v", uid, ok)
	}
	if _, ok := socketOwner(strings.NewReader(line(a, b, "01", 5, "7")), c, d); ok {
		t.Error("IPv4 was taken for IPv6")
	}
}

func FuzzSocketOwner(f *testing.F) {
	f.Add(socketHead+"   0: 0100007F:9C40 0100007F:20D0 01 00000000:00000000 00:00000000 00000000  1000        0 77 1\n", "127.0.0.1:40000", "127.0.0.1:8400")
	f.Add("0: 0:0 0:0 01 a b c 1 0 1", "[::1]:1", "[::1]:2")
	f.Fuzz(func(t *testing.T, table, local, remote string) {
		a, err := netip.ParseAddrPort(local)
		if err != nil {
			return
		}
		b, err := netip.ParseAddrPort(remote)
		if err != nil {
			return
		}
		uid, ok := socketOwner(strings.NewReader(table), a, b)
		if ok && !strings.Contains(table, fmt.Sprint(uid)) {
			t.Fatalf("%d is not in %q", uid, table)
		}
		// The line that is right is found, whatever stands before it.
		if !a.Addr().IsValid() || strings.Contains(table, ":") || len(table) > 1000 {
			return
		}
		right := fmt.Sprintf("\n0: %s %s 01 0:0 0:0 0 7 0 1\n", kernelEnd(a), kernelEnd(b))
		if uid, ok := socketOwner(strings.NewReader(table+right), a, b); !ok || uid != 7 {
			t.Fatalf("%q: %d, %v", table+right, uid, ok)
		}
	})
}

// The kernel knows the other end of a connection of this process.
func TestPeerMayKnow(t *testing.T) {
	if !peersAreKnown() {
		t.Skip("no " + socketTables[0] + " on this machine")
	}
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Log(err) // no IPv6 here
			continue
		}
		var uid uint32
		var known bool
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			known = peerMayKnow(r)
			local, remote := netip.MustParseAddrPort(r.RemoteAddr), netip.MustParseAddrPort(l.Addr().String())
			for _, table := range socketTables {
				if n, ok := ownerIn(table, local, remote); ok {
					uid = n
				}
			}
		}))
		_ = server.Listener.Close()
		server.Listener = l
		server.Start()
		get(t, server.URL, "")
		server.Close()
		if !known || uid != uint32(os.Geteuid()) { //nolint:gosec // a user's number has 32 bits
			t.Errorf("%s: %v, user %d", address, known, uid)
		}
	}
	for _, r := range []*http.Request{{}, {RemoteAddr: "127.0.0.1:1"}, {RemoteAddr: "x"}} {
		if peerMayKnow(r) {
			t.Errorf("%q was let in", r.RemoteAddr)
		}
	}
	ours := context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}))
	if peerMayKnow((&http.Request{RemoteAddr: "127.0.0.1:1"}).WithContext(ours)) {
		t.Error("a connection that is not there was let in")
	}
}

// Another user of this machine, who has read the address somewhere, gets nothing.
func TestPeerOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 || !peersAreKnown() {
		t.Skip("only root can be another user")
	}
	known := make(chan bool, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { known <- peerMayKnow(r) }))
	defer server.Close()
	failed := make(chan error, 1)
	go func() {
		// A thread of its own, which ends with this goroutine: the kernel has
		// the user per thread, and a socket is that of the thread's.
		runtime.LockOSThread()
		const nobody = 65534
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), nobody, ^uintptr(0)); errno != 0 {
			failed <- errno
			return
		}
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			failed <- err
			return
		}
		_, err = conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		if err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
		_ = conn.Close()
		failed <- err
	}()
	if err := <-failed; err != nil {
		t.Skip(err) // a sandbox without other users
	}
	if <-known {
		t.Error("another user was let in")
	}
}
