/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

/*
 * The client of the registry: auth as a whole, and the input as its parent, a
 * worker and a registry that says what it likes, in either framing.  Each login
 * has one end, in time; nobody is in by a key that the registry has not given
 * for that node; it is not asked more than the budget allows.
 */
#include <fcntl.h>

#include "regress/fuzz/fuzz.h"
#include "regress/fuzz/loop.h"
#include "regress/fuzz/registry_side.h"
#include "regress/unit/auth/ends.h"

#define LOGINS 128U
#define OPS    200

enum { WAITS, ENDED };

static struct {
	uint32_t node;
	uint32_t who; /* which key it was signed with */
	uint32_t epoch;
	int state;
} logins[LOGINS];
static uint32_t nlogins, epoch = 9;
static uint32_t given, ended; /* connections */

int __wrap_crypto_sign_verify_detached(const unsigned char *,
    const unsigned char *, unsigned long long, const unsigned char *);

/* A signature is the key that it was made with: see login(). */
int
__wrap_crypto_sign_verify_detached(const unsigned char *sig,
    const unsigned char *text, unsigned long long len, const unsigned char *key)
{
	return (memcmp(sig, key, PROTO_KEY_LEN) == 0 ? 0 : -1);
}

/* The end of a login; there is no other. */
static void
end_of(uint32_t i, uint32_t serial)
{
	REQUIRE(i < nlogins && serial == i);
	REQUIRE(logins[i].state == WAITS && logins[i].epoch == epoch);
	logins[i].state = ENDED;
}

static void
hear_admit(void)
{
	struct msg_admit msg;

	REQUIRE(imsg_get_data(&imsg, &msg, sizeof(msg)) == 0);
	REQUIRE(msg.worker == 3 && msg.epoch == epoch);
	end_of(msg.slot, msg.serial);
	REQUIRE(msg.node == logins[msg.slot].node);
	REQUIRE(msg.keyid == keycache_id(side_keys[logins[msg.slot].who]));
	REQUIRE(side_said[msg.node][logins[msg.slot].who]);
}

static void
hear_end(void)
{
	struct msg_registry_end msg;

	REQUIRE(imsg_get_data(&imsg, &msg, sizeof(msg)) == 0);
	REQUIRE(msg.serial == ++ended && ended <= given);
	REQUIRE(msg.reason <= REGISTRY_DROPPED);
	if (ended == given)
		side_close();
}

static void
hear_parent(void)
{
	REQUIRE(imsgbuf_read(&parent) == 1);
	while (imsgbuf_get(&parent, &imsg) == 1)
		switch (imsg_get_type(&imsg)) {
		case AP_ADMIT:
			hear_admit();
			break;
		case AP_REGISTRY:
			hear_end();
			break;
		default:
			REQUIRE(imsg_get_type(&imsg) == AP_STATUS ||
				imsg_get_type(&imsg) == AP_BEACON ||
				imsg_get_type(&imsg) == AP_READY);
		}
}

static void
hear_worker(void)
{
	struct msg_refused msg;

	REQUIRE(imsgbuf_read(&worker) == 1);
	while (imsgbuf_get(&worker, &imsg) == 1) {
		if (imsg_get_type(&imsg) == AW_NONCES) {
			memcpy(&first_nonce, imsg.data, sizeof(first_nonce));
			continue;
		}
		REQUIRE(imsg_get_type(&imsg) == AW_REFUSED);
		REQUIRE(imsg_get_data(&imsg, &msg, sizeof(msg)) == 0);
		end_of(msg.slot, msg.serial);
	}
}

void
side_wait(void)
{
	int i;

	for (i = 0; i < 4; i++) {
		loop_quiet(40);
		hear_worker();
		hear_parent();
		side_hear();
	}
}

static void
login(struct input *in)
{
	struct msg_nonces_wanted wanted;
	struct msg_verify msg;

	if (nlogins == LOGINS)
		return;
	wanted.count = 1;
	REQUIRE(put(&worker, WA_NONCES, -1, &wanted, sizeof(wanted)));
	side_wait();
	logins[nlogins].node = input_u8(in) % SIDE_NODES + 1;
	logins[nlogins].who = input_u8(in) % 2;
	logins[nlogins].epoch = epoch;
	logins[nlogins].state = WAITS;
	memset(&msg, 0, sizeof(msg));
	msg.slot = msg.serial = nlogins;
	msg.nonce = first_nonce;
	msg.node = logins[nlogins].node;
	msg.ts = clock_wall();
	memcpy(msg.sig, side_keys[logins[nlogins].who], PROTO_KEY_LEN);
	nlogins++;
	REQUIRE(put(&worker, WA_VERIFY, -1, &msg, sizeof(msg)));
}

