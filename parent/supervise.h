/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#ifndef PARENT_SUPERVISE_H
#define PARENT_SUPERVISE_H

#include "common/proto_ctl.h"

struct parent;
struct place;
struct process;

/* supervise.c */
void supervise_init(struct parent *);
void supervise_worker(struct parent *, struct place *, int candidate);
void supervise_beside(struct parent *, struct place *, enum role);
void supervise_retire(struct place *);
struct process *supervise_adopt(
    struct parent *, struct place *, const struct msg_ctl_ward *);
void supervise_channel_end(void *, const char *reason);
void supervise_gone(struct process *);
void supervise_start_all(struct parent *);
void supervise_metrics(struct parent *, int);
const char *supervise_ready(struct process *, const struct msg_hello *);
void supervise_serve(struct parent *);

#endif /* PARENT_SUPERVISE_H */
