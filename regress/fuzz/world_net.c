/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <linux/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/counters.h"
#include "regress/fuzz/loop.h"
#include "regress/fuzz/world.h"
#include "worker/packet.h"

/*
 * Listener and UDP sockets are files that nothing is ever read from: the calls
 * that would are taken here.  Clients are offered one by one; datagrams go
 * to and from a few addresses, and there is nothing else to send to.
 */
enum file {
	FILE_LISTENER,
	FILE_PROXIED, /* a listener for the PROXY protocol */
	FILE_UDP4,
	FILE_UDP6,
	FILE_SHARE,
	FILES
};

/* As <netinet/tcp.h> has them, which does not go with that of the kernel. */
#define STATE_ESTABLISHED 1
#define STATE_LISTEN      10

#define OFFERS      CLIENTS
#define DATAGRAMS   64
#define FDS         256
#define SENDMSG_MAX 1024 /* pieces, IOV_MAX */

struct offer {
	int fd;
	enum file file;
	uint16_t port;
	uint8_t addr[16];
};

struct datagram {
	uint32_t source;
	size_t len;
	uint8_t data[UINT16_MAX];
};

struct queue {
	struct datagram *list[DATAGRAMS];
	uint32_t n;
};

static struct {
	ino_t inodes[FILES];
	int fds[FILES]; /* as the worker has them */
	struct offer offers[OFFERS];
	uint32_t noffers;
	uint64_t accepted;
	uint64_t sent; /* how often anybody has, with sendmsg(2) */
	struct queue in[FILES];
	uint64_t acked[FDS];
	uint8_t session[FDS]; /* boolean: a client is at the other end */
	int cut;
	size_t little; /* most bytes that a session's socket takes at once */
	uint32_t room; /* messages that are still taken; mood 1 */
	uint8_t mood;
} net;

static struct datagram datagrams[FILES][DATAGRAMS];

