/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_tunnel.c: datagrams and frames of any kind, at a device whose table of peers, decisions and
 * data path are the real ones; after each step what must never be otherwise is insisted on.
 *
 * The input is what a LAN does: announcements, datagrams from a few addresses under a few MACs,
 * confirmation frames whose cookies are forged, copied from elsewhere, or what we really sent to
 * that address; frames by the TAP, time, a change of attachment. UDP sockets are stand-ins, so that
 * a datagram can come from anywhere (tunnel_fast.h has the connected one); the TAP is one end of a
 * socket pair.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"
#include "capture.h"
#include "clock.h"
#include "confirm.h"
#include "device.h"
#include "input.h"
#include "raw.h"

enum { MACS = 24, PLACES = 12, STEPS_MAX = 120 };

static struct bt_device device;
static struct confirm confirm;
static uint32_t clock_now;

/* the data path, by the clock of this file */
#define clock_ms_coarse() clock_now
#include "../../shim/lib/receive.c"
#include "../../shim/lib/send.c"

static int lan_end; /* of the TAP */
static uint8_t owner_page;

/* ---- who is there: guests of this host and of others, and some that are none ---- */

static unseen struct mac mac_number(unsigned int n)
{
	struct mac mac = { { 0xb2, 0, 0, (uint8_t)(n % 3), 0, (uint8_t)n } };

	n %= MACS;
	mac.byte[3] = (uint8_t)(n % 3);
	mac.byte[5] = (uint8_t)n;
	if (n == MACS - 1)
		mac = (struct mac){ { 0x02 } }; /* no guest, and like ours but for one byte */
	if (n == MACS - 2)
		memset(mac.byte, 0xff, sizeof(mac.byte));
	return mac; /* number 0 is ours */
}

static unseen struct tunnel_target place_number(unsigned int n)
{
	struct tunnel_target t = { { { [10] = 0xff, [11] = 0xff } }, 6066 };

	n %= PLACES;
	t.address.byte[12] = n == 0 ? 127 : n == 1 ? 224 : 10;
	t.address.byte[15] = (uint8_t)n;
	if (n == 2)
		t.port = 6067;
	if (n == 3)
		t.port = 0;
	if (n == 4) {
		memset(t.address.byte, 0, sizeof(t.address.byte));
		put_be16(t.address.byte, 0xfe80);
		t.address.byte[7] = 3;
		t.address.byte[15] = 4;
	}
	if (n >= PLACES - 4)
		t.address.byte[13] = 9; /* not on a link of ours */
	return t;
}

static bool is_on_link(void *user, const struct address *address)
{
	(void)user;
	return !address_is_ipv4(address) || address->byte[13] != 9;
}

/* ---- what we sent, as far as it reaches whoever is at a place ---- */

static struct {
	struct control last[MACS]
			   [PLACES + 1]; /* the newest HELLO or ACK; the last place is the TAP */
	bool sent[MACS][PLACES + 1];
	unsigned int frames, hellos;
} known;

static unseen unsigned int place_of(const struct tunnel_target *to)
{
	struct tunnel_target t = place_number(to ? to->address.byte[15] : 0);

	if (!to)
		return PLACES;
	insist(tunnel_target_equal(&t, to)); /* or nobody told us of it */
	return to->address.byte[15];
}

static unseen unsigned int mac_of(const struct mac *mac)
{
	struct mac m = mac_number(mac->byte[5]);

	insist(mac_equal(&m, mac));
	return mac->byte[5];
}

static void on_send(void *user, const uint8_t *frame, const struct tunnel_target *to)
{
	struct control control;
	unsigned int mac, place = place_of(to);

	(void)user;
	insist(control_decode(frame, CONTROL_LEN, &control) == 0);
	insist(mac_equal(&control.source, &device.mac));
	mac = mac_of(&control.destination);
	insist(mac != 0 && mac_is_guest(&control.destination));
	insist(!to || (to->port && address_is_unicast(&to->address)));
	/* the loopback's services are no guest's of another host */
	insist(!to || !address_is_loopback(&to->address) ||
	       mac_same_host(&control.destination, &device.mac));
	known.frames++;
	known.hellos += control.type == CONTROL_HELLO;
	known.last[mac][place] = control;
	known.sent[mac][place] = true;
}

