# Debian package and container image.
#
#	make package		build/package/beacond_VERSION_ARCH.deb
#	make image		with podman or docker: IMAGE=beacond ENGINE=podman
#	make check-package	both, tried; as root, takes some minutes

VERSION	   := $(shell sed -n 's/^\#define BEACOND_VERSION "\(.*\)"/\1/p' \
	      common/proto.h)
PACKAGE	   := $(BUILD)/package
PACKAGE_DEPS := $(BUILD_DEPS) dpkg-dev debhelper dh-apparmor fakeroot lintian
CHECK_PACKAGE_DEPS := $(PACKAGE_DEPS) debootstrap systemd-container apparmor \
	      buildah podman crun util-linux

.PHONY: package deps-package check-package deps-check-package image
deps-package:
	$(call install_deps,$(PACKAGE_DEPS))

deps-check-package:
	$(call install_deps,$(CHECK_PACKAGE_DEPS))

# The source tree of the package is this one with debian/ at its top.  Nothing
# of this make's own settings is to get into it.
package: deps-package
	@rm -rf $(PACKAGE)/*beacond* && mkdir -p $(PACKAGE)/beacond-$(VERSION)
	@tar -c --exclude=./.git --exclude=./build --exclude=./$(BUILD) \
	    --exclude=__pycache__ . | tar -x -C $(PACKAGE)/beacond-$(VERSION)
	@cp -r package/debian $(PACKAGE)/beacond-$(VERSION)
	cd $(PACKAGE)/beacond-$(VERSION) && \
	    env -u MAKEFLAGS -u MAKEOVERRIDES -u MFLAGS -u MAKELEVEL -u WERROR \
	    dpkg-buildpackage -us -uc
	lintian --fail-on error,warning $(PACKAGE)/beacond_$(VERSION)_*.changes

check-package: deps-check-package package
	package/check $(PACKAGE)

IMAGE	   ?= beacond
ENGINE	   ?= podman
image:
	$(ENGINE) build --ignorefile package/containerignore -t $(IMAGE) \
	    -f package/Containerfile .