static const struct source {
	uint8_t addr[16];
	uint16_t port;
} sources[SOURCES] = {
	{ { [10] = 0xff, 0xff, 192, 0, 2, 1 }, 5000 },
	{ { [10] = 0xff, 0xff, 192, 0, 2, 1 }, 5001 },
	{ { [10] = 0xff, 0xff, 192, 0, 2, 2 }, 5000 },
	{ { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, 5000 },
	{ { [10] = 0xff, 0xff, 198, 51, 100, 1 }, 9001 },
	{ { 0x20, 0x01, 0x0d, 0xb8, [15] = 2 }, 9001 },
};

ssize_t __real_send(int, const void *, size_t, int);
ssize_t __real_sendmsg(int, const struct msghdr *, int);
int __real_getsockname(int, struct sockaddr *, socklen_t *);
int __real_getsockopt(int, int, int, void *, socklen_t *);
ssize_t __real_sendto(
    int, const void *, size_t, int, const struct sockaddr *, socklen_t);
int __wrap_accept4(int, struct sockaddr *, socklen_t *, int);
int __wrap_getsockname(int, struct sockaddr *, socklen_t *);
int __wrap_getsockopt(int, int, int, void *, socklen_t *);
int __wrap_recvmmsg(int, struct mmsghdr *, unsigned, int, struct timespec *);
int __wrap_sendmmsg(int, struct mmsghdr *, unsigned, int);
ssize_t __wrap_send(int, const void *, size_t, int);
ssize_t __wrap_sendmsg(int, const struct msghdr *, int);
ssize_t __wrap_sendto(
    int, const void *, size_t, int, const struct sockaddr *, socklen_t);

/* Which of our files the worker has as fd; FILES: none. */
static int
file_of(int fd)
{
	int i;

	for (i = 0; i < FILES; i++)
		if (net.fds[i] == fd)
			break;
	return (i);
}

/* Is fd one of our files, as the worker has it? */
static void
recognize(int fd)
{
	struct stat st;
	int i;

	if (fstat(fd, &st) == -1)
		return;
	for (i = 0; i < FILES; i++)
		if (st.st_ino == net.inodes[i] && net.fds[i] == -1) {
			net.fds[i] = fd;
			loop_ready(fd, i < FILE_UDP4 ? 0 : EV_WRITE);
		}
}

static void
give(enum file file, uint32_t type, const void *msg, size_t len)
{
	struct stat st;
	int fd;

	fd = memfd_create("net", MFD_CLOEXEC);
	REQUIRE(fd != -1 && fstat(fd, &st) == 0);
	net.inodes[file] = st.st_ino;
	world_tell(type, fd, msg, len);
	loop_quiet(10);
	for (fd = 0; fd < FDS && net.fds[file] == -1; fd++)
		recognize(fd);
	REQUIRE(net.fds[file] != -1);
}

static void
closed(int fd)
{
	net.session[(unsigned)fd % FDS] = 0;
}

/* Trusted is this machine, as without a word of the configuration. */
static void
proxies(void)
{
	struct msg_address msg;

	memset(&msg, 0, sizeof(msg));
	msg.addr[10] = msg.addr[11] = 0xff;
	msg.addr[12] = 127;
	msg.prefix = 96 + 8;
	world_tell(PW_PROXY, -1, &msg, sizeof(msg));
	msg.prefix = PROTO_PREFIX_NONE;
	world_tell(PW_PROXY, -1, &msg, sizeof(msg));
}

/* Once: a listener, UDP for IPv4 and IPv6, a further port for gossip. */
void
net_start(void)
{
	struct msg_listener web;
	struct msg_udp udp;
	struct msg_beacon beacon;
	uint16_t port;
	uint32_t i;

	fuzz_on_close = closed;
	for (i = 0; i < FILES; i++)
		net.fds[i] = -1;
	memset(&web, 0, sizeof(web));
	give(FILE_LISTENER, PW_LISTENER, &web, sizeof(web));
	web.proxy_protocol = 1;
	give(FILE_PROXIED, PW_LISTENER, &web, sizeof(web));
	proxies();
	udp.kind = UDP_LISTENER;
	udp.share = 0;
	for (udp.listener = 0; udp.listener < 2; udp.listener++)
		give(FILE_UDP4 + udp.listener, PW_UDP, &udp, sizeof(udp));
	udp.kind = UDP_SHARE;
	udp.listener = 0;
	udp.share = 1;
	give(FILE_SHARE, PW_UDP, &udp, sizeof(udp));
	for (i = SOURCE_BEACON; i < SOURCES; i++) {
		memset(&beacon, 0, sizeof(beacon));
		net_source(i, beacon.addr, &port);
		beacon.port = port;
		beacon.listener = PROTO_LISTENER_ANY;
		beacon.number = i - SOURCE_BEACON;
		world_tell(PW_BEACON, -1, &beacon, sizeof(beacon));
	}
}

void
net_source(uint32_t i, uint8_t addr[16], uint16_t *port)
{
	memcpy(addr, sources[i % SOURCES].addr, 16);
	*port = sources[i % SOURCES].port;
}

static void
readiness(int file)
{
	int events;

	events = net.in[file].n > 0 ? EV_READ : 0;
	if ((net.mood & 1) == 0 || net.room > 0)
		events |= EV_WRITE;
	loop_ready(net.fds[file], events);
}

/* How the kernel treats what is sent: bits, and how much it still takes. */
void
net_mood(uint8_t mood)
{
	int i;

	net.mood = mood & 7;
	net.room = mood >> 3;
	for (i = FILE_UDP4; i < FILES; i++)
		readiness(i);
}

/* From now on a write to a client is cut off behind so many bytes; 0: not. */
void
net_little(size_t most)
{
	net.little = most;
	net.cut |= most != 0;
}

/* Was it so at any time in this run? */
int
net_has_cut(void)
{
	return (net.cut);
}

/*
 * A client wants to be accepted, where the PROXY protocol is spoken perhaps; fd
 * is the worker's end of it.
 */
void
net_offer(int fd, const uint8_t addr[16], uint16_t port, int proxied)
{
	struct offer *offer;

	if (net.noffers == OFFERS) {
		(void)close(fd);
		return;
	}
	offer = &net.offers[net.noffers++];
	offer->fd = fd;
	offer->file = proxied ? FILE_PROXIED : FILE_LISTENER;
	offer->port = port;
	memcpy(offer->addr, addr, 16);
	net.acked[fd % FDS] = 0;
	loop_ready(net.fds[offer->file], EV_READ);
}

/* The worker has a client at the other end of fd. */
void
net_session(int fd)
{
	net.session[fd % FDS] = 1;
}

/* Grows whenever a channel may have something to be read. */
uint64_t
net_sent(void)
{
	return (net.sent);
}

uint64_t
net_accepted(void)
{
	return (net.accepted);
}

static socklen_t
fill_address(void *sa, const uint8_t addr[16], uint16_t port)
{
	struct sockaddr_in6 sin6;
	struct sockaddr_in sin;

	if (memcmp(addr, sources[0].addr, 12) == 0) {
		memset(&sin, 0, sizeof(sin));
		sin.sin_family = AF_INET;
		sin.sin_port = htons(port);
		memcpy(&sin.sin_addr, addr + 12, 4);
		memcpy(sa, &sin, sizeof(sin));
		return (sizeof(sin));
	}
	memset(&sin6, 0, sizeof(sin6));
	sin6.sin6_family = AF_INET6;
	sin6.sin6_port = htons(port);
	memcpy(&sin6.sin6_addr, addr, 16);
	memcpy(sa, &sin6, sizeof(sin6));
	return (sizeof(sin6));
}

int
__wrap_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	struct offer offer;
	uint32_t i;

	REQUIRE(file_of(fd) < FILE_UDP4);
	REQUIRE(flags == (SOCK_NONBLOCK | SOCK_CLOEXEC));
	for (i = 0; i < net.noffers; i++)
		if ((int)net.offers[i].file == file_of(fd))
			break;
	if (i == net.noffers) {
		loop_ready(fd, 0);
		errno = EAGAIN;
		return (-1);
	}
	if (net.mood & 4) {
		net.mood &= ~4;
		errno = net.room & 1 ? EMFILE : ECONNABORTED;
		return (-1);
	}
	offer = net.offers[i];
	memmove(&net.offers[i], &net.offers[i + 1],
	    (--net.noffers - i) * sizeof(offer));
	*len = fill_address(sa, offer.addr, offer.port);
	net.accepted++;
	net_session(offer.fd);
	return (offer.fd);
}

