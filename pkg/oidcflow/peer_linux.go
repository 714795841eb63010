package oidcflow

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// The kernel's lists of TCP sockets in this network namespace, proc(5). An
// IPv6 socket can have an IPv4 connection.
var socketTables = [...]string{"/proc/self/net/tcp", "/proc/self/net/tcp6"}

// peersAreKnown says whether the kernel tells whose a connection is: not
// without /proc, and not on Android.
func peersAreKnown() bool {
	f, err := os.Open(socketTables[0])
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	var b [1]byte
	_, err = f.Read(b[:])
	return err == nil
}

// peerMayKnow says whether the other end of the connection belongs to this
// user, or to root, from whom nothing can be kept (and as whom WSL passes on
// what a browser on Windows asks for). A connection that is not listed comes
// from somewhere that the kernel can't tell us about, such as another network
// namespace; nobody who opens a browser here gets there, so the answer is no.
func peerMayKnow(r *http.Request) bool {
	ours, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	local, err := netip.ParseAddrPort(r.RemoteAddr) // as the other end sees it
	if err != nil {
		return false
	}
	remote, err := netip.ParseAddrPort(ours.String())
	if err != nil {
		return false
	}
	// A list that changes while it is read can miss a line.
	for range 3 {
		for _, table := range socketTables {
			if owner, ok := ownerIn(table, local, remote); ok {
				return owner == 0 || owner == uint32(os.Geteuid()) //nolint:gosec // a user's number has 32 bits
			}
		}
	}
	return false
}

func ownerIn(table string, local, remote netip.AddrPort) (uid uint32, ok bool) {
	f, err := os.Open(table)
	if err != nil {
		return 0, false
	}
	defer func() { _ = f.Close() }()
	return socketOwner(f, local, remote)
}

// socketOwner finds the user whose socket has these two ends. Only an
// established connection with an inode counts: once a socket is closed, the
// kernel lists it as root's.
func socketOwner(table io.Reader, local, remote netip.AddrPort) (uid uint32, ok bool) {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
		field := strings.Fields(lines.Text())
		if len(field) < 10 || field[3] != "01" || field[9] == "0" {
			continue
		}
		if !isEnd(field[1], local) || !isEnd(field[2], remote) {
			continue
		}
		n, err := strconv.ParseUint(field[7], 10, 32)
		return uint32(n), err == nil
	}
	return 0, false
}

// isEnd compares an end as the kernel writes it, "0100007F:1F90": the port in
// hexadecimal, the address as words in the byte order of the machine.
func isEnd(text string, end netip.AddrPort) bool {
	address, port, _ := strings.Cut(text, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil || n != uint64(end.Port()) {
		return false
	}
	b, err := hex.DecodeString(address)
	if err != nil || len(b) != 4 && len(b) != 16 {
		return false
	}
	for i := 0; i < len(b); i += 4 {
		binary.BigEndian.PutUint32(b[i:], binary.NativeEndian.Uint32(b[i:]))
	}
	a, ok := netip.AddrFromSlice(b)
	return ok && a.Unmap() == end.Addr().Unmap().WithZone("")
}