static void on_news(void *user, enum confirm_news news, const struct peer *peer)
{
	(void)user;
	insist(news == CONFIRM_TWIN || peers_find(&device.peers, &peer->mac) == peer);
}

/* ---- the tunnel's sockets ---- */

static struct {
	const uint8_t *frame;
	size_t len;
	struct tunnel_target from;
	bool there;
} datagram;

/* A frame of the guest that goes to @to: whether it may, is checked where it was sent. */
static struct {
	struct tunnel_target to[PEERS_MAX];
	unsigned int n;
} out;

ssize_t tunnel_receive(int fd, void *buffer, size_t size, struct tunnel_target *from)
{
	(void)fd;
	if (!datagram.there)
		return -EAGAIN;
	datagram.there = false;
	if (datagram.len > size)
		return -EMSGSIZE;
	insist(from);
	memcpy(buffer, datagram.frame, datagram.len);
	*from = datagram.from;
	return (ssize_t)datagram.len;
}

int tunnel_send(const struct tunnel *tunnel, const struct tunnel_target *to, const void *frame,
		size_t len)
{
	(void)tunnel;
	(void)frame;
	(void)len;
	insist(out.n < PEERS_MAX);
	out.to[out.n++] = *to;
	return 0;
}

unsigned int tunnel_send_all(const struct tunnel *tunnel, const struct tunnel_target *to,
			     unsigned int count, const void *frame, size_t len, int *error)
{
	insist(count <= TUNNEL_BATCH);
	for (unsigned int i = 0; i < count; i++)
		tunnel_send(tunnel, &to[i], frame, len);
	*error = 0;
	return 0;
}

/* The device's other needs that no datagram comes by. */
void tunnel_close(struct tunnel *tunnel)
{
	(void)tunnel;
}

int tunnel_open(struct tunnel *tunnel, uint16_t port)
{
	(void)tunnel;
	(void)port;
	return -ENOSYS;
}

/* As the emulator reads: the first "none" may only mean that the busiest source has none. */
static ssize_t read_card(uint8_t *buffer)
{
	ssize_t n = bt_receive(&device, buffer, FRAME_MAX);

	return n == -EAGAIN ? bt_receive(&device, buffer, FRAME_MAX) : n;
}

#include "tunnel_fast.h"

/* ---- what holds at any time ---- */

static unseen void check_peer(const struct peer *peer)
{
	insist(peer->used && mac_is_guest(&peer->mac) && !mac_equal(&peer->mac, &device.mac));
	insist(peers_find(&device.peers, &peer->mac) == peer);
	insist(peer->count <= PEER_ADDRESSES && peer->port);
	insist(peer->confirmed >> peer->count == 0);
	insist(peer->sending < peer->count || peer->sending == PEER_ADDRESSES);
	/* frames go where an answer came from, or, unproven, only to a link of ours */
	if (peer->sending < peer->count)
		insist(peer_is_proven(peer) ? peer->confirmed & 1u << peer->sending :
					      is_on_link(NULL, &peer->address[peer->sending]));
	insist(!peer->silent || (!peer_is_proven(peer) && peer->sending == PEER_ADDRESSES));
	for (unsigned int i = 0; i < peer->count; i++) {
		insist(address_is_unicast(&peer->address[i]));
		insist(!address_is_loopback(&peer->address[i]) ||
		       mac_same_host(&peer->mac, &device.mac));
		insist(peers_at(&device.peers, &peer->address[i], peer->port) <= PEERS_BY_ADDRESS);
		for (unsigned int k = 0; k < i; k++)
			insist(!address_equal(&peer->address[i], &peer->address[k]));
	}
}

static unseen void check_table(void)
{
	const struct peers *peers = &device.peers;
	unsigned int count = 0, unproven = 0;

	for (const struct peer *p = NULL; (p = peers_next(peers, p));) {
		check_peer(p);
		count++;
		unproven += !peer_is_proven(p);
	}
	insist(count == peers->count && count <= PEERS_MAX);
	insist(unproven == peers->unproven && unproven <= PEERS_UNPROVEN);
}

