/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "parent/control.h"
#include "parent/parent.h"

/*
 * The map knows who is connected, and to which worker; that worker knows where
 * from, how much was sent and how much waits.  So a list takes a page of
 * sessions from the map, asks the workers about them, each by one message, and
 * takes the next page when they have answered and the client has read.
 */
static const char *control_peers_page(struct control_client *);

static void
control_peers_add(struct control_page *page, const struct peermap_entry *entry)
{
	struct msg_ctl_peer *row;

	row = &page->rows[page->nrows++];
	memset(row, 0, sizeof(*row));
	row->node = entry->node;
	row->worker = entry->worker;
	row->slot = entry->slot;
	row->generation = entry->generation;
	row->since = clock_wall_at(entry->since);
}

/* Until the page is full, or what one worker can be asked at a time. */
static void
control_peers_fill(struct control_client *client)
{
	uint32_t count[PROTO_PLACES_MAX];
	const struct peermap_entry *entry;
	struct pmap *map;
	uint32_t end;

	memset(count, 0, sizeof(count));
	map = &client->control->parent->map;
	end = pmap_used(map);
	if (end - client->next > CONTROL_WALK)
		end = client->next + CONTROL_WALK;
	for (; client->next < end; client->next++) {
		entry = pmap_entry(map, client->next);
		if (entry->generation == 0)
			continue;
		if (client->page.nrows == CONTROL_PAGE ||
		    count[entry->worker]++ == PROTO_STAT_MAX)
			return;
		control_peers_add(&client->page, entry);
	}
}

static void
control_peers_ask_worker(struct control_client *client, uint32_t worker)
{
	struct {
		struct msg_stat head;
		struct msg_stat_session of[PROTO_STAT_MAX];
	} stat;
	const struct msg_ctl_peer *row;
	uint32_t i;

	stat.head.request = client->page.request;
	stat.head.count = 0;
	for (i = 0; i < client->page.nrows; i++) {
		row = &client->page.rows[i];
		if (row->worker == worker)
			stat.of[stat.head.count++] =
			    (struct msg_stat_session){ row->slot,
				    row->generation };
	}
	process_send(client->control->parent->workers[worker].child, PW_STAT,
	    -1, &stat,
	    sizeof(stat.head) + stat.head.count * sizeof(stat.of[0]));
}

/* All have answered, or those that have not are not waited for. */
static const char *
control_peers_told(struct control_client *client)
{
	struct msg_ctl_peer *row;
	uint32_t i;

	for (i = 0; i < client->page.nrows; i++) {
		row = &client->page.rows[i];
		row->worker %= PROTO_WORKERS_MAX;
		if (row->generation == 0 && client->job == JOB_PEER)
			return (control_done(client, ENOENT));
		if (row->generation != 0 &&
		    control_row(client, CTL_PEER, row, sizeof(*row)) == -1)
			return (CONTROL_SLOW);
	}
	if (client->job == JOB_PEER)
		return (control_done(client, 0));
	return (control_peers_page(client));
}

static void
control_peers_forget(struct control_page *page)
{
	page->waits = 0;
	memset(page->asked, 0, sizeof(page->asked));
}

static void
control_peers_time(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct control_client *client;

	uint32_t i;

	client = w->data;
	for (i = 0; i < PROTO_PLACES_MAX; i++)
		client->page.silent[i] |= client->page.asked[i];
	control_peers_forget(&client->page);
	if (control_peers_told(client) != NULL)
		control_drop(client);
}

/* Asks the workers about what is on the page. */
static const char *
control_peers_ask(struct control_client *client, enum control_job job)
{
	struct control_page *page;
	uint32_t i, worker;

	page = &client->page;
	page->request = ++client->control->request;
	for (i = 0; i < page->nrows; i++) {
		worker = page->rows[i].worker;
		if (page->asked[worker] || page->silent[worker])
			continue;
		page->asked[worker] = 1;
		page->waits++;
		control_peers_ask_worker(client, worker);
	}
	control_wait(client, job, control_peers_time,
	    page->waits != 0 ? CONTROL_STAT_WAIT : CONTROL_WALK_EVERY, 0.);
	return (NULL);
}

/* The next page, if the client has read most of those before it. */
static const char *
control_peers_page(struct control_client *client)
{
	client->page.nrows = 0;
	if (channel_queued(&client->channel) <= CONTROL_QUEUE_HIGH)
		control_peers_fill(client);
	if (client->page.nrows == 0 &&
	    client->next >= pmap_used(&client->control->parent->map))
		return (control_done(client, 0));
	return (control_peers_ask(client, JOB_PEERS));
}

static void
control_peers_begin(struct control_page *page)
{
	control_peers_forget(page);
	memset(page->silent, 0, sizeof(page->silent));
}

/* Begins to list all sessions.  NULL, or what is wrong. */
const char *
control_peers(struct control_client *client)
{
	client->next = 0;
	control_peers_begin(&client->page);
	return (control_peers_page(client));
}

/* Likewise one, of which this is the entry in the map. */
const char *
control_peer(struct control_client *client, const struct peermap_entry *entry)
{
	client->page.nrows = 0;
	control_peers_begin(&client->page);
	control_peers_add(&client->page, entry);
	return (control_peers_ask(client, JOB_PEER));
}

/* What a worker says about its sessions on a page; -1: of others, too. */
static int
control_peers_take(struct control_page *page, uint32_t worker, uint32_t count,
    const struct msg_stat_row *rows)
{
	struct msg_ctl_peer *row;
	uint32_t i, n;

	for (i = n = 0; i < page->nrows; i++)
		n += page->rows[i].worker == worker;
	if (n != count)
		return (-1);
	for (i = n = 0; i < page->nrows; i++) {
		row = &page->rows[i];
		if (row->worker != worker)
			continue;
		row->stat = rows[n++];
		if (!row->stat.known) /* It has ended. */
			row->generation = 0;
	}
	page->asked[worker] = 0;
	page->waits--;
	return (0);
}

/*
 * A worker has answered, with rows of possible values: whoever asked gets to
 * know.  Too late is no fault.  Returns NULL, or what is wrong.
 */
const char *
control_stat(struct process *worker, const struct msg_stat *stat,
    const struct msg_stat_row *rows)
{
	struct control_client *client;
	uint32_t number;

	number = worker->place->number;
	TAILQ_FOREACH(client, &worker->parent->control->clients, entry)
		if (client->page.request == stat->request &&
		    client->page.asked[number])
			break;
	if (client == NULL)
		return (NULL);
	if (control_peers_take(&client->page, number, stat->count, rows) == -1)
		return ("stat of other sessions than asked for");
	if (client->page.waits == 0 && control_peers_told(client) != NULL)
		control_drop(client);
	return (NULL);
}
