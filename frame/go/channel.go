// Copyright (c) 2026 The beacond authors
// SPDX-License-Identifier: ISC

package wss

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"
)

const queueMax = 4 << 20 // bytes that may wait for a channel to take them

// channel leads to one worker.  One goroutine reads it, and one writes all that was
// added since it last wrote, in one call.
type channel struct {
	*stream
	worker uint32
	left   chan struct{} // closed: the worker does without, or has ended
	once   sync.Once

	saidLeft bool // by the worker; of the goroutine that reads

	mu      sync.Mutex
	work    sync.Cond // there is something to write, or idle
	queue   []byte
	writing bool
	done    bool // no WRITE and no CLOSE is taken any more
	closed  bool
}

// addChannel is for a worker that was started, or was there.  With the lock.
func (s *Server) addChannel(worker uint32, fd int) error {
	conn, err := unixConn(fd)
	if err != nil {
		return err
	}
	if worker >= workersMax {
		conn.Close()
		return fmt.Errorf("there is no worker %d", worker)
	}
	c := &channel{stream: newStream(conn, channelRules), worker: worker,
		left: make(chan struct{})}
	c.work.L = &c.mu
	if s.leaving {
		c.add(typeLeave, 0, 0, nil)
	}
	if old := s.channels[worker].Swap(c); old != nil {
		old.close()
	}
	s.running.Add(2)
	go s.read(c)
	go s.write(c)
	return nil
}

// read gives what comes to whom it is for.
func (s *Server) read(c *channel) {
	defer s.running.Done()
	for {
		m, err := c.next()
		if err != nil {
			c.close()
			c.dropFds()
			s.lost(c, err)
			return
		}
		s.happened(c, m)
	}
}

func (s *Server) happened(c *channel, m received) {
	switch m.kind {
	case typeFrame:
		// Nothing is handed on of a session that another has replaced.
		now, _, ok := s.look(m.node)
		if !ok || now == m.number {
			s.config.OnFrame(m.node, m.data)
		}
	case typeRefused:
		if Reason(m.number) == NotConnected && s.again(c.worker, m.node, m.data) {
			return
		}
		if s.config.OnRefused != nil {
			s.config.OnRefused(m.node, Reason(m.number), m.data)
		} else {
			s.log("a frame for node %d was refused: %d", m.node, m.number)
		}
	case typeCame, typeGone:
		if s.config.OnPeer != nil {
			s.config.OnPeer(m.node, m.number, m.kind == typeCame)
		}
	case typeLeft:
		// Unasked: the worker is about to end, and waits for what was written.
		if !c.saidLeft && !s.isLeaving() {
			c.takeNoMore()
			c.add(typeLeave, 0, 0, nil)
		}
		c.saidLeft = true
		c.once.Do(func() { close(c.left) })
	}
}

func (s *Server) isLeaving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaving
}

// lost waits for another channel in the place of one that ended, unless that
// worker has left.
func (s *Server) lost(c *channel, err error) {
	slot, losses := &s.channels[c.worker], &s.losses[c.worker]
	s.mu.Lock()
	alone := slot.CompareAndSwap(c, nil)
	if alone {
		*losses++
	}
	number := *losses
	s.mu.Unlock()
	if !alone || c.saidLeft {
		return // it has come already, or need not
	}
	timer := time.NewTimer(waitReplace)
	defer timer.Stop()
	select {
	case <-s.ended:
	case <-timer.C:
		s.mu.Lock()
		// If another came and ended, it is waited for anew.
		late := slot.Load() == nil && *losses == number
		s.mu.Unlock()
		if late {
			s.end(fmt.Errorf("the channel to worker %d has ended: %w",
				c.worker, err))
		}
	}
}

// write takes what was added, as long as there is a channel.
func (s *Server) write(c *channel) {
	defer s.running.Done()
	var spare []byte
	for {
		data := c.take(spare)
		if data == nil {
			return
		}
		err := c.stream.write(data)
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
			// The end is met by who reads, behind what was said before it.
			c.takeNoMore()
		} else if err != nil {
			c.close()
			return
		}
		spare = data[:0]
	}
}

// take waits for something to write; nil at the end.
func (c *channel) take(spare []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = false
	c.work.Broadcast()
	for len(c.queue) == 0 && !c.closed {
		c.work.Wait()
	}
	if c.closed {
		return nil
	}
	data := c.queue
	c.queue, c.writing = spare, true
	return data
}

// takes says if it is still written to.
func (c *channel) takes() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.done && !c.closed
}

// takeNoMore is for the end of what is written to peers.
func (c *channel) takeNoMore() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = true
}

// add queues a message; false: there is too much already, or nothing is taken any more.
// There is room for LEAVE always.
func (c *channel) add(kind, node, number uint32, data []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	full := len(c.queue)+headerSize+len(data) > queueMax
	if c.closed || (full || c.done) && kind != typeLeave {
		return false
	}
	if len(c.queue) == 0 {
		c.work.Broadcast()
	}
	c.queue = message(c.queue, kind, node, number, data)
	return true
}

// finish waits until the worker has all that was written, and takes no more.
func (c *channel) finish(late time.Time) {
	_ = c.conn.SetWriteDeadline(late)
	c.mu.Lock()
	defer c.mu.Unlock()
	for (len(c.queue) > 0 || c.writing) && !c.closed {
		c.work.Wait()
	}
	c.shut()
}

func (c *channel) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shut()
}

// shut is with the lock.
func (c *channel) shut() {
	c.closed = true
	c.once.Do(func() { close(c.left) })
	c.work.Broadcast()
	c.conn.Close()
}
