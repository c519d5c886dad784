// Copyright (c) 2026 The beacond authors
// SPDX-License-Identifier: ISC

package wss

import (
	"crypto/ed25519"
	"path/filepath"
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
