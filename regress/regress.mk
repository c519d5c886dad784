# Unit tests: regress/unit/ROLE/NAME_test.c links with ROLE/NAME.c alone and
# common/, or with what is listed here.  A test that needs much shows a file that
# knows much.

UNIT_ROLES := common parent worker auth metrics ctl
UNIT_LIBS  := -lev -lbsd -lsodium -ljansson -lmd -lseccomp -lyajl -lssl \
	      -lcrypto
unit_tests  = $(patsubst regress/unit/%_test.c,%,\
	      $(wildcard regress/unit/$(1)/*_test.c))

in = $(patsubst %,$(1)/%.c,$(2))

unit_auth/enroll := $(call in,auth,enroll tell)
unit_auth/firstkey := $(call in,auth,firstkey keycache)
auth_keystore	   := $(call in,auth,absent keycache keystore learned)
unit_auth/grant	   := $(auth_keystore) $(call in,auth,grant firstkey)
unit_auth/keyfile  := $(call in,auth,keyfile keycache)
unit_auth/keys     := $(call in,auth,keys tell turn)
unit_auth/keys_cache := $(call in,auth,keys_cache tell turn)
unit_auth/keys_snapshot := $(call in,auth,keys_snapshot tell turn)
unit_auth/keystore := $(auth_keystore)
unit_auth/login	   := $(call in,auth,login tell turn)
unit_auth/snapshot := $(call in,auth,snapshot keycache)
unit_auth/status   := $(call in,auth,status tell)
unit_auth/timer    := $(call in,auth,timer turn)
unit_auth/walk	   := $(call in,auth,tell turn walk)
unit_auth/work	   := $(call in,auth,tell turn work)
unit_auth/cachefile := $(call in,auth,cachefile learned)
unit_auth/verify   := $(call in,auth,verify challenge keycache)
# All of it, with a parent, a worker and a registry that the test plays.
unit_auth/dispatch := $(filter-out auth/main.c auth/check.c auth/sandbox.c,\
		      $(wildcard auth/*.c))
unit_auth/registry := $(unit_auth/dispatch)
unit_auth/warm	   := $(unit_auth/dispatch)
unit_auth/many	   := $(unit_auth/dispatch)

unit_ctl/control   := $(call in,ctl,client format output_json \
		      output_registry output_text output_workers rows \
		      show)
unit_ctl/login	   := $(call in,ctl,keyfile login ws_answer ws_client \
		      ws_connect ws_tls)
unit_ctl/ws_client := $(call in,ctl,ws_answer ws_client ws_connect \
		      ws_tls)

unit_metrics/answer := $(call in,metrics,answer out)
unit_metrics/chart := $(call in,metrics,chart out ring)
unit_metrics/manual := $(call in,metrics,out)
unit_metrics/page  := $(call in,metrics,chart out page ring text)
unit_metrics/text  := $(call in,metrics,out text)

unit_parent/control := $(call in,parent,control local_socket)
unit_parent/control_peers := $(call in,parent,control control_peers \
		      local_socket peermap_write process)
unit_parent/admit  := $(call in,parent,admit conf_table peermap_write process)
unit_parent/block  := $(call in,parent,block block_file conf_table newfile)
unit_parent/block_file := $(call in,parent,block_file conf_table newfile)
unit_parent/adopt  := $(call in,parent,adopt park_file peermap_write process \
		      unpark_file)
unit_parent/adopt_ward := $(call in,parent,adopt_ward process)
unit_parent/beside := $(call in,parent,beside process)
unit_parent/beacons := $(call in,parent,beacons conf_table refusal resolve)
unit_parent/conf   := $(wildcard parent/conf_*.c)
unit_parent/conf_file := $(unit_parent/conf)
unit_parent/entrust := $(call in,parent,death entrust park_file \
		      peermap_write process)
unit_parent/endpoint := $(call in,parent,conf_table endpoint holders \
		      inherit listen_address peermap_write process refusal \
		      steer)
unit_parent/from_ctl := $(call in,parent,control from_ctl local_socket \
		      memory metrics peermap_write process)
unit_parent/from_ctl_workers := $(call in,parent,from_ctl_workers memory metrics \
		      peermap_write process)
unit_parent/gossip := $(call in,parent,conf_table gossip gossip_ports \
		      gossip_send gossip_source inherit listen_address listen_fail \
		      listen_socket listen_udp memory metrics peermap_write process \
		      refusal steer)
unit_parent/gossip_ports := $(call in,parent,gossip_ports process)
unit_parent/gossip_source := $(call in,parent,gossip_source process)
unit_parent/keys   := $(call in,parent,keys process)
unit_parent/listen_fail := $(call in,parent,listen_address listen_fail)
unit_parent/listen := $(call in,parent,listen listen_address listen_fail \
		      listen_socket listen_udp)
unit_parent/listen_check := $(call in,parent,listen_address listen_check \
		      listen_socket)
unit_parent/listen_socket := $(call in,parent,listen_address listen_socket)
unit_parent/listen_udp := $(call in,parent,listen_address listen_fail \
		      listen_socket listen_udp)
unit_parent/move   := $(call in,parent,move peermap_write process)
unit_parent/park   := $(call in,parent,park park_file process)
unit_parent/park_ahead := $(call in,parent,park_ahead park_file peermap_write)
unit_parent/park_map := $(call in,parent,park_file park_map peermap_write \
		      unpark_file unpark_map)
unit_parent/park_file := $(call in,parent,park_file unpark_file)
unit_parent/park_told := $(call in,parent,park_file park_told peermap_write \
		      process)
unit_parent/places := $(call in,parent,places process)
unit_parent/renew  := $(call in,parent,process renew)
unit_parent/resize := $(call in,parent,process resize)
unit_parent/metrics := $(call in,parent,memory metrics process)
unit_parent/shutdown := $(call in,parent,process shutdown)
unit_parent/supervise := $(call in,parent,death ping process supervise)
unit_parent/sums   := $(call in,parent,process sums)
unit_parent/keys_cache := $(call in,parent,conf_table keys_cache memory newfile \
		      process)
unit_parent/keys_snapshot := $(call in,parent,conf_table keys_snapshot process)
unit_parent/registry := $(call in,parent,conf_table dial process registry \
		      resolve)
unit_parent/resolve := $(call in,parent,resolve resolver resolver_sandbox)
unit_parent/sandbox := $(call in,parent,conf_table control inherit keys listen \
		      block_file keys_cache memory listen_address listen_fail \
		      listen_socket listen_udp local_socket newfile notify process \
		      sandbox sandbox_files shutdown)
unit_parent/steer  := $(call in,parent,inherit listen_address steer)
unit_parent/unpark := $(call in,parent,admit park_file peermap_write process \
		      unpark unpark_ahead unpark_batch unpark_file)
unit_parent/unpark_ahead := $(unit_parent/unpark)
unit_parent/successor := $(call in,parent,park_file process successor unpark_file)
unit_parent/successor_ask := $(call in,parent,inherit process successor_ask)
unit_parent/wiring := $(call in,parent,process wiring)
# What children say is heard by nearly all of it.
unit_parent/from_child := $(filter-out %/main.c,$(wildcard parent/*.c))

# What a session needs to write, and to read.
worker_outq	   := $(call in,worker,broken chunks outq outq_progress \
		      stranger wheel)
worker_session	   := $(worker_outq) \
		      $(call in,worker,gather inbound report session tell)
worker_http	   := $(call in,worker,http http_forwarded http_host http_text \
		      networks)

unit_common/channel_send := common/channel.c
unit_worker/accept := $(call in,worker,accept stranger)
unit_worker/accept_listener := $(unit_worker/accept)
unit_worker/beacons := $(call in,worker,beacon_table beacons limit report tell udp \
		      udp_control udp_send)
unit_worker/broken := $(call in,worker,broken stranger wheel)
unit_worker/datagram := $(call in,worker,datagram lookup report)
unit_worker/discover := $(call in,worker,discover limit packet)
unit_worker/from_parent := $(call in,worker,from_parent from_parent_router networks)
unit_worker/gather := $(worker_outq) worker/gather.c
unit_worker/http   := $(worker_http)
unit_worker/http_forwarded := $(call in,worker,http_forwarded http_text networks)
unit_worker/http_host := $(call in,worker,http_host http_text)
unit_worker/http_response := $(worker_http) worker/http_response.c
unit_worker/login  := $(call in,worker,login login_reply report)
unit_worker/login_nonces := $(unit_worker/login)
unit_worker/move_say := $(call in,worker,chunks move_say)
unit_worker/move_told := $(worker_outq) \
		      $(call in,worker,inbound move_state move_told outq_move \
		      ws_utf8)
unit_worker/outq   := $(worker_outq)
unit_worker/outq_move := $(worker_outq) worker/outq_move.c
unit_worker/outq_control := $(worker_session)
unit_worker/outq_pace := $(worker_session)
unit_worker/proxy_header := $(call in,worker,http_text proxy_header)
unit_worker/punch  := $(call in,worker,limit networks packet punch report)
unit_worker/relay  := $(call in,worker,relay lookup packet)
unit_worker/session := $(worker_session)
unit_worker/session_move := $(worker_outq) \
		      $(call in,worker,inbound outq_move session_move)
unit_worker/session_control := $(call in,worker,session_control ws_utf8)
unit_worker/session_frame := $(call in,worker,inbound session_frame ws_utf8)
unit_worker/session_frame_text := $(unit_worker/session_frame)
unit_worker/session_head := $(worker_http) \
		      $(call in,worker,http_response proxy_header report session_head \
		      session_proxy)
unit_worker/session_proxy := $(call in,worker,http_text networks proxy_header report \
		      session_proxy)
unit_worker/session_read := $(call in,worker,inbound session_read)
unit_worker/route  := $(call in,worker,route route_recv)
unit_worker/router_recv := $(call in,worker,route router \
		      router_recv router_window ws_utf8)
unit_worker/timer  := $(call in,worker,measure timer wheel)
unit_worker/udp_recv := $(call in,worker,udp_control udp_recv)
unit_worker/udp_send := $(call in,worker,udp udp_control udp_send)
# Packets and frames by all ways, from one end to the other.
unit_worker/answers := $(filter-out \
		      $(call in,worker,main accept sandbox from_auth \
		      from_parent),$(wildcard worker/*.c))

define unit_test
$(BUILD)/unit/$(1)_test: $(BUILD)/obj/regress/unit/$(1)_test.o \
    $(patsubst %.c,$(BUILD)/obj/%.o,$(or $(unit_$(1)),$(wildcard $(1).c))) \
    $(LIBCOMMON)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(ALL_LDFLAGS) $(wrap_$(1):%=-Wl,--wrap=%) -o $$@ $$^ \
	    $$(UNIT_LIBS)
endef

# What a test has in the place of the library's.
wrap_parent/logfd := clock_seconds
wrap_parent/sandbox := newfile_prove
wrap_worker/inbound := malloc realloc
wrap_worker/route  := malloc realloc
wrap_worker/session_move := calloc
wrap_worker/router_recv := recv
wrap_auth/many	   := crypto_sign_verify_detached log_limited
wrap_common/loop   := malloc realloc
wrap_common/channel_send := malloc calloc realloc sendmsg recvmsg log_limited

UNIT_NAMES := $(foreach r,$(UNIT_ROLES),$(call unit_tests,$(r)))
$(foreach t,$(UNIT_NAMES),$(eval $(call unit_test,$(t))))

UNIT_TESTS := $(UNIT_NAMES:%=$(BUILD)/unit/%_test)

.PHONY: unit check
unit: $(UNIT_TESTS)

# What each of them is linked with, for regress/lint/test_units.py.
.PHONY: unit-links unit-wraps
unit-links:
	@: $(foreach t,$(UNIT_NAMES),\
	    $(info $(t): $(or $(unit_$(t)),$(wildcard $(t).c))))

# And what it has in the place of the library's, for regress/static/mutate.py.
unit-wraps:
	@: $(foreach t,$(UNIT_NAMES),$(info $(t): $(wrap_$(t))))

# pytest, five tests at a time, as most only wait, on the programs in
# $(BUILD)/$(1).  How many passed and failed is in $(TALLY) afterwards; 5 says
# that no test was chosen.
TESTS	   ?=
TALLY	   := $(abspath $(BUILD))/tally
PYTEST	   := /usr/bin/python3 -m pytest -q --no-header --tb=short -n 5 \
	      --continue-on-collection-errors
define pytest
echo "tests of $(BUILD)/$(1)"; \
BEACOND_BUILD=$(abspath $(BUILD))/$(1) BEACOND_TALLY=$(TALLY) \
$(PYTEST) $(2) $(TESTS) || case $$? in 1|5) ;; *) echo 0 1 >>$(TALLY) ;; esac
endef

# Everything with the strict sandbox, which kills for what the shipped one only
# denies; unit tests, parsers and packet path with the sanitizers as well: that
# clang builds it all is a test, too.  TESTS="-k login" runs fewer.
BUILDING   := $(MAKE) --no-print-directory -j$(shell nproc)
check:
	@$(BUILDING) all
	@$(BUILDING) WERROR=1 BUILD=$(BUILD)/strict \
	    DEFINES=-DSANDBOX_STRICT all unit hostile bench-tests fuzzers
	@$(BUILDING) WERROR=1 BUILD=$(BUILD)/asan SANITIZE=1 all unit
	@rm -f $(TALLY)
	@$(call pytest,strict)
	@$(call pytest,asan,-m sanitized)
	@awk '{ p += $$1; f += $$2 } \
	    END { print p + 0 " passed, " f + 0 " failed"; exit f || !p }' $(TALLY)

include regress/bench/bench.mk
include regress/load/load.mk
include regress/hostile/hostile.mk
include regress/faults/faults.mk
include regress/cross/cross.mk

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

# Who dies at each step of a move, all of it: two minutes.
.PHONY: check-steps
check-steps: deps-test
	@$(MAKE) --no-print-directory WERROR=1 BUILD=$(BUILD)/strict \
	    DEFINES=-DSANDBOX_STRICT all hostile
	STEPS=all BEACOND_BUILD=$(abspath $(BUILD))/strict $(PYTEST) \
	    regress/system/test_move_steps.py regress/system/test_successor.py \
	    regress/system/test_adopt.py

# Keys of a registry at the numbers that are promised, minutes of it: ten million
# ids through auth, and what is measured (regress/bench/README.md).
.PHONY: check-registry
check-registry: deps-test
	@$(MAKE) --no-print-directory all bench-programs \
	    $(BUILD)/unit/auth/many_test
	MANY_IDS=10000000 $(BUILD)/unit/auth/many_test
	/usr/bin/python3 regress/bench/bench_registry.py --build $(BUILD)

include regress/fuzz/fuzz.mk
include regress/model/model.mk
include regress/static/static.mk
include regress/static/coverage.mk
include regress/static/memory.mk
