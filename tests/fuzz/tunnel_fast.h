/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel_fast.h: for fuzz_tunnel.c, the socket that is connected to the busiest peer: one end of a
 * pair stands in for it, opened, connected and given up by the real fast_way.c, read and written by
 * the real data path. What comes by it is judged twice, as if it had come by the socket for all,
 * too: both must come to the same, though the one remembers what it decided lately.
 *
 * Includes nothing of the device by itself: fuzz_tunnel.c has it.
 */
#ifndef BASILISK_TAP_TESTS_FUZZ_TUNNEL_FAST_H
#define BASILISK_TAP_TESTS_FUZZ_TUNNEL_FAST_H

enum { NOTICES = 8, NEVER = -1 };

static struct {
	int ours, theirs;	 /* the pair, for all runs */
	struct tunnel_target to; /* whom it is connected to; port 0: nobody yet */
	int due;		 /* milliseconds until fast_way_check() */
	_Atomic int *waiter;	 /* somebody who waits since before it was there */
} fast;

static unseen void fast_empty(int fd)
{
	uint8_t buffer[FRAME_MAX + 8];

	while (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) >= 0)
		;
}

/* Before the device is made anew. */
static void fast_start(void)
{
	if (!fast.ours) {
		int pair[2];

		insist(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) == 0);
		fast.ours = pair[0];
		fast.theirs = pair[1];
	} else if (device.fast.fd >= 0) {
		close(device.fast.fd);
	}
	fast.to.port = 0;
	fast.due = NEVER;
	fast.waiter = NULL;
}

int tunnel_socket(const struct tunnel_target *to)
{
	(void)to;
	fast.to.port = 0;
	return fcntl(fast.ours, F_DUPFD_CLOEXEC, 0);
}

int tunnel_connect(const struct tunnel *tunnel, int fd, const struct tunnel_target *to)
{
	(void)tunnel;
	insist(fd == device.fast.fd && to->port && !device.fast.open && !fast.waiter);
	fast_empty(fast.ours);
	fast_empty(fast.theirs);
	fast.to = *to;
	return 0;
}

