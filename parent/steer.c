/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <sys/random.h>
#include <sys/socket.h>

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/steer.h"
#include "parent/inherit.h"
#include "parent/parent.h"

/*
 * The sockets of one address form a group, numbered as they were bound; the
 * kernel asks the program below which of them a datagram is for.  The first
 * ones are the workers', in their order; those that a service manager has
 * opened beyond that get nothing then.
 *
 * What the program reads is the IP header of the whole datagram (fragments are
 * put together before), and its payload.
 */
#define STEER_SYNC   0x07       /* type of a packet, doc/protocol.md 4 */
#define STEER_NOBODY UINT32_MAX /* the kernel chooses as if there were none */
#define STEER_NET    ((uint32_t)SKF_NET_OFF) /* where the IP header begins */
#define STEER_HASH   0                       /* cell of the program's memory */
#define STEER_LENGTH 80                      /* instructions, at most */

/* Before it is relied upon, it is tried with datagrams to ourselves. */
#define STEER_TRIES   3
#define STEER_RESIZED 10  /* seconds in which earlier words may come */
#define STEER_WAIT    100 /* milliseconds for one of them to arrive */
#define STEER_READS   65536
#define STEER_TOKEN   16

static const uint8_t steer_loopback4[16] = { [10] = 0xff, 0xff, 127, 0, 0, 1 };

struct steer_program {
	struct sock_filter code[STEER_LENGTH];
	uint16_t length;
};

static void
steer_emit(struct steer_program *p, uint16_t code, uint32_t k)
{
	struct sock_filter *insn;

	insn = &p->code[p->length++];
	memset(insn, 0, sizeof(*insn));
	insn->code = code;
	insn->k = k;
}

/* Goes on if A is k, and is to be told where to go if not, or vice versa. */
static struct sock_filter *
steer_if(struct steer_program *p, uint32_t k)
{
	steer_emit(p, BPF_JMP | BPF_JEQ | BPF_K, k);
	return (&p->code[p->length - 1]);
}

/* To the next instruction, from one of steer_if(). */
static uint8_t
steer_here(const struct steer_program *p, const struct sock_filter *from)
{
	return ((uint8_t)(&p->code[p->length] - from - 1));
}

/* As in common/steer.c: A is the word, X the hash; X is the new one. */
static void
steer_mix(struct steer_program *p)
{
	steer_emit(p, BPF_ALU | BPF_XOR | BPF_X, 0);
	steer_emit(p, BPF_ALU | BPF_MUL | BPF_K, STEER_FACTOR);
	steer_emit(p, BPF_MISC | BPF_TAX, 0);
	steer_emit(p, BPF_ALU | BPF_RSH | BPF_K, STEER_SHIFT);
	steer_emit(p, BPF_ALU | BPF_XOR | BPF_X, 0);
	steer_emit(p, BPF_MISC | BPF_TAX, 0);
}

/* The source's address: so many words, so far into the IP header. */
static void
steer_address(struct steer_program *p, uint32_t offset, int words)
{
	for (; words > 0; words--, offset += 4) {
		steer_emit(p, BPF_LD | BPF_W | BPF_ABS, STEER_NET + offset);
		steer_mix(p);
	}
}

/* A is the source's port: behind an IPv4 header with any options. */
static void
steer_port4(struct steer_program *p)
{
	steer_emit(p, BPF_LDX | BPF_B | BPF_MSH, STEER_NET);
	steer_emit(p, BPF_LD | BPF_H | BPF_IND, STEER_NET);
}

/*
 * The same, behind an IPv6 header.  Nobody sends UDP with extension headers; a
 * datagram that has some arrives, but is not believed.
 */
static void
steer_port6(struct steer_program *p)
{
	steer_emit(p, BPF_LD | BPF_B | BPF_ABS,
	    STEER_NET + offsetof(struct ip6_hdr, ip6_nxt));
	steer_if(p, IPPROTO_UDP)->jt = 1;
	steer_emit(p, BPF_RET | BPF_K, STEER_NOBODY);
	steer_emit(p, BPF_LD | BPF_H | BPF_ABS,
	    STEER_NET + (uint32_t)sizeof(struct ip6_hdr));
}

/* All of it but a Sync's hash has the port, too. */
static void
steer_rest(struct steer_program *p, void (*port)(struct steer_program *),
    uint32_t nworkers)
{
	struct sock_filter *sync;

	steer_emit(p, BPF_STX, STEER_HASH);
	steer_emit(p, BPF_LD | BPF_B | BPF_ABS, 0);
	sync = steer_if(p, STEER_SYNC);
	port(p);
	steer_emit(p, BPF_LDX | BPF_MEM, STEER_HASH);
	steer_mix(p);
	sync->jt = steer_here(p, sync);
	steer_emit(p, BPF_MISC | BPF_TXA, 0);
	steer_emit(p, BPF_ALU | BPF_MOD | BPF_K, nworkers);
	steer_emit(p, BPF_RET | BPF_A, 0);
}