/* The table as it was, to tell what a step must not change. */
static struct peer was[PEERS_MAX];
static unsigned int was_n;

static unseen void remember(void)
{
	was_n = 0;
	for (const struct peer *p = NULL; (p = peers_next(&device.peers, p));)
		was[was_n++] = *p;
}

/* No proven peer has gone, moved, or gained or lost an address since then. */
static unseen void check_proven_kept(void)
{
	for (unsigned int i = 0; i < was_n; i++) {
		const struct peer *p;

		if (!peer_is_proven(&was[i]))
			continue;
		p = peers_find(&device.peers, &was[i].mac);
		insist(p && p->port == was[i].port && p->count == was[i].count &&
		       p->sending == was[i].sending && p->confirmed == was[i].confirmed);
		insist(memcmp(p->address, was[i].address, sizeof(p->address)) == 0);
	}
}

/* Who is proven now, but was not at that place, has answered from there just now. */
static unseen void check_newly_proven(const struct mac *mac, const struct tunnel_target *from)
{
	for (const struct peer *p = NULL; (p = peers_next(&device.peers, p));) {
		for (unsigned int i = 0; i < p->count; i++) {
			bool before = false;

			if (!(p->confirmed & 1u << i))
				continue;
			for (unsigned int k = 0; k < was_n; k++) {
				int at = mac_equal(&was[k].mac, &p->mac) ?
						 peer_address(&was[k], &p->address[i], p->port) :
						 -1;

				before |= at >= 0 && was[k].confirmed & 1u << at;
			}
			insist(before || (mac && from && mac_equal(&p->mac, mac) &&
					  address_equal(&p->address[i], &from->address) &&
					  p->port == from->port));
		}
	}
}

/* ---- steps ---- */

/* What the control thread does before it lets confirm.c change anything. */
static void change(void)
{
	device_lock_to_change(&device);
	pthread_mutex_unlock(&device.lock);
}

static void announce(struct input *in)
{
	struct txt txt = { .mac = mac_number(take_byte(in)) };
	struct tunnel_target at = place_number(take_byte(in));

	txt.attach = take_byte(in) % ATTACH_COUNT;
	if (!mac_is_guest(&txt.mac))
		return; /* txt_decode() has no other */
	remember();
	change();
	confirm_found(&confirm, &txt, &at, clock_now);
	check_proven_kept();
	check_newly_proven(NULL, NULL);
}

static void lose(struct input *in)
{
	struct mac mac = mac_number(take_byte(in));

	remember();
	change();
	confirm_lost(&confirm, &mac, clock_now);
	check_proven_kept();
}

/* A cookie as whoever is at @place can have it: one that we sent there, or elsewhere, or none. */
static uint64_t cookie_for(uint8_t what, unsigned int mac, unsigned int place, bool *honest)
{
	unsigned int other = what >> 3;

	*honest = false;
	switch (what % 4) {
	case 0:
	case 1:
		*honest = known.sent[mac][place];
		return known.last[mac][place].cookie;
	case 2:
		*honest = known.sent[mac][place] && other % (PLACES + 1) == place;
		return known.last[mac][other % (PLACES + 1)].cookie;
	default:
		return other;
	}
}

/* It comes to the socket that the guest reads, who never sees it: it is passed on as it is. */
static unseen void confirmation_by_fast(const uint8_t *frame, const struct tunnel_target *from)
{
	struct mac source = frame_source(frame);
	uint8_t buffer[FRAME_MAX];
	struct notice notice;
	ssize_t n;

	fast_arrive(frame, CONTROL_LEN);
	insist(read_card(buffer) == -EAGAIN);
	n = recv(device.notice[0], &notice, sizeof(notice), MSG_DONTWAIT);
	if (source.byte[0] & 1 || mac_equal(&source, &device.mac)) {
		insist(n < 0);
		return;
	}
	insist(n == sizeof(notice));
	insist(notice.kind == NOTICE_CONTROL && tunnel_target_equal(&notice.from, from));
	insist(memcmp(notice.frame, frame, CONTROL_LEN) == 0);
}

