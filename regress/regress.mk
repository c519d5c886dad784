# Unit tests: regress/unit/ROLE/NAME_test.c links with that role's objects
# (never its main) and common/, nothing else.

UNIT_ROLES := common parent worker auth ctl
UNIT_LIBS  := -lev -lbsd -lsodium -ljansson -lmd -lseccomp
unit_tests  = $(patsubst regress/unit/%.c,$(BUILD)/unit/%,\
	      $(wildcard regress/unit/$(1)/*_test.c))

define unit_role
$(call unit_tests,$(1)): $(BUILD)/unit/$(1)/%: \
    $(BUILD)/obj/regress/unit/$(1)/%.o \
    $(if $(filter common,$(1)),,$(BUILD)/lib$(1).a) $(LIBCOMMON)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(UNIT_LIBS)
endef
$(foreach r,$(UNIT_ROLES),$(eval $(call unit_role,$(r))))

UNIT_TESTS := $(foreach r,$(UNIT_ROLES),$(call unit_tests,$(r)))

# What a test has in the place of the library's.
$(BUILD)/unit/worker/route_test: ALL_LDFLAGS += -Wl,--wrap=malloc,--wrap=realloc

.PHONY: unit check
unit: $(UNIT_TESTS)

# pytest, two tests at a time, on the programs in $(BUILD)/$(1).  How many passed
# and failed is in $(TALLY) afterwards; 5 says that no test was chosen.
TESTS	   ?=
TALLY	   := $(abspath $(BUILD))/tally
PYTEST	   := /usr/bin/python3 -m pytest -q --no-header --tb=short -n 2 \
	      --continue-on-collection-errors
define pytest
echo "tests of $(BUILD)/$(1)"; \
BEACOND_BUILD=$(abspath $(BUILD))/$(1) BEACOND_TALLY=$(TALLY) \
$(PYTEST) $(2) $(TESTS) || case $$? in 1|5) ;; *) echo 0 1 >>$(TALLY) ;; esac
endef

# Everything with the strict sandbox, which kills for what the shipped one only
# denies; unit tests, parsers and packet path with the sanitizers as well.  That
# clang builds it all is a test, too.  TESTS="-k login" runs fewer.
check: all
	@$(MAKE) --no-print-directory WERROR=1 BUILD=$(BUILD)/strict \
	    DEFINES=-DSANDBOX_STRICT all unit hostile bench-tests fuzzers
	@$(MAKE) --no-print-directory WERROR=1 BUILD=$(BUILD)/asan SANITIZE=1 \
	    all unit
	@$(MAKE) --no-print-directory WERROR=1 BUILD=$(BUILD)/clang CC=clang all
	@rm -f $(TALLY)
	@$(call pytest,strict)
	@$(call pytest,asan,-m sanitized)
	@awk '{ p += $$1; f += $$2 } \
	    END { print p + 0 " passed, " f + 0 " failed"; exit f || !p }' $(TALLY)

include regress/bench/bench.mk
include regress/hostile/hostile.mk

.PHONY: bench-sandbox
bench-sandbox: all bench-programs
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/nosandbox \
	    DEFINES=-DSANDBOX_NONE all bench-programs
	regress/bench/sandbox.py --build $(BUILD) --without $(BUILD)/nosandbox

# A sandbox is sensitive to what malloc asks of the kernel: the whole suite with
# each of its settings.  Takes too long for "make test".
MALLOC_SETTINGS := MALLOC_PERTURB_=165 \
		   GLIBC_TUNABLES=glibc.malloc.tcache_count=0 \
		   GLIBC_TUNABLES=glibc.malloc.mmap_threshold=4096 \
		   GLIBC_TUNABLES=glibc.malloc.trim_threshold=1 \
		   GLIBC_TUNABLES=glibc.malloc.top_pad=1048576 \
		   GLIBC_TUNABLES=glibc.malloc.arena_max=1

.PHONY: check-malloc
check-malloc: deps-test
	@$(MAKE) --no-print-directory WERROR=1 BUILD=$(BUILD)/strict \
	    DEFINES=-DSANDBOX_STRICT all unit hostile bench-tests fuzzers
	@for setting in $(MALLOC_SETTINGS); do \
	    echo "$$setting"; \
	    BEACOND_BUILD=$(abspath $(BUILD))/strict env $$setting $(PYTEST) \
	        $(TESTS) || exit 1; \
	done

include regress/fuzz/fuzz.mk
