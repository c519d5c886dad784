/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 */

#include <stdio.h>
#include <stdlib.h>

#include "ctl/ctl.h"

/* Says how beaconctl is called, and ends it with CTL_USAGE. */
void
usage(void)
{
	fprintf(stderr,
	    "usage: beaconctl [-j] [-s SOCKET] show summary | metrics | peers |"
	    " nodes | beacons\n"
	    "       beaconctl [-j] [-s SOCKET] show peer NODE | node NODE\n"
	    "       beaconctl [-s SOCKET] reload | stop\n"
	    "       beaconctl keygen [-n NODE] FILE\n"
	    "       beaconctl probe [-c COUNT] [-w SECONDS] -i KEYFILE -n NODE"
	    " URL\n");
	exit(CTL_USAGE);
}
