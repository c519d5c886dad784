// Copyright (c) 2026 The beacond authors
// SPDX-License-Identifier: ISC

package wss

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"
)

const (
	version    = 1
	headerSize = 16
	withFd     = 1 << 31
	readSize   = 256 << 10 // of one read: many frames
)

// The types of messages.
const (
	typeHello   = 0xc00
	typeMetrics = 0xc01

	typeWelcome    = 0xd00
	typeAddress    = 0xd01
	typeNotWelcome = 0xd02
	typeChannel    = 0xd03
	typeMetricsAre = 0xd04
	typeAttached   = 0xd05

	typeFrame   = 0xe00
	typeCame    = 0xe01
	typeGone    = 0xe02
	typeRefused = 0xe03
	typeJoined  = 0xe04
	typeLeft    = 0xe05

	typeWrite = 0xf00
	typeClose = 0xf01
	typeLeave = 0xf02
)

// rule is what a message of a type can be.
type rule struct {
	least, most uint32 // bytes of data
	fd          bool
}

var controlRules = map[uint32]rule{
	typeWelcome:    {16, 16, true},
	typeAddress:    {20, 20, false},
	typeNotWelcome: {4, 4, false},
	typeChannel:    {0, 0, true},
	typeMetricsAre: {64, 64, false},
	typeAttached:   {},
}

var channelRules = map[uint32]rule{
	typeFrame:   {0, MaxFrameSize, false},
	typeCame:    {},
	typeGone:    {},
	typeRefused: {1, MaxFrameSize, false},
	typeJoined:  {},
	typeLeft:    {},
}

// received is one message; data is good until the next is read.
type received struct {
	kind, node, number uint32
	data               []byte
	fd                 int // or -1
}

// drop closes a descriptor that nobody takes.
func (m *received) drop() {
	if m.fd != -1 {
		syscall.Close(m.fd)
	}
}

// stream is a socket with messages on it.
type stream struct {
	conn  *net.UnixConn
	rules map[uint32]rule
	bare  bool // no message has a descriptor
	buf   []byte
	begin int // of what was not dealt with, in buf
	end   int
	fds   []int
}

func newStream(conn *net.UnixConn, rules map[uint32]rule) *stream {
	bare := true
	for _, r := range rules {
		bare = bare && !r.fd
	}
	return &stream{conn: conn, rules: rules, bare: bare,
		buf: make([]byte, readSize)}
}

// write does not return before all of it is on its way.
func (t *stream) write(data []byte) error {
	_, err := t.conn.Write(data)
	return err
}

// next returns the next message; io.EOF at the end.
func (t *stream) next() (received, error) {
	for {
		m, ok, err := t.whole()
		if ok || err != nil {
			return m, err
		}
		if err := t.stray(); err != nil {
			return m, err
		}
		if err := t.read(); err != nil {
			return m, err
		}
	}
}

// whole returns a message that was read already, if there is one.
func (t *stream) whole() (m received, ok bool, err error) {
	have := t.buf[t.begin:t.end]
	if len(have) < headerSize {
		return m, false, nil
	}
	m = received{kind: get32(have), node: get32(have[8:]),
		number: get32(have[12:]), fd: -1}
	length := get32(have[4:]) &^ withFd
	marked := get32(have[4:])&withFd != 0
	r, known := t.rules[m.kind]
	if !known || length < headerSize+r.least || length > headerSize+r.most ||
		marked != r.fd {
		return m, false, fmt.Errorf("the beacon breaks the rules: %#x", m.kind)
	}
	if len(have) < int(length) {
		return m, false, nil
	}
	if marked {
		if len(t.fds) == 0 {
			return m, false, errors.New("a descriptor is missing")
		}
		m.fd, t.fds = t.fds[0], t.fds[1:]
	}
	m.data = have[headerSize:length]
	t.begin += int(length)
	return m, true, nil
}

func (t *stream) read() error {
	t.end = copy(t.buf, t.buf[t.begin:t.end])
	t.begin = 0
	var oob [1024]byte
	n, noob, _, _, err := t.conn.ReadMsgUnix(t.buf[t.end:], oob[:])
	if err != nil {
		return err
	}
	if noob > 0 {
		if err := t.take(oob[:noob]); err != nil {
			return err
		}
	}
	if n == 0 {
		return io.EOF
	}
	t.end += n
	return nil
}

// take keeps the descriptors that came.
func (t *stream) take(oob []byte) error {
	control, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return err
	}
	for i := range control {
		fds, err := syscall.ParseUnixRights(&control[i])
		if err != nil {
			continue
		}
		t.fds = append(t.fds, fds...)
	}
	return nil
}

