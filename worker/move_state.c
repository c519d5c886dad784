/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include "worker/move.h"
#include "worker/worker.h"

/*
 * What another worker says of a session that it had.  It may be in a stranger's
 * hands: what is let through here harms nobody but that session.
 */

#define MOVE_FRAME_MAX (WS_HEADER_MAX + FRAME_DATA_MAX)

static int
state_inbound_is_bad(const struct msg_move_state *state)
{
	if (state->pending_total > MOVE_FRAME_MAX ||
	    state->pending_checked > state->pending)
		return (1);
	if (state->pending_total == 0 ? state->pending > WS_HEADER_MAX
				      : state->pending >= state->pending_total)
		return (1);
	if (state->message_opcode == 0)
		return (state->message != 0);
	return (state->message > FRAME_DATA_MAX ||
		(state->message_opcode != WS_TEXT &&
		    state->message_opcode != WS_BINARY));
}

/* One frame, of which some is sent perhaps, and maybe one more. */
static int
state_control_is_bad(const struct msg_move_state *state)
{
	size_t first, len;

	len = state->control_len;
	if (len == 0)
		return (state->control_sent != 0);
	if (len > sizeof(state->control) || len < 2 ||
	    state->control[1] > WS_CONTROL_MAX)
		return (1);
	first = 2 + (size_t)state->control[1];
	if (state->control_sent >= first || first > len)
		return (1);
	if (first == len)
		return (0);
	return (
	    len - first < 2 || len - first != 2U + state->control[first + 1]);
}

/*
 * len bytes of a WM_STATE, at least those of the struct.  Returns NULL, or what
 * is wrong with it.
 */
const char *
move_state_check(const struct msg_move_state *state, size_t len, uint32_t count)
{
	if (state->magic != MOVE_STATE_MAGIC || state->version == 0 ||
	    state->len != len)
		return ("no state of a session");
	if ((state->required & ~MOVE_STATE_REQUIRED) != 0)
		return ("state that takes a later version");
	if (state->session >= count || state->port > UINT16_MAX)
		return ("state of no such session");
	if (state_inbound_is_bad(state))
		return ("state with impossible bytes to come");
	if (state->queue > SESSION_QUEUE_MAX + MOVE_FRAME_MAX ||
	    state->frame_left > state->queue ||
	    state->frame_left > MOVE_FRAME_MAX)
		return ("state with an impossible queue");
	if (state_control_is_bad(state))
		return ("state with impossible control frames");
	return (NULL);
}

/*
 * Of the frame of ours that the len bytes begin with: how long it is; 0: that
 * is not known yet; SIZE_MAX: it is none.
 */
size_t
move_state_frame(const uint8_t *bytes, size_t len)
{
	if (len < 2)
		return (0);
	if ((bytes[0] != (0x80 | WS_BINARY) && bytes[0] != (0x80 | WS_TEXT)) ||
	    bytes[1] > WS_LENGTH_16)
		return (SIZE_MAX);
	if (bytes[1] == WS_LENGTH_16 && len < 4)
		return (0);
	return (outq_frame_len(bytes));
}
