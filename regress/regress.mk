# Unit tests: regress/unit/ROLE/NAME_test.c links with that role's objects
# (never its main) and common/, nothing else.

UNIT_ROLES := common parent worker auth parent-ctl
UNIT_LIBS  := -lev -lbsd -lsodium -ljansson -lmd -lseccomp
unit_tests  = $(patsubst regress/unit/%.c,$(BUILD)/unit/%,\
	      $(wildcard regress/unit/$(1)/*_test.c))

define unit_role
$(call unit_tests,$(1)): $(BUILD)/unit/$(1)/%: \
    $(BUILD)/obj/regress/unit/$(1)/%.o \
    $(if $(filter common,$(1)),,$(BUILD)/lib$(1).a) $(LIBCOMMON)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$^ $$(UNIT_LIBS)
endef
$(foreach r,$(UNIT_ROLES),$(eval $(call unit_role,$(r))))

UNIT_TESTS := $(foreach r,$(UNIT_ROLES),$(call unit_tests,$(r)))

.PHONY: unit check
unit: $(UNIT_TESTS)

# The programs as they are shipped, and the unit tests with the sanitizers.
check: all
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SANITIZE=1 all unit
	@regress/run --build $(BUILD)
