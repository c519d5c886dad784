/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <string.h>

#include "common/address.h"
#include "worker/networks.h"

/*
 * One more network of the next list or, as PROTO_PREFIX_NONE, the word that it
 * is whole.  Returns NULL, or what is wrong with it.
 */
const char *
networks_take(struct networks *networks, const struct msg_address *msg)
{
	if (msg->prefix == PROTO_PREFIX_NONE) {
		memcpy(networks->list, networks->next,
		    networks->nnext * sizeof(networks->next[0]));
		networks->n = networks->nnext;
		networks->nnext = 0;
		return (NULL);
	}
	if (msg->prefix > 128 || networks->nnext == NETWORKS_MAX)
		return ("bad network");
	networks->next[networks->nnext++] = *msg;
	return (NULL);
}

/* Boolean: is addr in one of them? */
int
networks_have(const struct networks *networks, const uint8_t addr[16])
{
	const struct msg_address *net;
	uint32_t i;

	for (i = 0; i < networks->n; i++) {
		net = &networks->list[i];
		if (address_within(addr, net->addr, net->prefix))
			return (1);
	}
	return (0);
}