/* The parent has dialed; it may have before the last one has ended. */
static void
dial(struct input *in)
{
	struct msg_registry msg;

	memset(&msg, 0, sizeof(msg));
	msg.address = input_u8(in) % 2;
	msg.serial = ++given;
	REQUIRE(put(&parent, PA_REGISTRY, side_dial(), &msg, sizeof(msg)));
}

/* The worker is another now; nobody hears what its logins came to. */
static void
another_worker(void)
{
	hang_up(&worker);
	REQUIRE(put_worker(++epoch));
}

static void
conf(uint32_t rate, int enroll)
{
	struct msg_registry_conf msg;

	memset(&msg, 0, sizeof(msg));
	msg.rate = rate;
	msg.burst = SIDE_BURST;
	msg.refresh = 2;
	msg.stale = 20;
	msg.grace = 5;
	msg.enroll = (uint32_t)enroll;
	msg.beacon_id = 7;
	msg.port = 9001;
	(void)strlcpy(msg.host, "b.example", sizeof(msg.host));
	REQUIRE(put(&parent, PA_REGISTRY_CONF, -1, &msg, sizeof(msg)));
	side_wait();
}

static void
operate(struct input *in)
{
	const uint8_t *data;
	size_t len;

	switch (input_u8(in) % 12) {
	case 0:
	case 1:
		login(in);
		break;
	case 2:
	case 3:
	case 4:
		side_answer(in);
		break;
	case 5:
		side_found(
		    input_u8(in) % (SIDE_NODES + 2), pk, PROTO_KEY_LEN, 0);
		break;
	case 6:
		data = input_bytes(in, input_u8(in), &len);
		side_say(data, len);
		break;
	case 7:
		dial(in);
		break;
	case 8:
		if (input_u8(in) % 2 == 0)
			side_shut();
		else
			side_close();
		break;
	case 9:
		fuzz_pass(input_u8(in));
		break;
	case 10:
		fuzz_pass(100U * input_u8(in));
		break;
	case 11:
		another_worker();
		break;
	}
	side_wait();
}

static void
nothing_waits(void)
{
	uint32_t i;

	for (i = 0; i < nlogins; i++)
		REQUIRE(logins[i].state == ENDED || logins[i].epoch != epoch);
	REQUIRE(auth.lookups.nwaiting == 0 && auth.lookups.nready == 0);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int null;

	/* What is logged goes there, and not to what is opened next. */
	null = open("/dev/null", O_WRONLY);
	REQUIRE(null != -1 && dup2(null, LOG_CHILD_FD) != -1);
	log_init("auth", fuzz_log_target());
	REQUIRE(ends_init() == 0);
	side_keys[0] = pk;
	side_keys[1] = pk2;
	from_parent_open(&auth, channel_to(&parent));
	REQUIRE(put_hello(BEACOND_VERSION) && put_settings(0));
	REQUIRE(put_memory(PA_MAP, 0));
	REQUIRE(put_memory(PA_COUNTERS, COUNTERS_BYTES));
	REQUIRE(put_worker(epoch) && put(&parent, PA_START, -1, NULL, 0));
	side_wait();
	REQUIRE(auth.ready);
	return (0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in;
	int i;

	in.data = data;
	in.size = size;
	nlogins = 0;
	fuzz_descriptors_mark();
	side_begin();
	conf(SIDE_RATE, input_u8(&in) % 2);
	for (i = 0; i < OPS && in.size > 0; i++)
		operate(&in);
	fuzz_pass(LOOKUP_PATIENCE * 1000 + 100);
	side_wait();
	nothing_waits();
	/* All of it is forgotten with the registry. */
	conf(0, 0);
	REQUIRE(auth.store.learned.count == 0 && ended == given);
	REQUIRE(
	    lookup_idle(&auth.lookups) && auth.lookups.count[LOOKUP_SENT] == 0);
	fuzz_descriptors_check();
	fuzz_pass(40000);
	side_wait();
	return (0);
}
