# What a client or a network can do (regress/load/README.md): floods, bad
# networks, everything at once for a long time.

FLOOD_OBJS := $(patsubst %,$(BUILD)/obj/regress/load/%.o,\
	      flood flood_raw flood_session) \
	      $(patsubst %,$(BUILD)/obj/regress/bench/%.o,\
	      peer login wire flow hist)

$(BENCH)/flood: $(FLOOD_OBJS) $(LIBCOMMON)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lbsd -lsodium

bench-programs: $(BENCH)/flood

# Floods, while pairs relay that must not notice; some minutes, root.  FLOOD=
# takes options: "--quick" is a minute, "--only ping".
.PHONY: check-flood
check-flood: all bench-programs
	/usr/bin/python3 regress/load/check_flood.py --build $(BUILD) $(FLOOD)

# Networks that lose, double, reorder, delay, reset: all cases; two minutes, root.
.PHONY: check-network
check-network: all
	BAD_NETWORK=all BEACOND_BUILD=$(abspath $(BUILD)) $(PYTEST) -rP \
	    regress/system/test_bad_network.py

$(BENCH)/router: $(BUILD)/obj/regress/load/router.o \
    $(BUILD)/libbeacond-frame.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

bench-programs: $(BENCH)/router

# Everything at once, a quarter of an hour; SOAK_MINUTES=600 for a night; root.
SOAK_MINUTES ?= 15
.PHONY: soak
soak: all bench-programs $(BENCH)/router
	/usr/bin/python3 regress/load/soak.py --build $(BUILD) \
	    --minutes $(SOAK_MINUTES) $(SOAK)
