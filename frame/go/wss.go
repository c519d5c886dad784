// Copyright (c) 2026 The beacond authors
// SPDX-License-Identifier: ISC

// Package wss lets a program take the place of beacond's relay: it says what
// beacond-frame(7) wants to hear, and offers what a program expects of a listener
// for WebSockets that is linked into it.  The listener is beacond, another process.
//
// Nothing but Go's standard library is needed, and no line of C.
package wss

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

const (
	// DefaultAuthTimeout is what "auth timeout" in beacond.conf(5) is unless
	// that says something else.
	DefaultAuthTimeout = 10 * time.Second
	// DefaultIdleTimeout is likewise that of "idle timeout".
	DefaultIdleTimeout = 90 * time.Second
	// MaxFrameSize is the most that a frame from a peer has ("max frame").  A
	// peer that sends a larger one is closed, with 1009.
	MaxFrameSize = 64 * 1024
)

// OnFrameFn is given a binary frame of a peer, whose node ID its worker has verified.
// The slice is reused when it returns.  Frames of peers of one worker come one after
// the other, of several workers at the same time; frames of one peer in the order in
// which it sent them.  What it takes in time the other peers of that worker wait
// for, and after 10 seconds the beacon does without the program.
type OnFrameFn func(senderID uint32, frame []byte)

// PubKeyLookupFn returns the Ed25519 key of a node; ok is false if there is none.
// It has 3 seconds, and is called for one node after the other.
type PubKeyLookupFn func(nodeID uint32) (key ed25519.PublicKey, ok bool)

// Reason says why a frame was refused that WriteFrame had taken.
type Reason uint32

// The reasons.
const (
	NotConnected Reason = 1 + iota
	QueueFull
	TooLarge
)

// Config configures a Server.  RouterSocket and OnFrame are required.
type Config struct {
	// RouterSocket is what "router socket" in beacond.conf(5) names.
	RouterSocket string
	// KeySocket is where the beacon asks for keys: what "registry" in
	// beacond.conf(5) names.  It is required with PubKeyLookup, and of no use
	// without.
	KeySocket string

	// BindAddr is what Addr returns before Start, and nothing else: the beacon
	// listens, where its configuration says.
	BindAddr string
	// PubKeyLookup, if there is one, is where the keys come from; otherwise
	// they come from the key file or the registry of the beacon.
	PubKeyLookup PubKeyLookupFn
	// OnFrame has the frames of all peers.
	OnFrame OnFrameFn
	// AuthTimeout, IdleTimeout and MaxPeers are the beacon's ("auth timeout",
	// "idle timeout", "max peers" in beacond.conf(5)), which does not ask the
	// program: what is said here is for the reader, and has no effect.
	AuthTimeout time.Duration
	IdleTimeout time.Duration
	MaxPeers    int

	// OnRefused is given back what WriteFrame took and what could not be
	// delivered after all.  Without it, that is logged.  The rest as OnFrame.
	OnRefused func(destID uint32, reason Reason, frame []byte)
	// OnPeer is told of each node that logs in (came) and whose session ends;
	// generation tells its sessions apart.  Nothing is said of the sessions of
	// a worker that died.
	OnPeer func(nodeID uint32, generation uint32, came bool)
	// OnError is told when the server has ended, but not by Close.  Without it,
	// that is logged.
	OnError func(error)
}

// Metrics is what Server.Metrics returns.
type Metrics struct {
	UpgradeOK, UpgradeFail uint64
	AuthOK, AuthFail       uint64
	FramesIn, FramesOut    uint64
	IdleDisconns           uint64
	ActivePeers            uint64
}

const (
	waitAnswer  = 10 * time.Second // for the beacon, or to leave
	waitReplace = 15 * time.Second // for a channel in the place of another
	waitNews    = 100 * time.Millisecond
	workersMax  = 128
)

