/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * basilisk-tap.h: a network card for an emulated Macintosh.
 *
 * One call, bt_open(), puts the guest on the network: on the real LAN by a TAP where this
 * machine's administrator allows it, otherwise peer to peer with every other emulator in reach.
 * Which of the two it got, and why, is said in one line on stderr and by bt_get_status().
 *
 * Frames are Ethernet frames as the guest sees them: destination, source, type or length,
 * payload; 14 to BT_FRAME_MAX bytes; neither padded nor with a check sequence. They pass byte
 * for byte.
 *
 * Errors are negative errno values, never errno itself. Nothing here raises a signal or ends the
 * process; no call but bt_open(), bt_wait() and bt_close() blocks, or lets its thread be cancelled.
 *
 * Threads: any function may be called from any thread, and bt_wait(), bt_receive(), bt_send(),
 * bt_get_status() on one device from several at once. bt_close() must be the last call on a
 * device. None may be called from a signal handler. The library runs two threads of its own for
 * each open device, with all signals blocked but those of a crash.
 *
 * Fork: a child has no network. There bt_fd(), bt_wait(), bt_receive() and bt_send() return
 * -ECHILD, bt_close() frees nothing that the parent uses; all descriptors are close-on-exec, and
 * closed in the child. It may open a device of its own.
 *
 * Environment, not looked at in a set-user-id program:
 *   BASILISK_TAP_LOG      error, info (as if unset) or debug: how much is said on stderr
 *   BASILISK_TAP_CAPTURE  a file of the user's own, or a named pipe, that gets all frames to and
 *                         from the guest, in pcap format
 *   BASILISK_TAP_HELPER   the helper to ask for a TAP, a program or the socket of a service
 *                         manager, or "none"
 */
#ifndef BASILISK_TAP_H
#define BASILISK_TAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BT_API __attribute__((visibility("default")))

#define BT_MAC_LEN   6
#define BT_FRAME_MIN 14	  /* bytes of the shortest frame */
#define BT_FRAME_MAX 1514 /* bytes of the longest frame */

/* An open device: the library's, until bt_close(). */
struct bt_device;

/*
 * 1 where @ether is a value that this library understands or would complain about: "auto",
 * "auto-bridge" or "auto-p2p", alone or followed by options; 0 for every other value, which is
 * then the emulator's own business. NULL is not ours. Never fails.
 */
BT_API int bt_is_ours(const char *ether);

/*
 * Puts a guest on the network. @ether, which is not kept, is
 *
 *   mode [separator option]...      separator: "/" or ","
 *
 *   auto         bridged if possible, otherwise peer to peer
 *   auto-bridge  bridged, or fail
 *   auto-p2p     peer to peer; no helper is asked
 *
 *   slot=N       take this slot, 0 to 15, and with it its MAC, or fail (otherwise: the lowest free)
 *   port=N       take this UDP port, 1024 to 65535, or fail (otherwise: 6066, or the next free)
 *   bridge=NAME  join this bridge of the administrator's, if the policy has a 'join' line for it
 *
 * for example "auto/slot=2,port=7000". Each option at most once; bridge= not with auto-p2p.
 *
 * Returns 0 and sets *@device, which the caller must bt_close(). On an error *@device is NULL, the
 * reason is on stderr in one line, and the result is
 *   -EINVAL  @ether is not understood
 *   -EBUSY   the slot or port asked for, or all slots of this user, are taken
 *   -ENODEV  auto-bridge, and not to be bridged
 *   or what the kernel said (-EMFILE, -ENOMEM, ...).
 * Takes a few milliseconds; some 3 seconds where the helper hangs, and 3 more where a service
 * manager's, which is then asked by its socket, does so too.
 */
BT_API int bt_open(const char *ether, struct bt_device **device);

/*
 * A descriptor that is readable whenever bt_receive() may have something; good for poll(),
 * select() and epoll, and for nothing else. The device's own: neither read, nor write, nor
 * close it. It never shows an error or a hang-up. Or a negative errno, where the kernel has no
 * memory; -ECHILD.
 *
 * It is an epoll descriptor over several others, and from the first call of this function on each
 * frame that arrives costs a little more. Who waits for nothing else calls bt_wait() instead, and
 * this one never.
 */
BT_API int bt_fd(const struct bt_device *device);

/*
 * Waits until bt_receive() may have something, for @timeout milliseconds (negative: for ever), as
 * poll() would for the descriptor alone, in less time. Returns 1; 0 where the time has passed;
 * -EINTR where a signal handler ran; -ECHILD; or another negative errno. The thread may be
 * cancelled in it; bt_close() ends it.
 */
BT_API int bt_wait(struct bt_device *device, int timeout);

/*
 * Takes the next frame for the guest. @buffer has @size bytes, at least BT_FRAME_MAX. Returns the
 * frame's length; -EAGAIN where there is none; -EINVAL for a small buffer; -ECHILD. After -EAGAIN
 * poll again: it may be said where there is one more, and the descriptor is then readable at once.
 * (So it must be awaited by level, not by EPOLLET.)
 */
BT_API ssize_t bt_receive(struct bt_device *device, void *buffer, size_t size);

/*
 * Sends one frame of the guest. Returns @len. As on a wire, that does not mean that anyone
 * got it: what cannot be sent at once is dropped, and counted. -EINVAL for a frame under
 * BT_FRAME_MIN bytes, -EMSGSIZE for one over BT_FRAME_MAX, -ECHILD.
 */
BT_API ssize_t bt_send(struct bt_device *device, const void *frame, size_t len);

/* Writes the guest's MAC address to @mac. It stays the same as long as the device is open. */
BT_API void bt_mac(const struct bt_device *device, uint8_t mac[BT_MAC_LEN]);

/* What bt_get_status() tells. Strings end with a NUL. New members are only added at the end. */
struct bt_status {
	uint8_t mac[BT_MAC_LEN];
	uint16_t port;	   /* UDP, where peers reach us */
	uint8_t slot;	   /* among this user's emulators */
	uint8_t bridged;   /* 1: on the LAN; 0: peer to peer */
	char attach[8];	   /* patch, join, bridge, host, none; "no" without a TAP */
	char tap[16];	   /* the TAP's name, or "" */
	char uplink[16];   /* what the TAP is attached to, or "" */
	char reason[320];  /* why not bridged, and what to do about it; or "" */
	uint32_t peers;	   /* other emulators known */
	uint64_t received; /* frames the guest got */
	uint64_t sent;	   /* frames the guest sent */
	uint64_t dropped;  /* frames dropped in either direction, for whatever reason */
};

/*
 * Fills the first @size bytes of a struct bt_status at @status: pass sizeof(struct bt_status),
 * so that programs built with an older or newer header work. Bytes this library does not know
 * become zero.
 */
BT_API void bt_get_status(const struct bt_device *device, struct bt_status *status, size_t size);

/*
 * Takes the guest off the network, says goodbye to the peers and frees @device; NULL is nothing.
 * Takes some milliseconds, at most about half a second; but where a helper that hangs is being
 * asked for another TAP, it waits for the end of that, as bt_open() does.
 *
 * A program that calls exit() or returns from main() without it says the same goodbye; one that
 * ends by a signal or _exit() says none, and its peers take it for gone after a minute of silence
 * at most.
 */
BT_API void bt_close(struct bt_device *device);

#ifdef __cplusplus
}
#endif

#endif
