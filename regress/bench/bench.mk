# The benchmark (regress/bench/README.md): a load generator, the two bare
# relays that beacond is measured against, and the script that runs them.

BENCH	   := $(BUILD)/bench
BENCH_LOAD := load options peer login wire flow hist

$(BENCH)/load: $(BENCH_LOAD:%=$(BUILD)/obj/regress/bench/%.o) $(LIBCOMMON)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lbsd -lsodium

$(BENCH)/tcp_relay $(BENCH)/udp_forward: $(BENCH)/%: \
    $(BUILD)/obj/regress/bench/%.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^

.PHONY: bench bench-ci bench-programs
bench-programs: $(BENCH)/load $(BENCH)/tcp_relay $(BENCH)/udp_forward

bench: all bench-programs
	/usr/bin/python3 regress/bench/bench.py --build $(BUILD)

bench-ci: all bench-programs
	/usr/bin/python3 regress/bench/bench.py --build $(BUILD) --ci
