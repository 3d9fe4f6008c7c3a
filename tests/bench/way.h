/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * way.h: what frames can go through in a measurement, all used alike: as the emulator uses its
 * descriptor, poll() and then frames until there is none. poll() is bt_wait() for libbasilisk-tap,
 * as it is for an emulator with the preload library.
 *
 *   fd:N                    a TAP's descriptor, inherited: read() and write()
 *   card:NAME               a packet socket on that device: recv() and send(), which take less
 *   udp:PORT,ADDRESS,PORT   a connected UDP socket, so too: from which port, to where
 *   vde:URL                 libvdeplug, as an emulator that is linked with it
 *   anything else           a value of `ether`: libbasilisk-tap
 */
#ifndef BASILISK_TAP_BENCH_WAY_H
#define BASILISK_TAP_BENCH_WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <basilisk-tap.h>

/* One of .device, .vde, or neither: by .fd. */
struct way {
	int fd;
	bool socket; /* and that is a socket */
	struct bt_device *device;
	struct vde *vde;
	uint8_t mac[6]; /* the library's; zero where the way has none */
};

/* Ends the program where it cannot. */
void way_open(const char *text, struct way *way);

/* As read() and write() on a descriptor that does not block; negative on any error. */
ssize_t way_receive(const struct way *way, void *frame, size_t size);
ssize_t way_send(const struct way *way, const void *frame, size_t len);

/* As poll() for @way to be readable, for @ms milliseconds; -1: for ever. */
int way_wait(const struct way *way, int ms);

/* Seconds of CLOCK_MONOTONIC. */
double way_now(void);

/* Six bytes from twelve hex digits; ends the program where they are none. */
void way_parse_mac(const char *text, uint8_t *mac);

#endif