/* Given up, its number must not lead to the socket any more: datagrams would come there. */
static unseen void fast_check(void)
{
	const struct fast_way *way = &device.fast;
	uint8_t byte;

	insist(way->open == (way->to.port != 0));
	insist(way->open || way->next.port || way->fd < 0 ||
	       (recv(way->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == ENOTSOCK));
}

/* What the kernel does with a datagram from @at: true where it is the connected socket's. */
static unseen bool fast_takes(const struct tunnel_target *at)
{
	return device.fast.open && tunnel_target_equal(&fast.to, at);
}

static void fast_arrive(const uint8_t *frame, size_t len)
{
	fast_empty(fast.ours);
	insist(send(fast.theirs, frame, len, 0) == (ssize_t)len);
}

/* True where the guest's frame went by it, byte for byte, and once. */
static unseen bool fast_went(const uint8_t *frame, size_t len)
{
	uint8_t buffer[FRAME_MAX + 8];
	ssize_t n = recv(fast.theirs, buffer, sizeof(buffer), MSG_DONTWAIT);

	if (n < 0)
		return false;
	insist(device.fast.open && (size_t)n == len && memcmp(buffer, frame, len) == 0);
	insist(recv(fast.theirs, buffer, sizeof(buffer), MSG_DONTWAIT) < 0);
	return true;
}

/* The control thread's part. */
static void fast_busy(const struct tunnel_target *to)
{
	fast.due = fast_way_open(&device, to);
}

static void fast_time(uint32_t passed)
{
	if (fast.due == NEVER)
		return;
	fast.due -= (int)passed;
	/* as often as it wants to come round in that time, and then once more */
	for (int i = 0; fast.due <= 0 && i < 30; i++) {
		int next = fast_way_check(&device);

		insist(next == NEVER || next > 0);
		fast.due = next == NEVER ? NEVER : fast.due + next;
		if (next == NEVER)
			break;
	}
	if (fast.due != NEVER && fast.due < 1)
		fast.due = 1;
}

/* Somebody begins to wait, or comes round. */
static void fast_wait(void)
{
	if (fast.waiter) {
		--*fast.waiter;
		fast.waiter = NULL;
	} else if (!device.fast.next.port) {
		fast.waiter = &device.wait.waiting[device.wait.round & 1];
		++*fast.waiter;
	}
}

/* ---- twice judged ---- */

/* All that can become of a datagram. */
struct fate {
	ssize_t n;
	uint8_t frame[FRAME_MAX];
	uint64_t drop[DROP_REASONS];
	uint64_t control_bad, from_tunnel;
	struct notice notice[NOTICES];
	unsigned int notices;
	struct peer peer[PEERS_MAX];
	bool lately;
};

static unseen void take_fate(struct fate *fate)
{
	uint64_t before = device.receiving.count[LATELY_FAST];
	unsigned int n = 0;

	memset(fate, 0, sizeof(*fate));
	fate->n = read_card(fate->frame);
	while (fate->notices < NOTICES &&
	       recv(device.notice[0], &fate->notice[fate->notices], sizeof(struct notice),
		    MSG_DONTWAIT) == sizeof(struct notice))
		fate->notices++;
	for (unsigned int i = 0; i < DROP_REASONS; i++)
		fate->drop[i] = device.counters.drop[i];
	fate->control_bad = device.counters.control_bad;
	fate->from_tunnel = device_traffic(&device).from_tunnel;
	for (const struct peer *p = NULL; (p = peers_next(&device.peers, p));)
		fate->peer[n++] = *p;
	fate->lately = device.receiving.count[LATELY_FAST] != before;
}

static unseen void check_same_peer(const struct fate *slow, const struct fate *quick,
				   unsigned int i)
{
	struct peer a = slow->peer[i], b = quick->peer[i];

	/* signs of life: one that is as lately is none, others may be though not for the guest */
	if (quick->lately || quick->n <= 0) {
		insist(quick->lately || b.heard == a.heard || b.heard == clock_now);
		a.heard = b.heard;
		a.sent = b.sent;
		a.unheard = b.unheard;
		a.spoke |= b.spoke;
	}
	insist(memcmp(&a, &b, sizeof(a)) == 0);
}

static unseen void check_same_fate(const struct fate *slow, const struct fate *quick)
{
	insist(slow->n == quick->n && slow->notices == quick->notices);
	insist(slow->n <= 0 || memcmp(slow->frame, quick->frame, (size_t)slow->n) == 0);
	insist(memcmp(slow->drop, quick->drop, sizeof(slow->drop)) == 0);
	insist(slow->control_bad == quick->control_bad);
	insist(slow->from_tunnel == quick->from_tunnel);
	insist(memcmp(slow->notice, quick->notice, sizeof(slow->notice)) == 0);
	for (unsigned int i = 0; i < PEERS_MAX; i++)
		check_same_peer(slow, quick, i);
}

/* The datagram is there for the socket for all: it is judged so, undone, and judged once more. */
static unseen ssize_t fast_judge(uint8_t *buffer)
{
	static struct fate slow, quick;
	static struct peer slab[PEERS_MAX * 2];
	static struct bt_device before;
	size_t size = device.peers.high * sizeof(struct peer);

	insist(size <= sizeof(slab));
	fast_empty(fast.ours);
	memcpy(&before, &device, sizeof(device));
	memcpy(slab, device.peers.slab, size);
	take_fate(&slow);
	memcpy(&device, &before, sizeof(device));
	memcpy(device.peers.slab, slab, size);
	datagram.there = false;
	fast_arrive(datagram.frame, datagram.len);
	take_fate(&quick);
	check_same_fate(&slow, &quick);
	for (unsigned int i = 0; i < quick.notices; i++)
		device_notice(&device, &quick.notice[i]);
	if (quick.n > 0)
		memcpy(buffer, quick.frame, (size_t)quick.n);
	return quick.n;
}

#endif
