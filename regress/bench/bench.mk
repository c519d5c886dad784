# The benchmark (regress/bench/README.md): a load generator, the bare
# servers that beacond is measured against, and the script that runs them.

BENCH	   := $(BUILD)/bench
BENCH_LOAD := load options peer login wire flow hist

$(BENCH)/load: $(BENCH_LOAD:%=$(BUILD)/obj/regress/bench/%.o) $(LIBCOMMON)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lbsd -lsodium

BENCH_BARE := $(BENCH)/tcp_relay $(BENCH)/udp_forward $(BENCH)/login_floor
$(BENCH_BARE): $(BENCH)/%: $(BUILD)/obj/regress/bench/%.o \
    $(BUILD)/obj/regress/bench/bare.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lsodium

.PHONY: bench bench-ci bench-perf bench-programs
bench-programs: $(BENCH)/load $(BENCH_BARE)

bench: all bench-programs
	/usr/bin/python3 regress/bench/bench.py --build $(BUILD)

bench-ci: all bench-programs
	/usr/bin/python3 regress/bench/bench.py --build $(BUILD) --ci

# A list of 50,000 peers, and who waits meanwhile; fails above 1 s.
.PHONY: bench-lists
bench-lists: all bench-programs
	/usr/bin/python3 regress/bench/bench_lists.py --build $(BUILD)

# What an operator does costs no packet and no session, and scrapes nothing; some
# minutes, needs perf and, to be fair on a busy machine, root.
.PHONY: check-load
check-load: all bench-programs
	/usr/bin/python3 regress/bench/check_load.py --build $(BUILD)

# Sessions move while packets flow: upgrades, other numbers of workers.  Some
# minutes.
.PHONY: check-move
check-move: all bench-programs
	/usr/bin/python3 regress/bench/check_move.py --build $(BUILD)

# Where the time goes, row by row; needs perf.
bench-perf: all bench-programs
	/usr/bin/python3 regress/bench/bench.py --build $(BUILD) \
	    --perf regress/bench/perf

# Instructions per packet and per login, counted by callgrind: they do not
# wander, and are compared with those kept in instructions.txt.
INSTR_OBJS := $(patsubst %,$(BUILD)/obj/regress/bench/%.o,\
	      instructions instructions_login)

# Stripped: older valgrinds cannot read what newer compilers tell debuggers.
$(BENCH)/instructions: $(INSTR_OBJS) $(BUILD)/libworker.a \
    $(BUILD)/libparent.a $(BUILD)/libauth.a $(LIBCOMMON)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -s -o $@ $^ $(UNIT_LIBS)

.PHONY: bench-tests bench-instructions bench-instructions-update
bench-tests: bench-programs $(BENCH)/instructions

bench-instructions bench-instructions-update: deps-test
	@$(MAKE) --no-print-directory $(BENCH)/instructions
	/usr/bin/python3 regress/bench/instructions.py --build $(BUILD) \
	    $(if $(filter %-update,$@),--update)
