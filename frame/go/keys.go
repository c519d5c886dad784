// Copyright (c) 2026 The beacond authors
// SPDX-License-Identifier: ISC

package wss

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	keyHello     = "PILT\x01"
	keyHeartbeat = 0x01
	keyAlive     = 0x81
	keyLookup    = 0x02
	keyIs        = 0x82
	keyError     = 0xff

	keyConnsMax   = 8                 // one more is closed at once
	keySilence    = 150 * time.Second // the beacon says something each 60
	keyRequestMax = 65536
)

// keySource answers the beacon's questions for keys, beacond-keys(7).  The socket is
// everybody's to connect to who may search its directory, since the beacon has a
// user of its own; keys are public.
type keySource struct {
	lookup   PubKeyLookupFn
	listener *net.UnixListener
	mu       sync.Mutex
	conns    map[net.Conn]bool
	closed   bool
}

func newKeySource(path string, lookup PubKeyLookupFn) (*keySource, error) {
	if err := clearSocket(path); err != nil {
		return nil, err
	}
	listener, err := net.ListenUnix("unix",
		&net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil {
		listener.Close()
		return nil, err
	}
	k := &keySource{lookup: lookup, listener: listener,
		conns: make(map[net.Conn]bool)}
	go k.accept()
	return k, nil
}

// clearSocket takes away a socket at which nobody listens any more.
func clearSocket(path string) error {
	st, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || st.Mode()&fs.ModeSocket == 0 {
		return err // of what is no socket, bind says what is wrong
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
		return nil
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return os.Remove(path)
	}
	return err
}

func (k *keySource) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	k.listener.Close() // and removes the socket
	for conn := range k.conns {
		conn.Close()
	}
}

func (k *keySource) accept() {
	for {
		conn, err := k.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			log.Print("wss: key socket: ", err)
			time.Sleep(time.Second) // no descriptors: they may come back
			continue
		}
		k.mu.Lock()
		if k.closed || len(k.conns) >= keyConnsMax {
			conn.Close()
		} else {
			k.conns[conn] = true
			go k.serve(conn)
		}
		k.mu.Unlock()
	}
}

// serve answers until the beacon goes, or breaks the rules.
func (k *keySource) serve(conn net.Conn) {
	defer func() {
		k.mu.Lock()
		delete(k.conns, conn)
		k.mu.Unlock()
		conn.Close()
	}()
	said := bufio.NewReader(conn)
	answers := bufio.NewWriter(conn)
	hello := make([]byte, len(keyHello))
	extend := func() { _ = conn.SetDeadline(time.Now().Add(keySilence)) }
	extend()
	if _, err := io.ReadFull(said, hello); err != nil || string(hello) != keyHello {
		return
	}
	for {
		kind, body, err := readKeyFrame(said)
		if err != nil {
			return
		}
		answers.Write(k.answer(kind, body))
		// Those that came in one read are answered in one write.
		if said.Buffered() == 0 && answers.Flush() != nil {
			return
		}
		extend()
	}
}

func readKeyFrame(r io.Reader) (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length == 0 || length > keyRequestMax {
		return 0, nil, errors.New("no such length")
	}
	body = make([]byte, length-1)
	_, err = io.ReadFull(r, body)
	return head[4], body, err
}

func (k *keySource) answer(kind byte, body []byte) []byte {
	switch {
	case kind == keyHeartbeat:
		return keyFrame(keyAlive, nil)
	case kind != keyLookup || len(body) != 4:
		return keyErrorFrame("no such request")
	}
	node := binary.BigEndian.Uint32(body)
	key, ok := k.lookup(node)
	if !ok || len(key) != 32 {
		return keyErrorFrame(fmt.Sprintf("node %d: not found", node))
	}
	answer := make([]byte, 0, 49)
	answer = append(answer, body...)
	answer = append(answer, make([]byte, 7)...)
	answer = append(answer, 32)
	answer = append(answer, key...)
	return keyFrame(keyIs, append(answer, make([]byte, 5)...))
}

func keyErrorFrame(text string) []byte {
	body := binary.BigEndian.AppendUint16(nil, uint16(len(text)))
	return keyFrame(keyError, append(body, text...))
}

func keyFrame(kind byte, body []byte) []byte {
	frame := binary.BigEndian.AppendUint32(nil, uint32(1+len(body)))
	return append(append(frame, kind), body...)
}
