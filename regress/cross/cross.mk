# Other machines: 32 bits, the other byte order, another CPU.  All is built by
# Debian's cross compilers, and the unit tests are run by qemu-user.  That has
# no seccomp, so they are built without the filter of system calls: whether it
# is right for a CPU only that CPU can tell.
CROSS	   ?= arm64 armhf s390x
TRIPLET_arm64 := aarch64-linux-gnu
TRIPLET_armhf := arm-linux-gnueabihf
TRIPLET_s390x := s390x-linux-gnu
QEMU_arm64 := qemu-aarch64-static
QEMU_armhf := qemu-arm-static
QEMU_s390x := qemu-s390x-static

.PHONY: check-cross deps-cross $(CROSS:%=check-cross-%)
deps-cross:
	$(call install_deps,gcc pkg-config qemu-user-static \
	    $(foreach a,$(CROSS),gcc-$(TRIPLET_$(a))))

check-cross: deps-cross
	@$(MAKE) --no-print-directory $(CROSS:%=check-cross-%)

# Headers and libraries, as this machine's packages of them, for another one.
$(BUILD)/cross/%/root: regress/cross/sysroot
	regress/cross/sysroot $* $(@D) $(filter lib%,$(BUILD_DEPS))

define check_cross
check-cross-$(1): | $(BUILD)/cross/$(1)/root
	@PKG_CONFIG_SYSROOT_DIR=$$(abspath $$(BUILD)/cross/$(1)/root) \
	PKG_CONFIG_LIBDIR=$$(abspath \
	    $$(BUILD)/cross/$(1)/root/usr/lib/$$(TRIPLET_$(1))/pkgconfig) \
	$$(BUILDING) WERROR=1 BUILD=$$(BUILD)/cross/$(1) \
	    DEFINES=-DSANDBOX_NONE AR=$$(TRIPLET_$(1))-ar \
	    OBJCOPY=$$(TRIPLET_$(1))-objcopy CC="$$(TRIPLET_$(1))-gcc \
	    --sysroot=$$(abspath $$(BUILD)/cross/$(1)/root)" all unit
	@regress/cross/run.py $(1) $$(QEMU_$(1)) $$(BUILD)/cross/$(1)
endef
$(foreach a,$(CROSS),$(eval $(call check_cross,$(a))))
