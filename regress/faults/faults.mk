# The four programs with calls that fail when a test wants them to
# (regress/faults/faults.c), and beaconctl as it is.

FAULTS	   := $(BUILD)/faults
FAULTS_PROGRAMS := $(patsubst $(BUILD)/%,$(FAULTS)/%,\
	      $(filter-out %/beaconctl,$(PROGRAMS)))

define faults_program
$(FAULTS)/$(1): $(call objects,$($(1)_DIR)) $(LIBCOMMON) \
    $(BUILD)/obj/regress/faults/faults.o
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$($(1)_LIBS)
endef
$(foreach p,$(notdir $(FAULTS_PROGRAMS)),$(eval $(call faults_program,$(p))))

.PHONY: faults check-faults
hostile: faults
faults: $(FAULTS_PROGRAMS)

# Every call of every process fails, by each of its errors, and at the
# start; some minutes.  FAULTS_OPTIONS="--roles worker --calls recv,send" for some.
check-faults: deps-test
	@$(BUILDING) WERROR=1 BUILD=$(BUILD)/strict \
	    DEFINES=-DSANDBOX_STRICT all faults
	/usr/bin/python3 regress/faults/check_faults.py \
	    --build $(BUILD)/strict $(FAULTS_OPTIONS)
