# Memory that is read before it is written: make check-msan, some minutes.  Unit
# tests and the kept seeds of the fuzzers, with clang's MemorySanitizer; what
# libraries write it is told by memory.c.
MSAN	   := $(BUILD)/msan
MSAN_WRAPS := malloc free realloc reallocarray strlcpy strlcat strtonum \
	      syscall fstat64 stat64 lstat64 fstatat64 mallinfo2 ev_run \
	      ev_default_loop \
	      $(addprefix crypto_,generichash generichash_update \
	      generichash_final shorthash sign_keypair sign_seed_keypair \
	      sign_detached sign_verify_detached) randombytes_buf \
	      $(addprefix sodium_,base642bin bin2base64 bin2hex) \
	      SHA1Update SHA1Final json_dumpb json_loadb json_set_alloc_funcs
MSAN_CC	   := clang -DSANITIZED -fsanitize=memory \
	      -fsanitize-memory-track-origins -fno-omit-frame-pointer \
	      -Wno-unused-command-line-argument $(call wrap,$(MSAN_WRAPS))
# What measures memory; and json_unpack(3) writes who knows where.
MSAN_NOT   := auth/learned_test.c::test_memory \
	      parent/holders_test.c::test_memory \
	      ctl/control_test.c ctl/login_test.c
MSAN_RUN   := MSAN_OPTIONS=poison_in_malloc=0:poison_in_free=0

ifdef MSAN_OBJECT
$(LIBCOMMON) $(FUZZERS:%=$(FUZZ)/%): $(BUILD)/obj/regress/static/memory.o
endif

.PHONY: check-msan
check-msan: deps-test
	@$(BUILDING) BUILD=$(MSAN) CC="$(MSAN_CC)" FUZZ_CC="$(MSAN_CC)" \
	    FUZZ_FLAGS="-std=c11 -O1 -g" OPTIMIZE="-O1 -g" \
	    HARDENING=-fPIE MSAN_OBJECT=1 unit fuzzers
	@rm -f $(TALLY); $(MSAN_RUN); export MSAN_OPTIONS; \
	$(call pytest,msan,regress/unit \
	    $(MSAN_NOT:%=--deselect regress/unit/%)); \
	awk '{ exit $$2 || !$$1 }' $(TALLY)
	@for f in $(FUZZERS); do \
	    $(MSAN_RUN) $(MSAN)/fuzz/$$f -runs=0 \
	        -artifact_prefix=$(MSAN)/ regress/fuzz/corpus/$$f \
	        2>$(MSAN)/$$f.log || { cat $(MSAN)/$$f.log; exit 1; }; \
	done
