/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * records.h: the DNS records by which an emulator announces itself, and the forms in which names
 * and data of records go to and come from Avahi: names as text in its notation ("a\.b.local",
 * bytes that are no letters or digits as \DDD), data as on the wire (RFC 1035), uncompressed.
 *
 * Pure: no I/O, no allocation. What comes from the network is read within its length.
 */
#ifndef BASILISK_TAP_SHIM_RECORDS_H
#define BASILISK_TAP_SHIM_RECORDS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "txt.h"

#define RECORD_NAME_SIZE     1014 /* of a name as text, with the final NUL; every byte escaped */
#define RECORD_WIRE_MAX	     255  /* bytes of a name on the wire (RFC 1035, 2.3.4) */
#define RECORD_DATA_MAX	     TXT_RDATA_MAX
#define RECORD_STRINGS_MAX   64 /* printers, which have the most, have some 30 */
#define RECORD_SERVICE	     TXT_SERVICE ".local"
#define RECORDS_OF_SERVICE   3
#define RECORD_HOST_SIZE     40 /* of records_host(), with the final NUL */
#define RECORD_INSTANCE_SIZE 64 /* of records_instance(), with the final NUL */

/* Types of RFC 1035, RFC 3596 and RFC 2782. */
enum record_type {
	RECORD_A = 1,
	RECORD_PTR = 12,
	RECORD_TXT = 16,
	RECORD_AAAA = 28,
	RECORD_SRV = 33,
};

/* One record of ours. Owned by whoever declared it. */
struct record {
	char name[128];
	enum record_type type;
	uint32_t ttl;
	bool unique; /* nobody else has this name and type: caches are to flush what they have */
	size_t len;
	uint8_t data[TXT_MAX + 16];
};

/*
 * The PTR, SRV and TXT record that announce @txt, whose port must be set, on @host, a name as
 * text. 0, or -EINVAL where @host is no name that fits.
 */
int records_of_service(const struct txt *txt, const char *host,
		       struct record records[RECORDS_OF_SERVICE]);

/* The A or AAAA record of @host for @address, by family; @bytes is 4 or 16 bytes. 0 or -EINVAL. */
int records_of_address(const char *host, int family, const void *bytes, struct record *record);

/* The name, as text, that @mac announces itself by. Returns @name. */
char *records_instance(const struct mac *mac, char name[RECORD_INSTANCE_SIZE]);

/* A host name that no other emulator has: the guest's MAC makes it unique. Returns @host. */
char *records_host(const struct mac *mac, char host[RECORD_HOST_SIZE]);

/* Name as text to wire, into RECORD_WIRE_MAX bytes. Its length, or -EINVAL. */
int record_name_encode(const char *text, uint8_t *wire);

/*
 * Name on the wire to text, into RECORD_NAME_SIZE bytes. How many of the @len bytes it took, or
 * -EINVAL: runs over the end, too long, the root, or compressed.
 */
int record_name_decode(const uint8_t *wire, size_t len, char *text);

/*
 * True for a DNS message (RFC 1035, 4.1) that is whole, and has in each record RECORD_DATA_MAX
 * bytes of data at most, in a TXT record RECORD_STRINGS_MAX strings: what is kept of it is then not
 * much longer than the message itself.
 */
bool records_are_sane(const uint8_t *message, size_t len);

/*
 * True where @name is @suffix below one or more labels; both as text, letters of either case
 * being the same.
 */
bool record_name_is_below(const char *name, const char *suffix);

/* A SRV record's port and target, as text into RECORD_NAME_SIZE bytes. 0 or -EINVAL. */
int record_read_srv(const uint8_t *data, size_t len, uint16_t *port, char *target);

/*
 * An A or AAAA record's address, seen on @interface (an index; 1 is the loopback's), as a socket
 * address with @port. 0, or -EINVAL for what no emulator can be reached at: groups, broadcast,
 * unspecified and reserved ones, IPv4 written as IPv6, and loopback heard from a real network.
 */
int record_read_address(enum record_type type, const uint8_t *data, size_t len, int interface,
			uint16_t port, struct sockaddr_in6 *address);

#endif
