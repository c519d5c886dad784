// Copyright (c) 2026 The beacond authors
// SPDX-License-Identifier: ISC

package wss

import (
	"errors"
	"math/bits"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

const (
	mapSize  = 83894272
	mapMagic = 0x62656d32

	mapIndex   = 24
	mapCount   = 28
	mapHalf0   = 8192
	mapHalf1   = 8396800
	mapEntries = 16785408
	entrySize  = 64
	entryMost  = 1048576
)

// peerMap is where each node is: memory that the beacon writes.
type peerMap struct {
	bytes  []byte
	k0, k1 uint64
}

// newPeerMap maps a descriptor, and closes it.
func newPeerMap(fd int) (*peerMap, error) {
	defer syscall.Close(fd)
	bytes, err := syscall.Mmap(fd, 0, mapSize, syscall.PROT_READ,
		syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	p := &peerMap{bytes: bytes, k0: get64(bytes[8:]), k1: get64(bytes[16:])}
	if p.load(0) != mapMagic {
		_ = syscall.Munmap(bytes)
		return nil, errors.New("the peer map has another layout")
	}
	// When nobody looks at it any more.
	runtime.SetFinalizer(p, func(p *peerMap) { _ = syscall.Munmap(p.bytes) })
	return p, nil
}

func (p *peerMap) load(at uint32) uint32 {
	return atomic.LoadUint32((*uint32)(unsafe.Pointer(&p.bytes[at])))
}

func (p *peerMap) count() int {
	defer runtime.KeepAlive(p)
	return int(p.load(mapCount))
}

// look returns the session of a node, if it has one, and its worker.
func (p *peerMap) look(node uint32) (generation uint32, worker int, ok bool) {
	defer runtime.KeepAlive(p)
	if node == 0 {
		return 0, 0, false
	}
	place := p.place(node)
	for {
		index := p.load(mapIndex)
		generation, worker, found := p.search(node, place, index)
		if found {
			return generation, worker, generation != 0
		}
		if p.load(mapIndex) == index {
			return 0, 0, false
		}
	}
}

func (p *peerMap) place(node uint32) uint32 {
	x := fold((uint64(node) ^ p.k0), p.k1|1)
	return uint32(fold(x^p.k1, 0x9e3779b97f4a7c15))
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

func (p *peerMap) search(node, place, index uint32) (uint32, int, bool) {
	half := uint32(mapHalf0)
	if index&1 != 0 {
		half = mapHalf1
	}
	mask := uint32(1)<<(index>>1&31) - 1
	for i := uint32(0); i <= mask; i++ {
		number := p.load(half + 4*((place+i)&mask))
		if number == 0 {
			break
		}
		if number > entryMost {
			continue
		}
		found, generation, worker := p.entry(mapEntries +
			entrySize*(number-1))
		if found == node {
			return generation, worker, true
		}
	}
	return 0, 0, false
}

// entry reads one, all of one moment.
func (p *peerMap) entry(at uint32) (node, generation uint32, worker int) {
	for {
		seq := p.load(at)
		if seq&1 != 0 {
			continue
		}
		node, generation = p.load(at+4), p.load(at+8)
		word := p.load(at + 16)
		if p.load(at) == seq {
			return node, generation, int((*[4]byte)(unsafe.Pointer(&word))[0])
		}
	}
}