static void confirmation(struct input *in, bool by_tap)
{
	unsigned int mac = take_byte(in) % MACS, place = by_tap ? PLACES : take_byte(in) % PLACES;
	struct tunnel_target from = place_number(by_tap ? 0 : place);
	uint8_t what = take_byte(in), kind = take_byte(in), frame[CONTROL_LEN];
	struct control control = { .destination = device.mac, .source = mac_number(mac) };
	const struct peer *peer;
	unsigned int frames;
	bool honest, may_prove;

	control.type = CONTROL_HELLO + kind % 4;
	control.attach = (kind >> 2) % ATTACH_COUNT;
	control.bridged = attach_is_bridged(control.attach);
	control.cookie = what;
	control.echo = cookie_for(what, mac, place, &honest);
	if (kind >= 0xf0)
		control.destination = mac_number(what);
	control_encode(&control, frame);
	remember();
	if (!by_tap && fast_takes(&from))
		confirmation_by_fast(frame, &from);
	change();
	frames = known.frames;
	if (confirm_frame(&confirm, frame, CONTROL_LEN, by_tap ? NULL : &from, clock_now))
		insist(known.frames == frames);
	insist(known.frames <= frames + 1); /* one answer at most */
	may_prove = honest && !by_tap &&
		    (control.type == CONTROL_ACK || control.type == CONTROL_FIN);
	check_newly_proven(may_prove ? &control.source : NULL, &from);
	if (!honest || by_tap || control.type == CONTROL_HELLO)
		check_proven_kept();
	peer = peers_find(&device.peers, &control.source);
	insist(honest || !peer || peer->reach != PEER_REACH_TAP ||
	       known.sent[mac][PLACES]); /* measured, not claimed */
}

/* A frame for the guest, from somebody or nobody. Its body is as long as the input says. */
static size_t make_frame(struct input *in, const struct mac *to, const struct mac *from,
			 uint8_t *frame)
{
	const uint8_t *body;
	size_t len;
	uint8_t size = take_byte(in);

	memcpy(frame, to->byte, MAC_LEN);
	memcpy(frame + MAC_LEN, from->byte, MAC_LEN);
	body = take_some(in, 64, &len);
	memset(frame + 2 * MAC_LEN, 0, FRAME_MAX + 8 - 2 * MAC_LEN);
	if (len)
		memcpy(frame + 2 * MAC_LEN, body, len);
	if (size == 0xff)
		return FRAME_MAX + 4;
	if (size == 0xfe)
		return FRAME_MAX;
	return size;
}

static unseen void check_received(ssize_t n, const uint8_t *frame, const uint8_t *sent, size_t len,
				  bool may)
{
	struct mac source;

	if (n == -EAGAIN)
		return;
	insist(n >= FRAME_MIN && n <= FRAME_MAX);
	insist(may && (size_t)n == len && memcmp(frame, sent, len) == 0);
	source = frame_source(frame);
	insist(!(source.byte[0] & 1) && !mac_equal(&source, &device.mac));
	insist(!control_is(frame, len));
}

static void take_notices(void)
{
	struct notice notice;

	while (recv(device.notice[0], &notice, sizeof(notice), MSG_DONTWAIT) == sizeof(notice)) {
		change();
		if (notice.kind == NOTICE_STRANGER) {
			remember();
			insist(mac_is_guest(&notice.mac));
			confirm_unknown(&confirm, &notice.mac, &notice.from, clock_now);
			check_proven_kept();
			check_newly_proven(NULL, NULL);
		} else if (notice.kind == NOTICE_CONTROL) {
			confirm_frame(&confirm, notice.frame, CONTROL_LEN,
				      notice.from.port ? &notice.from : NULL, clock_now);
		} else if (notice.kind == NOTICE_TAP_LOST) {
			confirm_attach(&confirm, ATTACH_NO, clock_now);
		} else if (notice.kind == NOTICE_BUSY) {
			fast_busy(&notice.from);
		}
	}
}

