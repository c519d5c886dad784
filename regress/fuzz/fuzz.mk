# Coverage-guided fuzzing with AddressSanitizer and UBSan.  A target NAME is
# regress/fuzz/NAME_fuzz.c with what it needs besides itself (fuzz_NAME); its
# seeds are in corpus/NAME, its words, if it has any, in NAME.dict.
# test_fuzz.py runs each for some seconds; "make fuzz" FUZZ_TIME seconds each.

FUZZ	   := $(BUILD)/fuzz
FUZZ_CC	   ?= clang
FUZZ_TIME  ?= 60
FUZZ_FLAGS := -std=c11 -O1 -g -fno-omit-frame-pointer $(WARNINGS) \
	      $(CHECKS)

# A loop that the target turns itself, in the place of libev's; calls that are
# not to reach the kernel.
fuzz_loop  := regress/fuzz/loop.c
wrap	    = $(addprefix -Wl$(comma)--wrap=,$(1))
comma	   := ,

fuzz_frame	 := $(wildcard frame/frame*.c) frame/link.c parent/peermap_write.c \
		    $(wildcard common/*.c)
wraps_frame	 := connect epoll_wait poll socket
fuzz_http	 := $(wildcard worker/http*.c) common/ws_accept.c \
		    common/address.c worker/networks.c
fuzz_ws_frame	 := common/ws_frame.c worker/ws_utf8.c
fuzz_metrics_request := metrics/request.c
fuzz_proxy_header := worker/http_text.c worker/proxy_header.c common/address.c
fuzz_login_reply := worker/login_reply.c
fuzz_keyfile	 := auth/keyfile.c auth/keycache.c $(wildcard common/*.c)
fuzz_registry_wire := auth/registry_wire.c auth/beacon_list.c
fuzz_registry	 := $(filter-out auth/main.c auth/check.c auth/sandbox.c,\
		      $(wildcard auth/*.c)) \
		    $(wildcard common/*.c) regress/fuzz/registry_side.c $(fuzz_loop)
wraps_registry	 := crypto_sign_verify_detached
fuzz_router	 := $(addprefix worker/,route.c router.c router_recv.c \
		    router_window.c ws_utf8.c) $(wildcard common/*.c) $(fuzz_loop)
fuzz_snapshot	 := auth/snapshot.c auth/keycache.c
fuzz_packet	 := $(filter-out worker/main.c,$(wildcard worker/*.c)) \
		    $(wildcard common/*.c) parent/peermap_write.c
fuzz_conf	 := $(wildcard parent/conf_*.c)
fuzz_channel	 := $(wildcard common/*.c) $(fuzz_loop)
fuzz_session	 := $(wildcard worker/*.c common/*.c regress/fuzz/world*.c) \
		    regress/fuzz/ledger.c parent/peermap_write.c $(fuzz_loop)
wraps_session	 := child_start child_confine accept4 getsockname getsockopt \
		    recvmmsg send sendmmsg sendmsg sendto
fuzz_move	 := $(fuzz_session)
wraps_move	 := $(wraps_session)
fuzz_parent	 := $(wildcard parent/*.c common/*.c regress/fuzz/family*.c) \
		    $(fuzz_loop)
wraps_parent	 := calloc free malloc mmap munmap realloc reallocarray \
		    accept4 attributes_close_above attributes_directory \
		    attributes_set connect control_bind \
		    fork getrandom inherit_take_named kill \
		    listen_all log_init notify_barrier notify_is_open \
		    notify_keep notify_let_go notify_open parent_sandbox \
		    parent_sandbox_files pipe2 privs_drop privs_limits \
		    poll privs_prepare sendmsg socketpair spawn_open_again \
		    spawn_open_programs steer_all supervise_init
fuzz_unpark	 := $(fuzz_parent)
wraps_unpark	 := $(wraps_parent)
# Queues, and room for copies, that are soon full.
$(FUZZ)/obj/frame/link.o: RENAME := -DLINK_OUT_MAX=262144
$(FUZZ)/obj/worker/router_window.o: RENAME := -DWINDOW_COPIES=65540
$(FUZZ)/obj/parent/main.o: RENAME := -Dmain=parent_main -Wno-missing-prototypes
$(FUZZ)/obj/worker/main.o: RENAME := -Dmain=worker_main -Wno-missing-prototypes
FUZZERS := $(patsubst regress/fuzz/%_fuzz.c,%,$(wildcard regress/fuzz/*_fuzz.c))

# What only plays a part is not to be explored, and costs less so.
TRACE	   := -fsanitize=fuzzer-no-link
$(patsubst %.c,$(FUZZ)/obj/%.o,$(filter-out %_fuzz.c,\
    $(wildcard regress/fuzz/*.c))): TRACE :=

$(FUZZ)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  FUZZ  $<"
	$(Q)$(FUZZ_CC) $(ALL_CPPFLAGS) $(FUZZ_FLAGS) $(TRACE) \
	    -Wno-invalid-noreturn -Wno-return-type $(RENAME) \
	    -include regress/fuzz/instead.h -MMD -MP -c -o $@ $<

-include $(shell find $(FUZZ)/obj -name '*.d' 2>/dev/null)

define fuzzer
$(FUZZ)/$(1): $$(patsubst %.c,$(FUZZ)/obj/%.o,\
    regress/fuzz/$(1)_fuzz.c regress/fuzz/fuzz.c $$(fuzz_$(1)))
	$$(Q)$$(FUZZ_CC) $$(FUZZ_FLAGS) -fsanitize=fuzzer -o $$@ $$^ \
	    $$(call wrap,close $$(wraps_$(1))) $$(UNIT_LIBS)

.PHONY: fuzz-$(1)
fuzz-$(1): $(FUZZ)/$(1)
	@mkdir -p $$<.corpus
	$$< -max_total_time=$$(FUZZ_TIME) -print_final_stats=1 \
	    -artifact_prefix=$(FUZZ)/$(1)- \
	    $$(addprefix -dict=,$$(wildcard regress/fuzz/$(1).dict)) \
	    $$<.corpus regress/fuzz/corpus/$(1)
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$(f))))

.PHONY: fuzz fuzzers
fuzzers: $(FUZZERS:%=$(FUZZ)/%)

fuzz: deps-test
	@$(MAKE) --no-print-directory $(FUZZERS:%=fuzz-%)

# What the kept seeds reach, in lines of each file: the same programs without
# sanitizers and with the compiler's own counters.
COVERAGE   := $(BUILD)/fuzz-coverage
.PHONY: deps-coverage fuzz-coverage
deps-coverage: deps-test
	$(call install_deps,llvm)

fuzz-coverage: deps-coverage
	@$(MAKE) --no-print-directory FUZZ=$(COVERAGE) fuzzers FUZZ_FLAGS="\
	    -std=c11 -O1 -g -fprofile-instr-generate -fcoverage-mapping \
	    -DSANDBOX_NONE"
	@for f in $(FUZZERS); do \
	    LLVM_PROFILE_FILE=$(COVERAGE)/$$f.raw $(COVERAGE)/$$f -runs=0 \
	        regress/fuzz/corpus/$$f 2>/dev/null || exit 1; \
	    llvm-profdata merge -o $(COVERAGE)/$$f.data $(COVERAGE)/$$f.raw; \
	    echo "== $$f"; llvm-cov report $(COVERAGE)/$$f \
	        -instr-profile=$(COVERAGE)/$$f.data \
	        -ignore-filename-regex=regress/ | \
	        awk '$$8 + 0 > $$9 + 0 { print $$1, $$10, "of", $$8 }'; \
	done