// Server is one program's place at the beacon.  It may be used by any goroutine after
// Start.
type Server struct {
	config   Config
	addr     atomic.Pointer[string]
	peers    atomic.Pointer[peerMap] // nil: before Start, and at the end
	channels [workersMax]atomic.Pointer[channel]
	maxOut   int
	logged   atomic.Int64 // when something was logged last
	inVain   atomic.Int64 // until when no channel is waited for

	asking  sync.Mutex // one question at a time
	answer  chan Metrics
	metrics Metrics // the last answer

	mu      sync.Mutex
	control *stream
	keys    *keySource
	leaving bool
	losses  [workersMax]uint64 // how often one ended, and no other was there
	ended   chan struct{}      // closed at the end
	over    bool               // ended is closed
	closed  sync.Once
	running sync.WaitGroup
}

// New makes a Server, which does nothing before Start.  It returns an error if a
// required field is missing.
func New(config Config) (*Server, error) {
	switch {
	case config.RouterSocket == "":
		return nil, errors.New("wss: RouterSocket is required")
	case config.OnFrame == nil:
		return nil, errors.New("wss: OnFrame is required")
	case (config.PubKeyLookup == nil) != (config.KeySocket == ""):
		return nil, errors.New(
			"wss: PubKeyLookup and KeySocket: both or neither")
	}
	return &Server{config: config, answer: make(chan Metrics, 1),
		ended: make(chan struct{})}, nil
}

// Start attaches to the beacon, and returns when the program has what there is.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.control != nil {
		return errors.New("wss: it was started before, or closed")
	}
	if s.config.KeySocket != "" {
		keys, err := newKeySource(s.config.KeySocket, s.config.PubKeyLookup)
		if err != nil {
			return fmt.Errorf("wss: %w", err)
		}
		s.keys = keys
	}
	if err := s.attach(); err != nil {
		s.detach()
		return fmt.Errorf("wss: %w", err)
	}
	s.running.Add(1)
	go s.listen(s.control)
	return nil
}

// Addr returns the address where peers connect, the first if there are several;
// before Start, the configured BindAddr.
func (s *Server) Addr() string {
	if addr := s.addr.Load(); addr != nil {
		return *addr
	}
	return s.config.BindAddr
}

// WriteFrame sends a binary frame to a peer.  It does not wait, but for a moment for
// a worker of which the beacon has just told, and returns false
// at once if the node is not connected: the caller has to do with UDP.  It returns
// false and logs if the frame is empty or longer than 32,768 bytes, or more waits to
// be sent than may; the peer stays.
func (s *Server) WriteFrame(destID uint32, frame []byte) bool {
	if len(frame) == 0 || len(frame) > s.maxOut {
		if s.IsConnected(destID) {
			s.log("a frame of %d bytes for node %d: not sent", len(frame),
				destID)
		}
		return false
	}
	return s.send(typeWrite, destID, frame)
}

// IsConnected looks at memory that the beacon shares: no message, O(1).
func (s *Server) IsConnected(nodeID uint32) bool {
	_, _, ok := s.look(nodeID)
	return ok
}

// PeerCount returns how many peers are connected.
func (s *Server) PeerCount() int {
	if peers := s.peers.Load(); peers != nil {
		return peers.count()
	}
	return 0
}

// ClosePeer ends the session that a node has now.  It returns false if it has none,
// or if there is no such code or the reason has more than 123 bytes.
func (s *Server) ClosePeer(nodeID uint32, code uint16, reason string) bool {
	data := append(put32(nil, uint32(code)), reason...)
	return isClose(code, reason) && s.send(typeClose, nodeID, data)
}

// Metrics asks the beacon.  If that is gone, it returns its last answer.
func (s *Server) Metrics() Metrics {
	s.asking.Lock()
	defer s.asking.Unlock()
	s.mu.Lock()
	control := s.control
	s.mu.Unlock()
	if control == nil {
		return s.metrics
	}
	if control.write(message(nil, typeMetrics, 0, 0, nil)) != nil {
		return s.metrics
	}
	select {
	case s.metrics = <-s.answer:
	case <-s.ended:
	}
	return s.metrics
}

