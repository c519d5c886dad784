/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_HOLDERS_H
#define PARENT_HOLDERS_H

#include <stdint.h>

#define ENDPOINTS_MAX 500000 /* doc/protocol.md 4.2 */

/*
 * Who holds how many UDP endpoints: a holder is what one customer of a network
 * has (common/address.h).  An endpoint is named by the number of its entry in
 * the peer map.  All takes the same time however many there are, and memory
 * follows their number.
 *
 * The one that is to go when there is no more room is the one of the largest
 * holder that was not refreshed for longest.  Of holders that are equally large
 * it is the one that refreshed nothing for longest; an exempt one counts as if
 * it held only one.
 */
struct holders;

struct network {
	uint8_t addr[16];
	uint32_t prefix; /* bits of the 16 bytes */
};

struct holders *holders_new(void);
void holders_free(struct holders *);
void holders_exempt(struct holders *, struct network *, uint32_t);
int holders_may_take(
    const struct holders *, uint32_t number, const uint8_t[16], uint32_t limit);
void holders_take(struct holders *, uint32_t, const uint8_t[16]);
void holders_drop(struct holders *, uint32_t);
uint32_t holders_next_to_go(const struct holders *);

#endif /* PARENT_HOLDERS_H */
