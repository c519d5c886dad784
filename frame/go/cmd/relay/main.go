// Copyright (c) 2026 The beacond authors
// SPDX-License-Identifier: ISC

// A relay in the place of beacond's own, as small as can be.
//
//	relay ROUTER_SOCKET [KEY_SOCKET KEYS]
//
// passes on what a peer sends to another (doc/protocol.md 4.1), until SIGTERM.  With
// the last two it is also who knows the keys, by the lines "NODE BASE64" of a file.
package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	wss "beacond/frame"
)

const (
	relay       = 5 // sender, destination, payload
	relayHead   = 9
	deliver     = 6 // sender, payload
	deliverHead = 5
)

var server *wss.Server

func onFrame(sender uint32, frame []byte) {
	if len(frame) < relayHead || frame[0] != relay ||
		binary.BigEndian.Uint32(frame[1:]) != sender {
		return
	}
	dest := binary.BigEndian.Uint32(frame[5:])
	// The head of five bytes fits into that of nine.
	packet := frame[relayHead-deliverHead:]
	packet[0] = deliver
	binary.BigEndian.PutUint32(packet[1:], sender)
	// False: not connected.  A beacon would try UDP now.
	_ = server.WriteFrame(dest, packet)
}

// onRefused loses what waits for a peer that reads too slowly, as a relay does.
func onRefused(dest uint32, reason wss.Reason, frame []byte) {
}

func lookup(node uint32) (ed25519.PublicKey, bool) {
	text, err := os.ReadFile(os.Args[3])
	if err != nil {
		return nil, false
	}
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 2 && words[0] == strconv.Itoa(int(node)) {
			key, err := base64.StdEncoding.DecodeString(words[1])
			return key, err == nil
		}
	}
	return nil, false
}

func main() {
	config := wss.Config{RouterSocket: os.Args[1], OnFrame: onFrame,
		OnRefused: onRefused,
		OnError:   func(err error) { log.Fatal(err) }}
	if len(os.Args) > 3 {
		config.KeySocket, config.PubKeyLookup = os.Args[2], lookup
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	var err error
	server, err = wss.New(config)
	if err != nil {
		log.Fatal(err)
	}
	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready at", server.Addr())
	<-end
	server.Close()
}