/*
 * Gives the group of this socket its program.  Returns 0, or -1 with errno.
 */
static int
steer_attach(int fd, uint32_t key, uint32_t nworkers)
{
	struct steer_program p;
	struct sock_filter *v4;
	struct sock_fprog prog;

	memset(&p, 0, sizeof(p));
	steer_emit(&p, BPF_LDX | BPF_IMM, key);
	steer_emit(&p, BPF_LD | BPF_B | BPF_ABS, STEER_NET);
	steer_emit(&p, BPF_ALU | BPF_AND | BPF_K, 0xf0);
	v4 = steer_if(&p, IPVERSION << 4);
	steer_address(&p, offsetof(struct ip, ip_src), 1);
	steer_rest(&p, steer_port4, nworkers);
	v4->jf = steer_here(&p, v4);
	steer_address(&p, offsetof(struct ip6_hdr, ip6_src), 4);
	steer_rest(&p, steer_port6, nworkers);
	prog.len = p.length;
	prog.filter = p.code;
	return (setsockopt(
	    fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog, sizeof(prog)));
}

/* Takes what has come to fd, until it is the token.  Returns 1 if it was. */
static int
steer_read(int fd, const uint8_t token[STEER_TOKEN])
{
	uint8_t data[STEER_TOKEN + 1];
	ssize_t n;
	int i;

	for (i = 0; i < STEER_READS; i++) {
		n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
		if (n == -1 && errno != EINTR)
			break;
		if (n == STEER_TOKEN && memcmp(data, token, STEER_TOKEN) == 0)
			return (1);
	}
	return (0);
}

/* Does a datagram from `from` to where that is bound itself come to fd? */
static int
steer_arrives(
    int from, const struct sockaddr_storage *to, socklen_t len, int fd)
{
	uint8_t token[STEER_TOKEN];
	struct pollfd pfd;
	int try;

	for (try = 0; try < STEER_TRIES; try++) {
		if (getrandom(token, sizeof(token), 0) != sizeof(token))
			return (0);
		token[0] = 0;
		/* There must be room; another key steered what was there. */
		(void)steer_read(fd, token);
		if (sendto(from, token, sizeof(token), 0, (const void *)to,
			len) == -1)
			return (0);
		pfd.fd = fd;
		pfd.events = POLLIN;
		if (poll(&pfd, 1, STEER_WAIT) == 1 && steer_read(fd, token))
			return (1);
	}
	return (0);
}

/*
 * Is worker i's socket the i-th of its group, and is the program's result the
 * same as ours?  ss is an address of the group, from which it can be reached
 * too; each i is tried with a key by which just this datagram comes there.
 * Returns NULL, or what is wrong.
 */
static const char *
steer_try(const struct listener *listener, uint32_t nworkers,
    const struct sockaddr_storage *ss)
{
	uint32_t i, key;
	uint8_t addr[16];
	uint16_t port;

	port = address_of(ss, addr);
	for (i = 0; i < nworkers; i++) {
		key = 0;
		while (steer_worker(key, nworkers, addr, port) != i)
			key++;
		if (steer_attach(listener->fds[0], key, nworkers) == -1)
			return (strerror(errno));
		if (!steer_arrives(listener->fds[0], ss, listener->sslen,
			listener->fds[i]))
			return ("a datagram did not come where it should");
	}
	return (NULL);
}

/* As steer_try(), wherever the group can be reached from here. */
static const char *
steer_works(const struct listener *listener, uint32_t nworkers)
{
	struct sockaddr_storage ss;
	struct sockaddr_in6 *sin6;
	struct sockaddr_in *sin;
	const char *reason;

	ss = listener->ss;
	sin = (void *)&ss;
	sin6 = (void *)&ss;
	if (ss.ss_family == AF_INET) {
		if (sin->sin_addr.s_addr == htonl(INADDR_ANY))
			sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return (steer_try(listener, nworkers, &ss));
	}
	if (!IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr))
		return (steer_try(listener, nworkers, &ss));
	sin6->sin6_addr = in6addr_loopback;
	reason = steer_try(listener, nworkers, &ss);
	if (reason == NULL)
		return (NULL);
	/* This machine may have no IPv6 address at all. */
	memcpy(&sin6->sin6_addr, steer_loopback4, sizeof(steer_loopback4));
	return (steer_try(listener, nworkers, &ss));
}

