/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device.h: one open device, as the parts of the library share it.
 *
 * Who may do what:
 *  - the emulator's threads run receive.c and send.c: they read and write the TAP and the data
 *    sockets, look peers up, and count; what needs thought they pass on by device_notice()
 *  - the control thread runs all else: it alone adds, removes and changes peers, and replaces
 *    the TAP
 *  - .peers, .watched and .said are under .lock, which is held for microseconds and never across a
 *    wait; who changes .peers or .fast.to takes it by device_lock_to_change()
 */
#ifndef BASILISK_TAP_SHIM_DEVICE_H
#define BASILISK_TAP_SHIM_DEVICE_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "basilisk-tap.h"
#include "control.h"
#include "discovery.h"
#include "ether_option.h"
#include "fast_way.h"
#include "frame.h"
#include "lately.h"
#include "outcome.h"
#include "peers.h"
#include "route.h"
#include "slot.h"
#include "tunnel.h"
#include "wait.h"

struct control_thread;

#define CACHE_LINE 64 /* bytes, of the processors that are usual */

/* Of a function that few frames need: what it has on the stack costs the others nothing. */
#define APART __attribute__((noinline))

/*
 * Each is only ever added to. Frames that go as lately are counted there, and not here; nor are
 * datagrams that the kernel drops as long as their socket is open.
 */
struct counters {
	_Atomic uint64_t from_tap;    /* frames the guest got by the TAP */
	_Atomic uint64_t from_tunnel; /* frames the guest got by the tunnel */
	_Atomic uint64_t sent;	      /* frames of the guest that were sent */
	_Atomic uint64_t to_tap;      /* of those, by the TAP */
	_Atomic uint64_t to_tunnel;   /* datagrams sent with frames of the guest */
	_Atomic uint64_t control_in;  /* confirmation frames that were valid */
	_Atomic uint64_t control_bad; /* confirmation frames that were not */
	_Atomic uint64_t control_out; /* confirmation frames sent */
	_Atomic uint64_t drop[DROP_REASONS];
};

/*
 * What each frame needs comes first, in three lines of the processor's cache, which the kernel's
 * work for the frame before may have emptied: one that is only read, and one for each direction, as
 * the emulator has a thread for each.
 */
struct bt_device { /* NOLINT(clang-analyzer-optin.performance.Padding): of lines, wanted */
	/* a page that reads as zero in a child after fork */
	alignas(CACHE_LINE) volatile uint8_t *owner;
	struct mac mac;
	int capture;
	/*
	 * The TAP's number stays the same for life: a new TAP is put in its place, so that no
	 * thread ever uses a number that has become something else. -1: there never was one.
	 */
	int tap;
	_Atomic bool tap_alive;
	_Atomic int attach; /* enum attach; ATTACH_NO whenever the TAP is not alive */
	struct fast_way fast;
	alignas(CACHE_LINE) struct lately sending;
	alignas(CACHE_LINE) struct lately receiving;
	_Atomic unsigned int turn; /* of bt_receive(): turn.h */
	alignas(CACHE_LINE) struct wait wait;
	struct tunnel tunnel;
	struct ether_option option;
	struct slot slot;
	int notice[2]; /* from [1], the data path, to [0], the control thread */

	pthread_mutex_t lock;
	struct peers peers;
	bool watched; /* the control thread looks for answers to what is sent to them */
	struct {
		char tap[IFNAME_SIZE];
		char uplink[IFNAME_SIZE];
		char reason[OUTCOME_TEXT_SIZE];
		char discovery[DISCOVERY_LINE_SIZE];
	} said;

	struct counters counters;
	_Atomic uint32_t notice_next;	   /* no notice about strangers before this time */
	_Atomic uint32_t ignored;	   /* announcements that the peers had no room for */
	_Atomic uint64_t unproven_allowed; /* time and number: see send.c */

	struct control_thread *control;
};

enum notice_kind {
	NOTICE_TAP_LOST, /* the TAP has gone */
	NOTICE_CONTROL,	 /* .frame came from .from; port 0: by the TAP */
	NOTICE_STRANGER, /* a datagram of .mac came from .from, and does not belong there */
	NOTICE_DOUBT,	 /* sending to .mac failed */
	NOTICE_SENT,	 /* something goes to a peer, and .watched was just set */
	NOTICE_BUSY,	 /* many frames go to .mac, which is at .from */
};

/* What the data path tells the control thread: one datagram of a socket pair. */
struct notice {
	enum notice_kind kind;
	struct mac mac;
	struct tunnel_target from;
	uint8_t frame[CONTROL_LEN];
};

/* Passes a notice on; lost where the control thread does not keep up. */
void device_notice(const struct bt_device *device, const struct notice *notice);

/* DROP_NONE, or why the frame must not go on, whoever sent it. */
enum drop device_check(const uint8_t *frame, size_t len);

/* As device_notice(): of @kind, about @mac; @from may be NULL. */
void device_notice_mac(const struct bt_device *device, enum notice_kind kind, const struct mac *mac,
		       const struct tunnel_target *from);

/* How many frames there were, whatever socket they took. */
struct traffic {
	uint64_t from_tap;    /* the guest got by the TAP */
	uint64_t from_tunnel; /* the guest got by the tunnel */
	uint64_t sent;	      /* of the guest that were sent */
	uint64_t to_tap;      /* of those, by the TAP */
	uint64_t to_tunnel;   /* datagrams sent with frames of the guest */
};

struct traffic device_traffic(const struct bt_device *device);

/* How many were dropped for @reason. */
uint64_t device_drops(const struct bt_device *device, enum drop reason);

/* Takes a TAP that shows an error out of use, at once and in any thread. True for the first. */
bool device_tap_lost(struct bt_device *device);

/* Puts @tap, which becomes the device's, in the place of a lost one. 0 or a negative errno. */
int device_tap_replace(struct bt_device *device, int tap, enum attach attach);

static inline void count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static inline void device_dropped(struct bt_device *device, enum drop reason)
{
	count(&device->counters.drop[reason]);
}

/* Takes the lock for who changes what frames go by. */
static inline void device_lock_to_change(struct bt_device *device)
{
	pthread_mutex_lock(&device->lock);
	lately_forget(&device->sending);
	lately_forget(&device->receiving);
}

static inline bool device_is_ours(const struct bt_device *device)
{
	return *device->owner != 0;
}

/*
 * Sends confirmation frames by the TAP. What the TAP cannot take is dropped: they are repeated.
 */
void device_send_by_tap(struct bt_device *device, const void *frame, size_t len);

#endif
