# Programs that take a role's place (regress/system/puppet.py).  Each has the
# real program in it, for when the test does not want the place, or wants to
# have code of its own in it (regress/system/taken.py).

HOSTILE	   := $(BUILD)/hostile
HOSTILE_WRAP	 := -Wl,--wrap=child_confine -Wl,--wrap=ev_run \
		    -Wl,--wrap=ev_timer_start
HOSTILE_PROGRAMS := $(HOSTILE)/hostile-worker $(HOSTILE)/hostile-auth

$(HOSTILE)/honest-%.o: %/main.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -Wno-missing-prototypes \
	    -Dmain=honest_main -MMD -MP -c -o $@ $<

-include $(wildcard $(HOSTILE)/*.d)

define hostile_program
$(HOSTILE)/hostile-$(1): $(HOSTILE)/honest-$(1).o \
    $(BUILD)/obj/regress/hostile/puppet.o \
    $(BUILD)/obj/regress/hostile/taken.o $(BUILD)/lib$(1).a $(LIBCOMMON)
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	$$(Q)$$(CC) $$(ALL_LDFLAGS) $(HOSTILE_WRAP) -o $$@ $$^ \
	    $$(beacond-$(1)_LIBS)
endef
$(foreach r,worker auth,$(eval $(call hostile_program,$(r))))

# The four programs on a machine that tests can set (machine.py).
MACHINE_PROGRAMS := $(patsubst $(BUILD)/%,$(BUILD)/machine/%,$(PROGRAMS))

define machine_program
$(BUILD)/machine/$(1): $(call objects,$($(1)_DIR)) $(LIBCOMMON) \
    $(BUILD)/obj/regress/hostile/machine.o
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$($(1)_LIBS)
endef
$(foreach p,$(notdir $(PROGRAMS)),$(eval $(call machine_program,$(p))))

# Starts a program where some system calls fail.
$(HOSTILE)/denied: $(BUILD)/obj/regress/hostile/denied.o
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lseccomp

# A worker that stops itself at a step of a move.
STEPS_WRAP := $(foreach f,child_confine channel_send channel_sendv \
	      route_message,-Wl,--wrap=$(f))
$(HOSTILE)/steps-worker: $(call objects,worker) $(LIBCOMMON) \
    $(BUILD)/obj/regress/hostile/steps.o
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(ALL_LDFLAGS) $(STEPS_WRAP) -o $@ $^ $(beacond-worker_LIBS)

.PHONY: hostile
hostile: $(HOSTILE_PROGRAMS) $(MACHINE_PROGRAMS) $(HOSTILE)/denied \
    $(HOSTILE)/steps-worker