// Close leaves in good order: it waits until what the beacon has given is dealt with
// and what was written is handed over, for 10 seconds at the most.  The sessions
// stay with the beacon.  It may be called again, and not by a function of Config.
func (s *Server) Close() error {
	s.closed.Do(s.leave)
	s.running.Wait()
	return nil
}

func (s *Server) leave() {
	s.mu.Lock()
	s.leaving = true
	for i := range s.channels {
		if c := s.channels[i].Load(); c != nil {
			c.add(typeLeave, 0, 0, nil)
		}
	}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), waitAnswer)
	defer cancel()
	// What comes on one may be answered on any other, until the last is left.
	for c := s.staying(); c != nil && ctx.Err() == nil; c = s.staying() {
		select {
		case <-c.left:
		case <-ctx.Done():
		}
	}
	late, _ := ctx.Deadline()
	for i := range s.channels {
		if c := s.channels[i].Load(); c != nil {
			c.finish(late)
		}
	}
	s.end(nil)
}

// staying returns a channel on which more may come, if there is one.
func (s *Server) staying() *channel {
	for i := range s.channels {
		c := s.channels[i].Load()
		if c == nil {
			continue
		}
		select {
		case <-c.left:
		default:
			return c
		}
	}
	return nil
}

// end is called by whoever meets the end first.
func (s *Server) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.over = true
	close(s.ended)
	s.detach()
	switch {
	case err == nil || s.leaving:
	case s.config.OnError != nil:
		go s.config.OnError(err)
	default:
		log.Print("wss: ", err)
	}
}

// detach closes the channels, then the socket.  With the lock.
func (s *Server) detach() {
	s.peers.Store(nil)
	for i := range s.channels {
		if c := s.channels[i].Swap(nil); c != nil {
			c.close()
		}
	}
	if s.control != nil {
		s.control.conn.Close()
		s.control = nil
	}
	if s.keys != nil {
		s.keys.close()
		s.keys = nil
	}
}

// look returns where a node is connected.
func (s *Server) look(nodeID uint32) (generation uint32, worker int, ok bool) {
	peers := s.peers.Load()
	if peers == nil {
		return 0, 0, false
	}
	return peers.look(nodeID)
}

// again sends what that worker has refused, as destID is not there, to where it has
// moved.
func (s *Server) again(worker, destID uint32, frame []byte) bool {
	_, now, ok := s.look(destID)
	return ok && uint32(now) != worker && s.WriteFrame(destID, frame)
}

// send gives a message to the channel of the worker that has the node.  If there is
// none that takes it, the node may have moved since we looked, or the beacon has just
// told of that worker: another goroutine reads that, and is waited for, for a moment
// and not by every caller if it does not come.
func (s *Server) send(kind, node uint32, data []byte) bool {
	var end time.Time
	for last := -1; ; {
		generation, worker, ok := s.look(node)
		if !ok || worker >= workersMax {
			return false
		}
		if kind != typeClose {
			generation = 0
		}
		c := s.channels[worker].Load()
		if c != nil && c.add(kind, node, generation, data) {
			return true
		}
		if c != nil && c.takes() {
			s.log("worker %d does not take what waits for it", worker)
			return false
		}
		now := time.Now()
		if last == -1 {
			end = now.Add(waitNews)
		}
		switch {
		case now.After(end):
			s.inVain.Store(now.Add(time.Second).UnixNano())
			return false
		case worker != last:
			last = worker
		case now.UnixNano() < s.inVain.Load():
			return false
		default:
			time.Sleep(time.Millisecond)
		}
	}
}

// log is for what others can cause: once a second at the most.
func (s *Server) log(format string, args ...any) {
	now := time.Now().Unix()
	if last := s.logged.Load(); last != now && s.logged.CompareAndSwap(last, now) {
		log.Printf("wss: "+format, args...)
	}
}

func isClose(code uint16, reason string) bool {
	return len(reason) <= 123 && utf8.ValidString(reason) &&
		strings.IndexByte(reason, 0) == -1 &&
		(code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 ||
			code >= 3000 && code <= 4999)
}