int
__wrap_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	recognize(fd);
	if (file_of(fd) == FILES)
		return (__real_getsockname(fd, sa, len));
	*len = fill_address(
	    sa, sources[file_of(fd) == FILE_UDP6 ? 3 : 0].addr, 9001);
	return (0);
}

/* The peer of fd has read so many bytes. */
void
net_acked(int fd, uint64_t bytes)
{
	net.acked[fd % FDS] = bytes;
}

int
__wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	struct tcp_info info;
	socklen_t sublen;
	int listens;

	if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY) {
		REQUIRE(*len == sizeof(int));
		memset(value, 1, sizeof(int));
		return (0);
	}
	if (level != IPPROTO_TCP || name != TCP_INFO)
		return (__real_getsockopt(fd, level, name, value, len));
	/* A client's socket goes for one of TCP, and nothing else does. */
	sublen = sizeof(listens);
	if (__real_getsockopt(
		fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &sublen) == -1)
		return (-1);
	memset(&info, 0, sizeof(info));
	info.tcpi_state = listens ? STATE_LISTEN : STATE_ESTABLISHED;
	info.tcpi_bytes_acked = net.acked[fd % FDS];
	if (*len > sizeof(info))
		*len = sizeof(info);
	memcpy(value, &info, *len);
	return (0);
}

/* A datagram from one of the sources comes in. */
void
net_datagram(uint32_t source, const uint8_t *bytes, size_t len)
{
	struct datagram *datagram;
	struct queue *queue;
	int file;

	source %= SOURCES;
	file = memcmp(sources[source].addr, sources[0].addr, 12) == 0
		   ? FILE_UDP4
		   : FILE_UDP6;
	queue = &net.in[file];
	if (queue->n == DATAGRAMS || len > UINT16_MAX - 28)
		return;
	datagram = &datagrams[file][queue->n++];
	datagram->source = source;
	datagram->len = len;
	memcpy(datagram->data, bytes, len);
	readiness(file);
}

