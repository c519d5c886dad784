// Copyright (c) 2026 The beacond authors
// SPDX-License-Identifier: ISC

package wss

import (
	"crypto/ed25519"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func onFrame(senderID uint32, frame []byte) {
}

func lookup(nodeID uint32) (ed25519.PublicKey, bool) {
	return nil, false
}

func TestNewWantsWhatIsRequired(t *testing.T) {
	var frames OnFrameFn = onFrame
	var keys PubKeyLookupFn = lookup
	for _, config := range []Config{
		{},
		{OnFrame: frames},
		{RouterSocket: "r"},
		{RouterSocket: "r", OnFrame: frames, PubKeyLookup: keys},
		{RouterSocket: "r", OnFrame: frames, KeySocket: "k"},
	} {
		if s, err := New(config); err == nil || s != nil {
			t.Errorf("%+v is taken", config)
		}
	}
	for _, config := range []Config{
		{RouterSocket: "r", OnFrame: frames},
		{RouterSocket: "r", OnFrame: frames, PubKeyLookup: keys,
			KeySocket: "k", BindAddr: ":8443", AuthTimeout: time.Second,
			IdleTimeout: time.Second, MaxPeers: 7},
	} {
		if _, err := New(config); err != nil {
			t.Errorf("%+v: %v", config, err)
		}
	}
}

func TestWithoutABeacon(t *testing.T) {
	dir := t.TempDir()
	s, err := New(Config{RouterSocket: filepath.Join(dir, "none"),
		KeySocket: filepath.Join(dir, "keys"), PubKeyLookup: lookup,
		OnFrame: onFrame, BindAddr: "127.0.0.1:8443"})
	if err != nil {
		t.Fatal(err)
	}
	if s.Start() == nil {
		t.Error("Start says nothing")
	}
	if s.Addr() != "127.0.0.1:8443" || s.PeerCount() != 0 || s.IsConnected(1) ||
		s.WriteFrame(1, []byte("x")) || s.ClosePeer(1, 1000, "") ||
		s.Metrics() != (Metrics{}) {
		t.Error("there is something")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
		t.Error("left: ", left)
	}
	for i := 0; i < 2; i++ {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if s.Start() == nil {
		t.Error("Start after Close")
	}
}

func pair(t *testing.T) [2]int {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|
		syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fds
}

func TestAChannelThatComesAfterTheEndIsClosed(t *testing.T) {
	control, channel := pair(t), pair(t)
	defer syscall.Close(control[0])
	defer syscall.Close(channel[0])
	said := message(nil, typeChannel, 3, 0, nil)
	copy(said[4:], put32(nil, headerSize|withFd))
	if err := syscall.Sendmsg(control[0], said,
		syscall.UnixRights(channel[1]), nil, 0); err != nil {
		t.Fatal(err)
	}
	syscall.Close(channel[1])
	conn, err := unixConn(control[1])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s, err := New(Config{RouterSocket: "r", OnFrame: onFrame})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.running.Add(1)
	s.listen(newStream(conn, controlRules))
	n, err := syscall.Read(channel[0], make([]byte, 1))
	if n != 0 || err != nil {
		t.Error("it is open: ", err)
	}
}

func TestReasonsToClose(t *testing.T) {
	for code, ok := range map[uint16]bool{999: false, 1000: true, 1003: true,
		1004: false, 1006: false, 1007: true, 1014: true, 1015: false,
		2999: false, 3000: true, 4999: true, 5000: false} {
		if isClose(code, "why") != ok {
			t.Error(code)
		}
	}
	long := string(make([]rune, 0, 124))
	for len(long) < 124 {
		long += "a"
	}
	if !isClose(1000, long[1:]) || isClose(1000, long) ||
		isClose(1000, "\xff") || isClose(1000, "\x00") {
		t.Error("text")
	}
}