// stray closes descriptors that came with messages that have none: all whole ones were
// dealt with, and one that has begun has one at most.
func (t *stream) stray() error {
	if t.bare && len(t.fds) > 0 {
		return errors.New("no message of a channel has a descriptor")
	}
	keep := 0
	if t.begin < t.end {
		keep = 1
	}
	for len(t.fds) > keep {
		syscall.Close(t.fds[0])
		t.fds = t.fds[1:]
	}
	return nil
}

// dropFds closes those whose message has not come.  It is for who reads.
func (t *stream) dropFds() {
	for _, fd := range t.fds {
		syscall.Close(fd)
	}
	t.fds = nil
}

// message appends one to data.
func message(data []byte, kind, node, number uint32, body []byte) []byte {
	data = put32(data, kind)
	data = put32(data, uint32(headerSize+len(body)))
	data = put32(data, node)
	data = put32(data, number)
	return append(data, body...)
}

// Integers are in the byte order of the machine.

func get32(b []byte) (v uint32) {
	copy((*[4]byte)(unsafe.Pointer(&v))[:], b)
	return v
}

func get64(b []byte) (v uint64) {
	copy((*[8]byte)(unsafe.Pointer(&v))[:], b)
	return v
}

func put32(b []byte, v uint32) []byte {
	return append(b, (*[4]byte)(unsafe.Pointer(&v))[:]...)
}

// unixConn takes a descriptor.
func unixConn(fd int) (*net.UnixConn, error) {
	f := os.NewFile(uintptr(fd), "channel")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, errors.New("a channel is no UNIX-domain socket")
	}
	return unix, nil
}

// attach says hello and hears what there is.  With the lock.
func (s *Server) attach() error {
	conn, err := net.DialUnix("unix", nil,
		&net.UnixAddr{Name: s.config.RouterSocket, Net: "unix"})
	if err != nil {
		return err
	}
	s.control = newStream(conn, controlRules)
	if err := conn.SetDeadline(time.Now().Add(waitAnswer)); err != nil {
		return err
	}
	// If that fails, the beacon has said why, which is read now.
	_ = s.control.write(message(nil, typeHello, 0, 0, put32(nil, version)))
	s.addr.Store(nil)
	if err := s.hear(); err != nil {
		s.control.dropFds()
		return err
	}
	return conn.SetDeadline(time.Time{})
}

// hear deals with what comes up to ATTACHED.  With the lock.
func (s *Server) hear() error {
	for {
		m, err := s.control.next()
		if err != nil {
			return err
		}
		if m.kind == typeAttached {
			return nil
		}
		if err := s.said(m); err != nil {
			return err
		}
	}
}

// said deals with a message on the socket.  With the lock.
func (s *Server) said(m received) error {
	switch m.kind {
	case typeWelcome:
		s.maxOut = int(get32(m.data[8:]))
		peers, err := newPeerMap(m.fd)
		if err != nil {
			return err
		}
		s.peers.Store(peers)
	case typeNotWelcome:
		switch get32(m.data) {
		case 1:
			return errors.New("the beacon speaks another version")
		case 2:
			return errors.New("another program is there")
		}
		return errors.New("refused")
	case typeAddress:
		if s.addr.Load() == nil {
			addr := address(m.data)
			s.addr.Store(&addr)
		}
	case typeChannel:
		return s.addChannel(m.node, m.fd)
	case typeMetricsAre:
		select {
		case s.answer <- metricsOf(m.data):
		default: // nobody asked
		}
	}
	return nil
}

// listen is the goroutine that reads the socket.
func (s *Server) listen(control *stream) {
	defer s.running.Done()
	defer control.dropFds()
	for {
		m, err := control.next()
		if err == nil {
			s.mu.Lock()
			if s.over {
				m.drop()
				err = net.ErrClosed
			} else {
				err = s.said(m)
			}
			s.mu.Unlock()
		}
		if err != nil {
			s.end(fmt.Errorf("the beacon is gone: %w", err))
			return
		}
	}
}

func address(data []byte) string {
	ip := netip.AddrFrom16(*(*[16]byte)(data)).Unmap()
	return netip.AddrPortFrom(ip, uint16(get32(data[16:]))).String()
}

func metricsOf(data []byte) Metrics {
	at := func(i int) uint64 { return get64(data[8*i:]) }
	return Metrics{UpgradeOK: at(0), UpgradeFail: at(1), AuthOK: at(2),
		AuthFail: at(3), FramesIn: at(4), FramesOut: at(5),
		IdleDisconns: at(6), ActivePeers: at(7)}
}