int
__wrap_recvmmsg(int fd, struct mmsghdr *headers, unsigned most, int flags,
    struct timespec *timeout)
{
	const struct datagram *datagram;
	struct msghdr *hdr;
	uint32_t i, n;
	int file;

	file = file_of(fd);
	REQUIRE(file >= FILE_UDP4 && file < FILES);
	REQUIRE(flags == 0 && timeout == NULL);
	n = net.in[file].n;
	REQUIRE(n <= most);
	net.in[file].n = 0;
	readiness(file);
	for (i = 0; i < n; i++) {
		datagram = &datagrams[file][i];
		hdr = &headers[i].msg_hdr;
		REQUIRE(hdr->msg_iovlen == 1);
		REQUIRE(hdr->msg_iov->iov_len >= datagram->len);
		memcpy(hdr->msg_iov->iov_base, datagram->data, datagram->len);
		headers[i].msg_len = (unsigned)datagram->len;
		hdr->msg_namelen =
		    fill_address(hdr->msg_name, sources[datagram->source].addr,
			sources[datagram->source].port);
	}
	if (n == 0)
		errno = EAGAIN;
	return (n == 0 ? -1 : (int)n);
}

/* Which source is at that address?  There is nothing else to send to. */
static uint32_t
source_at(int file, const struct msghdr *msg)
{
	struct sockaddr_in6 sin6;
	struct sockaddr_in sin;
	uint8_t addr[16];
	uint16_t port;
	uint32_t i;

	if (file == FILE_UDP6) {
		REQUIRE(msg->msg_namelen == sizeof(sin6));
		memcpy(&sin6, msg->msg_name, sizeof(sin6));
		REQUIRE(sin6.sin6_family == AF_INET6);
		memcpy(addr, &sin6.sin6_addr, 16);
		port = ntohs(sin6.sin6_port);
	} else {
		REQUIRE(msg->msg_namelen == sizeof(sin));
		memcpy(&sin, msg->msg_name, sizeof(sin));
		REQUIRE(sin.sin_family == AF_INET);
		memcpy(addr, sources[0].addr, 12);
		memcpy(addr + 12, &sin.sin_addr, 4);
		port = ntohs(sin.sin_port);
	}
	for (i = 0; i < SOURCES; i++)
		if (sources[i].port == port &&
		    memcmp(sources[i].addr, addr, 16) == 0)
			return (i);
	REQUIRE(!"datagram to a stranger");
}

/* One datagram has left. */
static void
leaves(uint32_t to, const uint8_t *packet, size_t len)
{
	REQUIRE(len > 0);
	switch (packet[0]) {
	case PACKET_DISCOVER_REPLY:
	case PACKET_PUNCH_COMMAND:
		REQUIRE(len == 8 || len == 20);
		REQUIRE(packet[1] == len - 4);
		break;
	case PACKET_RELAY:
		REQUIRE(len >= PACKET_RELAY_LEN && to >= SOURCE_BEACON);
		ledger_got(PARTY_UDP + to, packet_u32(packet + 1),
		    packet_u32(packet + 5), packet + PACKET_RELAY_LEN,
		    len - PACKET_RELAY_LEN);
		break;
	case PACKET_DELIVER:
		REQUIRE(len >= PACKET_DELIVER_LEN);
		ledger_got(PARTY_UDP + to, packet_u32(packet + 1), 0,
		    packet + PACKET_DELIVER_LEN, len - PACKET_DELIVER_LEN);
		break;
	case PACKET_DELIVER_DEST:
		REQUIRE(len >= PACKET_DELIVER_DEST_LEN);
		ledger_got(PARTY_UDP + to, packet_u32(packet + 1),
		    packet_u32(packet + 5), packet + PACKET_DELIVER_DEST_LEN,
		    len - PACKET_DELIVER_DEST_LEN);
		break;
	case PACKET_SYNC:
		REQUIRE(len >= PACKET_SYNC_LEN && (len - 7) % 4 == 0);
		REQUIRE((size_t)(packet[5] << 8 | packet[6]) == (len - 7) / 4);
		break;
	default:
		REQUIRE(!"datagram of no known type");
	}
}

