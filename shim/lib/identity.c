/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * identity.c: see identity.h.
 */
#include "identity.h"

#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "mac.h"

/* The first line of /etc/machine-id: its length, 0 where there is none. */
static size_t machine_id(char *text, size_t size)
{
	int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, text, size);
	close(fd);
	return n > 0 ? mac_identity_len(text, (size_t)n) : 0;
}

uint32_t identity_host(void)
{
	char text[128] = "";
	struct utsname names;
	size_t len = machine_id(text, sizeof(text) - 1);

	if (len)
		return mac_host(text, len);
	if (uname(&names) < 0)
		return mac_host("", 0);
	return mac_host(names.nodename, strlen(names.nodename));
}

void identity_name(char *name, size_t size)
{
	struct utsname names;
	size_t len;

	name[0] = '\0';
	if (uname(&names) < 0)
		return;
	len = strcspn(names.nodename, ".");
	if (len >= size)
		len = size - 1;
	memcpy(name, names.nodename, len);
	name[len] = '\0';
}
