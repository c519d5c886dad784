# The library for routers and sources of keys, and examples of either, which
# are built as a stranger's would be: with what is installed of us.

LIBDIR	   ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include

FRAME	   := $(BUILD)/libbeacond-frame.a
FRAME_H	   := $(BUILD)/include/beacond/frame.h
FRAME_EXAMPLES := $(addprefix $(BUILD)/frame-,relay keys talk)
FRAME_OBJS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard frame/*.c) \
	      $(addprefix common/,clock.c fdstat.c peermap.c ws_frame.c))

# One object in which nothing has a name for others but what frame.h has.
$(FRAME): $(FRAME_OBJS)
	@echo "  AR    $@"
	$(Q)$(CC) -r -nostdlib -o $(BUILD)/obj/frame/all.o $^
	$(Q)$(OBJCOPY) --wildcard --keep-global-symbol='beacond_*' \
	    $(BUILD)/obj/frame/all.o
	@rm -f $@
	$(Q)$(AR) rcs $@ $(BUILD)/obj/frame/all.o

$(FRAME_H): frame/frame.h
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(FRAME_EXAMPLES): $(BUILD)/frame-%: frame/examples/%.c $(FRAME) $(FRAME_H)
	@echo "  CC    $<"
	$(Q)$(CC) $(ALL_CFLAGS) -std=gnu11 -I$(BUILD)/include $(ALL_LDFLAGS) \
	    -o $@ $< $(FRAME)

$(BUILD)/beacond-frame.pc: frame/beacond-frame.pc
	@mkdir -p $(@D)
	$(Q)sed -e 's,@LIBDIR@,$(LIBDIR),' -e 's,@INCLUDEDIR@,$(INCLUDEDIR),' \
	    $< >$@

all: $(FRAME) $(FRAME_EXAMPLES)

FRAME_INSTALLED := $(LIBDIR)/libbeacond-frame.a $(INCLUDEDIR)/beacond/frame.h \
	      $(LIBDIR)/pkgconfig/beacond-frame.pc

install: install-frame
uninstall: uninstall-frame

.PHONY: install-frame uninstall-frame
install-frame: $(FRAME) $(BUILD)/beacond-frame.pc
	$(INSTALL) -D -m 644 $(FRAME) $(DESTDIR)$(LIBDIR)/libbeacond-frame.a
	$(INSTALL) -D -m 644 frame/frame.h \
	    $(DESTDIR)$(INCLUDEDIR)/beacond/frame.h
	$(INSTALL) -D -m 644 $(BUILD)/beacond-frame.pc \
	    $(DESTDIR)$(LIBDIR)/pkgconfig/beacond-frame.pc

uninstall-frame:
	rm -f $(addprefix $(DESTDIR),$(FRAME_INSTALLED))
	-rmdir $(DESTDIR)$(INCLUDEDIR)/beacond

# The clients in Python and Go, and what shows how they are used.
FRAMEDIR   ?= $(PREFIX)/share/beacond/frame
FRAME_CLIENTS := $(wildcard frame/python/*.py frame/go/go.mod frame/go/*.go \
	      frame/go/cmd/*/*.go)

install-frame: install-frame-clients
uninstall-frame: uninstall-frame-clients

.PHONY: install-frame-clients uninstall-frame-clients
install-frame-clients:
	$(foreach f,$(FRAME_CLIENTS),$(INSTALL) -D -m 644 $(f) \
	    $(DESTDIR)$(FRAMEDIR)/$(f:frame/%=%) &&) :

uninstall-frame-clients:
	rm -rf $(DESTDIR)$(FRAMEDIR)
	-rmdir $(DESTDIR)$(PREFIX)/share/beacond
