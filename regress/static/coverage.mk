# Which lines no test runs: make coverage, half an hour.  clang's counters lie
# in files that the programs map at their start, so what has run is counted
# however a process ends, and from within its sandbox.  They are a file for each
# program, of which many may run.
COVERED	   := $(BUILD)/coverage
COVERED_RAW := $(abspath $(BUILD))/coverage/raw
# Groups: else two copies of a counter's place meet in libbeacond-frame.
COVERED_CC := clang -Wno-unused-command-line-argument \
	      -Wl,--force-group-allocation -fcoverage-mapping \
	      -fprofile-instr-generate=$(COVERED_RAW)/%m%c.profraw \
	      -fprofile-update=atomic -mllvm -runtime-counter-relocation
COVERED_TESTS ?= regress/unit regress/system
# What the parent's sandbox is tested by; with the runtime of the counters malloc
# asks for more.
COVERED_NOT := test_links.py::test_where_the_start_was_not_a_reload_cannot_read \
	      test_sandbox.py::test_every_process_is_confined \
	      test_sandbox.py::test_every_malloc_setting \
	      test_sandbox.py::test_replaced_children_are_confined_too \
	      test_start.py::test_a_profile_from_before_landlock

ifdef UNCONFINED
UNCONFINED_PROGRAMS := $(addsuffix /beacond,$(BUILD) $(BUILD)/machine \
	      $(FAULTS))
$(UNCONFINED_PROGRAMS): $(BUILD)/obj/regress/static/unconfined.o
$(UNCONFINED_PROGRAMS): ALL_LDFLAGS += \
    -Wl,--wrap=parent_sandbox,--wrap=landlock_enter
endif

.PHONY: coverage

# What root has made another user is to write, hence the umask.
coverage: deps-coverage
	@$(BUILDING) BUILD=$(COVERED) CC="$(COVERED_CC)" UNCONFINED=1 \
	    DEFINES=-DSANDBOX_STRICT all unit hostile
	@rm -rf $(COVERED_RAW); mkdir -p -m 1777 $(COVERED_RAW)
	@umask 0; for p in $(COVERED)/beacon* $(COVERED)/machine/*; do \
	    $$p -V </dev/null >/dev/null 2>&1; done; :
	@rm -f $(TALLY); $(call pytest,coverage,$(COVERED_TESTS) \
	    $(COVERED_NOT:%=--deselect regress/system/%)); \
	regress/static/coverage.py --build $(COVERED) --raw $(COVERED_RAW) && \
	awk '{ exit $$2 || !$$1 }' $(TALLY)