static void
steer_detach(const struct listener *listener)
{
	int i, none;

	none = 0;
	for (i = 0; i < listener->nfds; i++)
		if (listener->fds[i] != -1)
			(void)setsockopt(listener->fds[i], SOL_SOCKET,
			    SO_DETACH_REUSEPORT_BPF, &none, sizeof(none));
}

/*
 * Has the kernel choose the worker for each datagram that comes to listener.
 * Returns NULL, or why it does not, and chooses as it likes.
 */
static const char *
steer_listener(const struct listener *listener, uint32_t key, uint32_t nworkers)
{
	const char *reason;

	reason = steer_works(listener, nworkers);
	if (reason == NULL &&
	    steer_attach(listener->fds[0], key, nworkers) == -1)
		reason = strerror(errno);
	return (reason);
}

static void
steer_stop(struct parent *parent)
{
	const struct listener *listener;

	parent->steered = 0;
	parent->unsteered = 1;
	TAILQ_FOREACH(listener, &parent->listeners, entry)
		if (listener->kind == LISTENER_UDP)
			steer_detach(listener);
}

/* What cannot be steered on all of them is not relied upon at all. */
static void
steer_one(struct parent *parent, const struct listener *listener)
{
	char text[LISTEN_TEXT];
	const char *reason;

	if (listener->kind != LISTENER_UDP || parent->unsteered)
		return;
	parent->steered = 1;
	if (parent->nworkers == 1)
		return;
	reason = steer_listener(listener, parent->steer_key, parent->nworkers);
	if (reason == NULL)
		return;
	listen_text(&listener->ss, text);
	log_warnx("%s: datagrams are not steered by their source (%s), so any "
		  "worker's word about any source is taken",
	    text, reason);
	steer_stop(parent);
}

/*
 * As the last parent did it: which number a socket has is known, and there may
 * be datagrams in it, so nothing is tried.  It may still be at work itself.
 */
static void
steer_as_before(struct parent *parent)
{
	const struct listener *listener;

	parent->steer_key = parent->successor.steer_key;
	parent->steered = parent->successor.steered;
	parent->unsteered = !parent->steered;
	TAILQ_FOREACH(listener, &parent->listeners, entry)
		if (!listener->left)
			steer_one(parent, listener);
}

/* It is not at work any more, and there may be another number of workers. */
void
steer_on(struct parent *parent)
{
	if (parent->nworkers != parent->successor.nworkers)
		steer_again(parent);
}

/* At start, when the sockets are there and nobody reads them yet. */
void
steer_all(struct parent *parent)
{
	const struct listener *listener;

	if (parent->successor.pending) {
		steer_as_before(parent);
		return;
	}
	if (getrandom(&parent->steer_key, sizeof(parent->steer_key), 0) !=
	    sizeof(parent->steer_key))
		fatal("getrandom");
	TAILQ_FOREACH(listener, &parent->listeners, entry)
		steer_one(parent, listener);
}

/*
 * Those that a reload has bound, likewise.  The key stays: what was steered to
 * a worker is steered to it still.  The caller tells the workers.
 */
void
steer_more(struct parent *parent)
{
	const struct listener *listener;

	TAILQ_FOREACH(listener, &parent->listeners, entry)
		if (listener->fresh)
			steer_one(parent, listener);
}

/*
 * There is another number of workers.  Those that are new have sockets which
 * were bound behind the others, in their order.  Which number a socket of the
 * service manager has cannot be tried any more: there are datagrams in it.
 */
void
steer_again(struct parent *parent)
{
	const struct listener *listener;

	TAILQ_FOREACH(listener, &parent->listeners, entry) {
		if (!parent->steered || listener->kind != LISTENER_UDP ||
		    listener->fresh)
			continue;
		if (inherit_has(listener->fds[0]) ||
		    steer_attach(listener->fds[0], parent->steer_key,
			parent->nworkers) == -1)
			steer_no_more(parent);
	}
}

/*
 * A socket is lost, and with it the order of the others.  The caller tells the
 * workers.
 */
void
steer_no_more(struct parent *parent)
{
	steer_stop(parent);
	log_warnx("datagrams are not steered by their source any more, so any "
		  "worker's word about any source is taken");
}

/* Can this worker have heard that source?  port 0: by a Sync. */
int
steer_reaches(
    const struct process *worker, const uint8_t addr[16], uint32_t port)
{
	const struct parent *parent;

	parent = worker->parent;
	if (!parent->steered ||
	    steer_worker(parent->steer_key, parent->nworkers, addr, port) ==
		place_share(worker->place))
		return (1);
	/* It may have been read before there was another number of workers. */
	return (parent->nsteered != parent->nworkers &&
		clock_seconds() - parent->resized < STEER_RESIZED &&
		steer_worker(parent->steer_key, parent->nsteered, addr, port) ==
		    place_share(worker->place));
}
