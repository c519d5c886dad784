/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>

#include "parent/control.h"
#include "parent/inherit.h"
#include "regress/unit/parent/parts.h"

/*
 * A client lists SESSIONS sessions, half of which each of two workers has; the
 * workers' and the client's ends of the channels are the test's.
 */
#define SESSIONS 1000
#define SIZE(count) \
	(sizeof(struct msg_stat) + (count) * sizeof(struct msg_stat_session))

static struct control control;
static struct imsgbuf end;
static const struct channel_rule no_rules[1];
static uint32_t told, known, first_port;

int
inherit_take_local(const struct sockaddr_un *sun)
{
	return (-1);
}

static void
begin(void)
{
	struct control_client *client;
	int pair[2];

	control.parent = &parent;
	parent.control = &control;
	TAILQ_INIT(&control.clients);
	control.nclients = 1;
	client = calloc(1, sizeof(*client));
	if (client == NULL || channel_pair(pair) == -1 ||
	    channel_open(&client->channel, parent.loop, pair[0], "client",
		no_rules, 0, parts_ended, client) == -1 ||
	    imsgbuf_init(&end, pair[1]) == -1)
		abort();
	client->control = &control;
	client->timer.data = client;
	TAILQ_INSERT_TAIL(&control.clients, client, entry);
	told = known = first_port = 0;
}

static struct control_client *
client(void)
{
	return (TAILQ_FIRST(&control.clients));
}

static void
sessions(void)
{
	struct peermap_entry entry;
	uint32_t number, i;

	if (pmap_create(&parent.map) == -1)
		abort();
	for (i = 0; i < SESSIONS; i++) {
		number = pmap_add(&parent.map, 1 + i, 0);
		entry = *pmap_entry(&parent.map, number);
		entry.generation = pmap_next_generation(&parent.map);
		entry.worker = i & 1;
		pmap_store(&parent.map, number, &entry);
	}
}

/* Worker n is asked about so many sessions, and answers. */
static const char *
answers(uint32_t n, uint32_t asked, uint32_t count, uint32_t are_known)
{
	static struct msg_stat_row rows[PROTO_STAT_MAX + 1];
	struct {
		struct msg_stat head;
		struct msg_stat_session of[PROTO_STAT_MAX];
	} stat;
	uint32_t i;

	if (parts_told(n + 1, PW_STAT, &stat, SIZE(asked)) != 1 ||
	    stat.head.count != asked)
		return ("was not asked");
	for (i = 0; i <= PROTO_STAT_MAX; i++) {
		rows[i].known = are_known;
		rows[i].port = are_known * (1000 + i);
	}
	stat.head.count = count;
	return (control_stat(parent.workers[n].child, &stat.head, rows));
}

/* Takes what the client has been sent; boolean: that was the end. */
static int
over(uint32_t *error)
{
	struct msg_ctl_peer row;
	struct msg_ctl_end last;
	struct imsg imsg;
	int ended;

	(void)channel_flush(&client()->channel);
	for (ended = 0; !ended;) {
		if (imsgbuf_get(&end, &imsg) != 1 &&
		    (imsgbuf_read(&end) != 1 || imsgbuf_get(&end, &imsg) != 1))
			break;
		ended = imsg_get_type(&imsg) == CTL_END;
		if (ended && imsg_get_data(&imsg, &last, sizeof(last)) == 0)
			*error = last.error;
		else if (imsg_get_data(&imsg, &row, sizeof(row)) == 0) {
			if (told++ == 0)
				first_port = row.stat.port;
			known += row.stat.known;
		}
		imsg_free(&imsg);
	}
	return (ended);
}

/* What is waited for does not come. */
static void
time_passes(void)
{
	ev_feed_event(parent.loop, &client()->timer, EV_TIMER);
	(void)ev_run(parent.loop, EVRUN_NOWAIT);
}

static void
over_and_out(void)
{
	control_drop(client());
	(void)close(end.fd);
	imsgbuf_clear(&end);
}

static void
test_page_by_page(void)
{
	uint32_t error, i;

	begin();
	CHECK(control_peers(client()) == NULL);
	error = 1;
	for (i = 0; i < 2; i++) {
		CHECK(answers(0, 240, 240, 1) == NULL);
		CHECK(!over(&error) && told == i * 480);
		CHECK(answers(1, 240, 240, 1) == NULL);
		CHECK(!over(&error) && told == (i + 1) * 480);
	}
	CHECK(first_port == 1000);
	/* Those of one worker have ended meanwhile. */
	CHECK(answers(1, 20, 20, 0) == NULL);
	CHECK(answers(0, 20, 20, 1) == NULL);
	CHECK(over(&error) && error == 0);
	CHECK(told == SESSIONS - 20 && known == SESSIONS - 20);
	CHECK(client()->job == JOB_NONE);
	over_and_out();
}

/* It is waited for once in a list. */
static void
test_a_worker_is_silent(void)
{
	uint32_t error;

	begin();
	CHECK(control_peers(client()) == NULL);
	CHECK(answers(0, 240, 240, 1) == NULL);
	CHECK(!over(&error) && told == 0);
	time_passes();
	CHECK(!over(&error) && told == 480 && known == 240);
	/* Too late. */
	CHECK(answers(1, 240, 240, 1) == NULL && known == 240);
	CHECK(answers(0, 240, 240, 1) == NULL);
	CHECK(!over(&error) && told == 960 && known == 480);
	CHECK(answers(0, 20, 20, 1) == NULL);
	CHECK(over(&error) && told == SESSIONS && known == SESSIONS / 2);
	CHECK(parts_told(2, PW_STAT, NULL, 0) == -1);
	over_and_out();
}

static void
test_other_sessions_than_asked_for(void)
{
	uint32_t error;

	begin();
	CHECK(control_peers(client()) == NULL);
	CHECK(answers(0, 240, 239, 1) != NULL);
	CHECK(answers(1, 240, 241, 1) != NULL);
	CHECK(!over(&error) && told == 0);
	over_and_out();
}

static void
test_one_session(void)
{
	uint32_t error;

	begin();
	CHECK(control_peer(client(), pmap_entry(&parent.map, 3)) == NULL);
	CHECK(answers(1, 1, 1, 1) == NULL);
	CHECK(over(&error) && error == 0 && told == 1 && known == 1);
	CHECK(control_peer(client(), pmap_entry(&parent.map, 3)) == NULL);
	CHECK(answers(1, 1, 1, 0) == NULL);
	CHECK(over(&error) && error == ENOENT && told == 1);
	CHECK(control_peer(client(), pmap_entry(&parent.map, 3)) == NULL);
	time_passes();
	CHECK(over(&error) && error == 0 && told == 2 && known == 1);
	over_and_out();
}

int
main(void)
{
	parts_init();
	sessions();
	RUN(test_page_by_page);
	RUN(test_a_worker_is_silent);
	RUN(test_other_sessions_than_asked_for);
	RUN(test_one_session);
	pmap_destroy(&parent.map);
	return (test_failed());
}