static void datagram_step(struct input *in)
{
	struct mac to = mac_number(take_byte(in)), from = mac_number(take_byte(in));
	static uint8_t frame[FRAME_MAX + 8], buffer[FRAME_MAX];
	const struct peer *peer;
	uint8_t place = take_byte(in);
	struct tunnel_target at = place_number(place);
	size_t len = make_frame(in, &to, &from, frame);
	bool group = to.byte[0] & 1, may;
	ssize_t n;

	peer = peers_find(&device.peers, &from);
	may = peer && peer_address(peer, &at.address, at.port) >= 0 &&
	      (group || mac_equal(&to, &device.mac));
	remember();
	datagram.frame = frame;
	datagram.len = len;
	datagram.from = at;
	datagram.there = true;
	/* one in four waits in the queue for all since before the other was connected */
	n = fast_takes(&at) && place < 192 ? fast_judge(buffer) : read_card(buffer);
	check_received(n, buffer, frame, len, may);
	datagram.there = false;
	check_proven_kept();
	check_newly_proven(NULL, NULL);
	take_notices();
}

static void tap_step(struct input *in)
{
	struct mac to = mac_number(take_byte(in)), from = mac_number(take_byte(in));
	static uint8_t frame[FRAME_MAX + 8], buffer[FRAME_MAX];
	size_t len = make_frame(in, &to, &from, frame);

	if (!len || send(lan_end, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
	remember();
	check_received(read_card(buffer), buffer, frame, len, device.tap_alive);
	check_proven_kept();
	take_notices();
	/* what a TAP that is not alive has not taken */
	while (!device.tap_alive && recv(device.tap, frame, sizeof(frame), MSG_DONTWAIT) > 0)
		;
}

/* By the numbers, not by route.c: where a frame of the guest may go. */
static unseen void check_sent(const struct mac *to, bool ours, size_t len, bool by_tap,
			      const uint8_t *frame)
{
	bool group = to->byte[0] & 1;
	const struct peer *peer = peers_find(&device.peers, to);

	if (!ours || len < FRAME_MIN || len > FRAME_MAX || control_is(frame, len)) {
		insist(!out.n && !by_tap);
		return;
	}
	insist(!by_tap || device.tap_alive);
	insist(group || out.n + by_tap <= 1);
	/* each time by the way that is right now, whichever the last frame went */
	if (!group && device.tap_alive)
		insist(by_tap == !(peer && peer->sending < peer->count &&
				   !peer_reached_by_tap(peer, &device.mac, device.attach)));
	for (unsigned int i = 0; i < out.n; i++) {
		const struct peer *p = group ? NULL : peer;
		unsigned int times = 0;

		for (const struct peer *q = NULL; group && (q = peers_next(&device.peers, q));)
			if (q->sending < q->count && q->port == out.to[i].port &&
			    address_equal(&q->address[q->sending], &out.to[i].address))
				p = q;
		insist(p && p->sending < p->count && p->port == out.to[i].port &&
		       address_equal(&p->address[p->sending], &out.to[i].address));
		for (unsigned int k = 0; k < out.n; k++)
			times += tunnel_target_equal(&out.to[k], &out.to[i]);
		/* as many copies as there are guests behind that address */
		insist(times <= PEERS_BY_ADDRESS);
	}
}

static void send_once(const struct mac *to, const struct mac *from, const uint8_t *frame,
		      size_t len)
{
	uint8_t buffer[FRAME_MAX + 8];
	bool by_tap = false;
	ssize_t n, expected = len < FRAME_MIN ? -EINVAL :
			      len > FRAME_MAX ? -EMSGSIZE :
						(ssize_t)len;

	out.n = 0;
	n = bt_send(&device, frame, len);
	insist(n == expected);
	while ((n = recv(lan_end, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) {
		insist(!by_tap && (size_t)n == len && memcmp(buffer, frame, len) == 0);
		by_tap = true;
	}
	if (fast_went(frame, len))
		out.to[out.n++] = fast.to;
	check_sent(to, mac_equal(from, &device.mac), len, by_tap, frame);
}

static void guest_step(struct input *in)
{
	struct mac to = mac_number(take_byte(in));
	uint8_t which = take_byte(in);
	struct mac from = mac_number(which % 3);
	static uint8_t frame[FRAME_MAX + 8];
	size_t len = make_frame(in, &to, &from, frame);
	unsigned int times = which < 192 ? 1 : FAST_WAY_FRAMES;

	remember();
	while (times--)
		send_once(&to, &from, frame, len);
	check_proven_kept();
	take_notices();
}

static void time_step(struct input *in)
{
	static const uint16_t steps[] = { 20, 250, 800, 2000, 5000, 16000, 25000, 61000 };
	unsigned int hellos, times = 1 + take_byte(in) % 8;
	uint32_t passed = steps[take_byte(in) % 8];
	int wait;

	while (times--) {
		clock_now += passed;
		remember();
		change();
		hellos = known.hellos;
		wait = confirm_tick(&confirm, clock_now);
		insist(known.hellos - hellos <= CONFIRM_BURST * CONFIRM_KINDS);
		insist(wait == -1 || wait >= 20);
		check_newly_proven(NULL, NULL);
		fast_time(passed);
	}
}

static void attach_step(struct input *in)
{
	enum attach attach = take_byte(in) % ATTACH_COUNT;

	/* as repair.c has it: without a TAP there is no attachment */
	device.tap_alive = attach != ATTACH_NO;
	device.attach = (int)attach;
	remember();
	change();
	confirm_attach(&confirm, attach, clock_now);
	check_proven_kept();
}

static void doubt_step(struct input *in)
{
	struct mac mac = mac_number(take_byte(in));
	struct peer *peer = peers_find(&device.peers, &mac);

	remember();
	change();
	confirm_doubt(&confirm, take_byte(in) & 1 ? NULL : peer, clock_now);
	check_proven_kept();
}

/* The machine's addresses have changed, or somebody begins or ends to wait. */
static void fast_step(struct input *in)
{
	if (take_byte(in) & 1)
		fast_way_close(&device);
	else
		fast_wait();
}

/* ---- life ---- */

/* The descriptors are made once; what is left in them is taken out. */
static void start(void)
{
	static const struct confirm_calls calls = { on_send, is_on_link, on_news };
	static const struct siphash_key key = { 7, 8 };
	static int tap[2] = { -1, -1 }, notice[2], set;
	uint8_t buffer[FRAME_MAX + 8];

	if (tap[0] < 0) {
		insist(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, tap) == 0);
		insist(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, notice) == 0);
		set = epoll_create1(0);
	}
	fast_start();
	while (recv(tap[0], buffer, sizeof(buffer), 0) > 0 ||
	       recv(tap[1], buffer, sizeof(buffer), 0) > 0 ||
	       recv(notice[0], buffer, sizeof(buffer), 0) > 0)
		;
	memset(&device, 0, sizeof(device));
	memset(&known, 0, sizeof(known));
	owner_page = 1;
	clock_now = 0xffff0000; /* wraps round after a minute */
	device.owner = &owner_page;
	device.mac = mac_number(0);
	device.tap = tap[0];
	device.tap_alive = true;
	device.attach = ATTACH_PATCH;
	device.wait.set = set;
	device.tunnel.data = device.tunnel.control = device.fast.fd = device.capture = -1;
	device.notice[0] = notice[0];
	device.notice[1] = notice[1];
	lan_end = tap[1];
	pthread_mutex_init(&device.lock, NULL);
	insist(peers_init(&device.peers, 5) == 0);
	confirm_init(&confirm, &device.peers, &device.mac, ATTACH_PATCH, &key, &calls, NULL,
		     clock_now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t what;

	start();
	for (int step = 0; in.left && step < STEPS_MAX; step++) {
		switch (take_byte(&in) % 12) {
		case 0:
		case 1:
			announce(&in);
			break;
		case 2:
			lose(&in);
			break;
		case 3:
		case 4:
		case 5:
			confirmation(&in, false);
			break;
		case 6:
			confirmation(&in, true);
			break;
		case 7:
			datagram_step(&in);
			break;
		case 8:
			tap_step(&in);
			break;
		case 9:
			guest_step(&in);
			break;
		case 10:
			time_step(&in);
			break;
		default:
			what = take_byte(&in);
			if (what & 1)
				attach_step(&in);
			else if (what & 6)
				doubt_step(&in);
			else
				fast_step(&in);
		}
		check_table();
		fast_check();
	}
	peers_free(&device.peers);
	pthread_mutex_destroy(&device.lock);
	return 0;
}
