/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * discovery_addresses.h: this host's own addresses, interface by interface, as the records that a
 * responder of our own publishes; told at the start and whenever they change.
 *
 * Reads the kernel's lists only; changes nothing.
 */
#ifndef BASILISK_TAP_SHIM_DISCOVERY_ADDRESSES_H
#define BASILISK_TAP_SHIM_DISCOVERY_ADDRESSES_H

#include <stddef.h>
#include <stdint.h>

#include <avahi-common/watch.h>

#define ADDRESSES_MAX 16 /* of one interface; more are left out */

/* An address: 4 bytes of IPv4, or 16 of IPv6. */
struct own_address {
	int family;
	uint8_t byte[16];
};

/* The addresses of @interface (an index) have changed to these; with @n 0 it has none any more. */
typedef void (*addresses_changed)(void *user, int interface, const struct own_address *addresses,
				  size_t n);

struct addresses;

/*
 * Starts telling, from the loop. 0 and *@addresses, owned by the caller; or a negative errno.
 * Interfaces that are down, point to point or without multicast are passed over, the loopback is
 * not.
 */
int addresses_new(const AvahiPoll *poll, addresses_changed changed, void *user,
		  struct addresses **addresses);

/* Tells all of them again, as if each had changed. */
void addresses_again(struct addresses *addresses);

void addresses_free(struct addresses *addresses);

#endif
