/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef REGRESS_BENCH_LOAD_H
#define REGRESS_BENCH_LOAD_H

#include <sys/socket.h>

#include <netinet/in.h>

#include <stddef.h>
#include <stdint.h>

/* What every payload begins with: sequence number, sender, time stamp. */
#define STAMP_LEN   16
#define PAYLOAD_MAX 65507
#define WIRE_HEAD   32 /* more than any transport puts before a payload */
#define BATCH       64 /* datagrams */

#define SECOND 1000000000ULL /* in ns */

#define PORTS_MAX 16
#define LIFETIME  600 /* seconds besides those asked for, whatever happens */

enum via { VIA_WS, VIA_TCP, VIA_UDP };

enum peer_state {
	PEER_CLOSED,
	PEER_LATER, /* was refused, and dials again when it is time */
	PEER_CONNECTING,
	PEER_UPGRADING, /* WebSocket: waits for 101 */
	PEER_CHALLENGE, /* WebSocket: waits for auth_challenge */
	PEER_HELLO,     /* waits for auth_ok, or for what the relay answers */
	PEER_OPEN
};

struct peer {
	struct peer *mate;     /* gets this peer's packets; NULL: none */
	uint8_t *in;           /* the beginning of a frame, or NULL */
	uint8_t *out;          /* what the kernel did not take, or NULL */
	const uint8_t *secret; /* Ed25519 key; NULL: no login */
	struct hist *latency;  /* of what it gets; NULL: not wanted */
	uint64_t started;      /* ns, of the (first) connect */
	uint64_t due;          /* ns, of the next one (PEER_LATER) */
	int fd;
	uint32_t node;
	uint32_t inlen;
	uint32_t outoff;
	uint32_t outlen;
	uint32_t outsize;
	uint32_t credit;   /* packets to send when that is possible again */
	uint32_t sent;     /* sequence number of the next packet */
	uint32_t received; /* sequence number expected next */
	uint32_t arrived;  /* since flow_arrived() */
	uint32_t looked;   /* sent to us, at the last look for losses */
	uint32_t forgiven; /* see peer_cut(): what may be lost is before it */
	uint8_t via;       /* enum via */
	uint8_t state;     /* enum peer_state */
	uint8_t writing;   /* boolean: EPOLLOUT is wanted */
};

#define HIST_SIZE (64 * 32)

struct hist {
	uint64_t n;
	uint64_t max;
	uint64_t bucket[HIST_SIZE];
};

enum run {
	RUN_PAIRS, /* packets between pairs of peers */
	RUN_LOGIN, /* logins, closed at once */
	RUN_IDLE,  /* logins, kept */
	RUN_KEYS   /* writes a key file */
};

/* The run.  One process, one thread, one of it. */
struct load {
	/* as the command line says */
	const char *mode;
	enum run run;
	enum via via[2]; /* of the even peers, of the odd ones */
	struct in_addr addr;
	uint16_t tcp_ports[PORTS_MAX]; /* peers go round them */
	uint32_t ntcp;
	uint16_t udp_port;
	uint32_t npeers;
	uint32_t at_once; /* logins */
	uint32_t again;   /* seconds, see peer_later(); 0: that is a failure */
	uint32_t base;    /* nodes are base + 1 and so on */
	uint32_t window;  /* packets under way in a pair */
	uint32_t size;    /* of a payload */
	uint64_t rate;    /* packets/s; 0: as the window allows */
	uint64_t seconds;
	uint64_t packets; /* to send in all; 0: no limit */
	int echo;         /* boolean: a packet sets off one the other way */
	int lives;        /* boolean: who is put out dials again */
	const char *keys_path;

	/* as it goes */
	int epfd;
	int refill;     /* boolean: a delivered packet is replaced */
	uint64_t now;   /* ns, of this wake-up */
	uint64_t limit; /* packets to send in all; 0: no limit (yet) */
	uint64_t sent;
	uint64_t delivered;
	uint64_t lost;   /* UDP only */
	uint64_t cut;    /* lost with sessions that ended */
	uint32_t opened; /* peers */
	uint32_t failed; /* peers that did not get in, or were put out */
	uint32_t later;  /* that often somebody was refused */
	uint32_t ended;  /* open sessions that ended, and were dialled again */
	uint64_t errors; /* anything wrong with what was delivered */
	struct hist latency;
	struct hist logins;
};

extern struct load load;

/* load.c */
uint64_t now_ns(void);
void peer_opened(struct peer *);
void peer_failed(struct peer *, const char *);

/* options.c */
void options_parse(int, char *[]);

/* peer.c: connections */
void peer_connect(struct peer *, uint16_t);
void peer_hello(struct peer *);
void peer_refresh(struct peer *);
void peer_close(struct peer *);
void peer_later(struct peer *);
void peer_event(struct peer *, uint32_t);
void peer_write(struct peer *, const uint8_t *, size_t);
unsigned int peer_datagrams(struct peer *, struct mmsghdr *, unsigned int);

/* login.c: how a WebSocket peer gets in */
uint8_t *login_secrets(uint32_t, uint32_t);
void login_keys(const char *, uint32_t, uint32_t);
void login_upgrade(struct peer *);
long login_upgraded(struct peer *, const uint8_t *, size_t);
int login_text(struct peer *, const uint8_t *, size_t);

/* wire.c: packets in the frames of each transport */
size_t wire_packet(struct peer *, uint8_t *, uint64_t);
size_t wire_masked(uint8_t *, int, const void *, size_t);
long wire_stream(struct peer *, uint8_t *, size_t);
int wire_datagram(struct peer *, uint8_t *, size_t);

/* flow.c: which packets there are, and what is in them */
void flow_init(void);
void flow_fill(uint8_t *, uint32_t, uint32_t, uint64_t);
void flow_delivered(struct peer *, uint32_t, const uint8_t *, size_t);
void flow_arrived(struct peer *);
void flow_send(struct peer *, uint32_t, uint64_t);
void flow_look(struct peer *);

/* hist.c: latencies */
void hist_add(struct hist *, uint64_t);
double hist_quantile(const struct hist *, unsigned int);
void hist_print(const char *, const struct hist *);

#endif /* REGRESS_BENCH_LOAD_H */
