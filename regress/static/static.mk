# What is wrong without being run: make analyze.  Each is silent, or the target
# fails; what is left out of clang-tidy's set says .clang-tidy.
ANALYZE	   := $(BUILD)/analyze
ANALYZED   := $(wildcard $(UNIT_ROLES:%=%/*.c) frame/*.c)

# -Wanalyzer-malloc-leak of gcc 12 forgets what is kept behind a pointer that it
# was given; leaks are for LeakSanitizer and for clang's analyzer.
GCC_ANALYZER := gcc -fanalyzer -Wno-analyzer-malloc-leak -Werror
CPPCHECK   := cppcheck -q --std=c11 --enable=warning,performance,portability \
	      --inline-suppr --error-exitcode=1 \
	      --suppress=preprocessorErrorDirective:/usr/include/bsd/*
CLANG_TIDY := clang-tidy --quiet

.PHONY: deps-analyze analyze
deps-analyze: deps-test
	$(call install_deps,clang-tidy cppcheck)

analyze: deps-analyze
	@$(BUILDING) analyzed

# gcc and clang by file, and again only what has changed.
.PHONY: analyzed
analyzed: $(ANALYZED:%.c=$(ANALYZE)/%.done) $(ANALYZE)/cppcheck

$(ANALYZE)/%.done: %.c .clang-tidy | $(BUILD)/libraries
	@mkdir -p $(@D)
	@echo "  ANALYZE $<"
	$(Q)$(GCC_ANALYZER) -std=c11 -O2 $(ALL_CPPFLAGS) -MMD -MP -MT $@ \
	    -MF $(@:.done=.d) -c -o /dev/null $<
	$(Q)$(CLANG_TIDY) $< -- -std=c11 $(ALL_CPPFLAGS) 2>/dev/null
	@touch $@

-include $(shell find $(ANALYZE) -name '*.d' 2>/dev/null)

# It knows the lists of <sys/queue.h> from the file alone: the rest of libbsd's
# headers each include the one that they stand before.
$(ANALYZE)/cppcheck: $(ANALYZED) $(wildcard $(UNIT_ROLES:%=%/*.h) frame/*.h)
	@mkdir -p $(ANALYZE)/sys
	@cp /usr/include/bsd/sys/queue.h /usr/include/bsd/sys/tree.h \
	    $(ANALYZE)/sys
	@echo "  CPPCHECK"
	$(Q)$(CPPCHECK) -j$(shell nproc) -I. -I$(ANALYZE) -D_GNU_SOURCE \
	    -DPROTO_LAYOUT=1U $(ANALYZED)
	@touch $@

# Would a unit test notice a mistake in what strangers send?  MUTATED="FILE ..."
# for some; an hour for all of them.
MUTATED	   ?= common/ws_frame.c common/channel.c $(addprefix auth/,challenge.c \
	      login.c verify.c) $(addprefix worker/,accept.c http.c inbound.c \
	      limit.c login.c login_reply.c packet.c relay.c router_recv.c \
	      session_frame.c udp_recv.c) parent/admit.c
.PHONY: mutate mutated
mutate: deps-test
	@$(BUILDING) DEFINES=-DSANDBOX_STRICT BUILD=$(BUILD)/strict unit
	@$(MAKE) --no-print-directory DEFINES=-DSANDBOX_STRICT \
	    BUILD=$(BUILD)/strict mutated

mutated:
	@CCACHE_DISABLE=1 MUTATE_CC="$(CC) -std=c11 $(ALL_CPPFLAGS)" MUTATE_LIBS="$(UNIT_LIBS)" \
	    regress/static/mutate.py --build $(BUILD) $(MUTATED)