/* What sendmsg(2) does with a datagram, or with several of one size. */
static int
send_message(int file, const struct msghdr *msg)
{
	const struct cmsghdr *cmsg;
	uint16_t size;
	size_t i;

	if ((net.mood & 1) && net.room == 0) {
		errno = EAGAIN;
		return (-1);
	}
	size = 0;
	if (msg->msg_controllen > 0) {
		cmsg = CMSG_FIRSTHDR(msg);
		REQUIRE(cmsg != NULL && cmsg->cmsg_level == SOL_UDP &&
			cmsg->cmsg_type == UDP_SEGMENT);
		memcpy(&size, CMSG_DATA(cmsg), sizeof(size));
		if (net.mood & 2) {
			errno = EIO;
			return (-1);
		}
	}
	REQUIRE(size > 0 || msg->msg_iovlen == 1);
	for (i = 0; i < msg->msg_iovlen; i++) {
		REQUIRE(size == 0 || msg->msg_iov[i].iov_len == size);
		leaves(source_at(file, msg), msg->msg_iov[i].iov_base,
		    msg->msg_iov[i].iov_len);
	}
	if (net.room > 0)
		net.room--;
	readiness(file);
	return (0);
}

int
__wrap_sendmmsg(int fd, struct mmsghdr *headers, unsigned n, int flags)
{
	unsigned i;
	int file;

	file = file_of(fd);
	REQUIRE(file >= FILE_UDP4 && file < FILES && n > 0 && flags == 0);
	for (i = 0; i < n; i++)
		if (send_message(file, &headers[i].msg_hdr) == -1)
			break;
	return (i == 0 ? -1 : (int)i);
}

/* What a socket takes of len bytes that are for a client. */
static size_t
taken(int fd, size_t len)
{
	if (net.little == 0 || !net.session[fd % FDS] || len < net.little)
		return (len);
	return (net.little);
}

ssize_t
__wrap_send(int fd, const void *bytes, size_t len, int flags)
{
	return (__real_send(fd, bytes, taken(fd, len), flags));
}

static ssize_t
send_part(int fd, const struct msghdr *msg, int flags)
{
	struct iovec iov[SENDMSG_MAX];
	struct msghdr part;
	size_t i, left;

	REQUIRE(msg->msg_iovlen <= SENDMSG_MAX && msg->msg_controllen == 0);
	part = *msg;
	part.msg_iov = iov;
	left = net.little;
	for (i = 0; i < msg->msg_iovlen; i++) {
		iov[i] = msg->msg_iov[i];
		if (iov[i].iov_len > left)
			iov[i].iov_len = left;
		left -= iov[i].iov_len;
	}
	return (__real_sendmsg(fd, &part, flags));
}

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	net.sent++;
	if (file_of(fd) != FILES)
		return (send_message(file_of(fd), msg));
	if (net.little != 0 && net.session[fd % FDS])
		return (send_part(fd, msg, flags));
	return (__real_sendmsg(fd, msg, flags));
}

ssize_t
__wrap_sendto(int fd, const void *bytes, size_t len, int flags,
    const struct sockaddr *sa, socklen_t salen)
{
	struct msghdr msg;
	struct iovec iov;

	if (file_of(fd) == FILES)
		return (__real_sendto(fd, bytes, len, flags, sa, salen));
	memset(&msg, 0, sizeof(msg));
	iov.iov_base = (void *)(uintptr_t)bytes;
	iov.iov_len = len;
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_name = (void *)(uintptr_t)sa;
	msg.msg_namelen = salen;
	return (send_message(file_of(fd), &msg) == -1 ? -1 : (ssize_t)len);
}

/* A run is over: whoever was not accepted goes away. */
void
net_rest(void)
{
	net_mood(0);
	net_little(0);
	net.cut = 0;
	while (net.noffers > 0)
		(void)close(net.offers[--net.noffers].fd);
	net.accepted = 0;
}
