// Copyright (c) 2026 The beacond authors
// SPDX-License-Identifier: ISC

// A router to talk to by hand, or by a test: it does what standard input says, and says
// on standard output what comes.
//
//	talk ROUTER_SOCKET
//
//	write NODE HEX           written true | false
//	connected NODE           connected true | false
//	close NODE CODE REASON   closed true | false
//	flood NODE COUNT THREADS flooded N: that were written of COUNT by each thread
//	count                    count N
//	metrics                  metrics, the eight numbers
//	                         frame NODE HEX
//	                         refused NODE REASON HEX
//	                         came NODE GENERATION, gone NODE GENERATION
//	                         error TEXT
//
// It leaves at the end of its input.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	wss "beacond/frame"
)

func onPeer(node, generation uint32, came bool) {
	word := "gone"
	if came {
		word = "came"
	}
	fmt.Println(word, node, generation)
}

// flood writes frames of two numbers each: of the thread and of the frame.
func flood(server *wss.Server, node, count, threads uint32) uint32 {
	var written atomic.Uint32
	var running sync.WaitGroup
	for t := uint32(0); t < threads; t++ {
		running.Add(1)
		go func(t uint32) {
			defer running.Done()
			for n := uint32(0); n < count; n++ {
				frame := binary.BigEndian.AppendUint32(nil, t)
				frame = binary.BigEndian.AppendUint32(frame, n)
				if server.WriteFrame(node, frame) {
					written.Add(1)
				}
			}
		}(t)
	}
	running.Wait()
	return written.Load()
}

func do(server *wss.Server, words []string) {
	number := func(i int) uint32 {
		n, _ := strconv.ParseUint(words[i], 10, 32)
		return uint32(n)
	}
	switch words[0] {
	case "write":
		frame, _ := hex.DecodeString(words[2])
		fmt.Println("written", server.WriteFrame(number(1), frame))
	case "connected":
		fmt.Println("connected", server.IsConnected(number(1)))
	case "close":
		fmt.Println("closed", server.ClosePeer(number(1), uint16(number(2)),
			words[3]))
	case "flood":
		fmt.Println("flooded", flood(server, number(1), number(2), number(3)))
	case "count":
		fmt.Println("count", server.PeerCount())
	case "metrics":
		m := server.Metrics()
		fmt.Println("metrics", m.UpgradeOK, m.UpgradeFail, m.AuthOK,
			m.AuthFail, m.FramesIn, m.FramesOut, m.IdleDisconns,
			m.ActivePeers)
	}
}

func main() {
	server, err := wss.New(wss.Config{
		RouterSocket: os.Args[1],
		BindAddr:     "nowhere yet",
		OnFrame: func(sender uint32, frame []byte) {
			fmt.Println("frame", sender, hex.EncodeToString(frame))
		},
		OnRefused: func(dest uint32, reason wss.Reason, frame []byte) {
			fmt.Println("refused", dest, reason, hex.EncodeToString(frame))
		},
		OnPeer:  onPeer,
		OnError: func(err error) { fmt.Println("error", err) },
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("before", server.Addr())
	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready at", server.Addr())
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<20)
	for input.Scan() {
		if words := strings.SplitN(input.Text(), " ", 4); words[0] != "" {
			do(server, words)
		}
	}
	server.Close()
	fmt.Println("left", server.IsConnected(1), server.PeerCount(),
		server.WriteFrame(1, []byte("x")), server.Close())
}
