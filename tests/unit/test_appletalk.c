/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_appletalk.c: the command's AppleTalk, as it goes over the wire and as nobody should send it.
 */
#include <errno.h>

#include "appletalk.h"
#include "appletalk_names.h"
#include "appletalk_zones.h"
#include "bytes.h"
#include "proto_test.h"

static const struct mac us = { { 0xb2, 0x01, 0x02, 0x03, 0x04, 0x05 } };
static const struct mac them = { { 0x02, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e } };

static struct at_text text(const char *utf8)
{
	struct at_text result;

	ck_assert_int_eq(at_text_parse(utf8, strlen(utf8), &result), 0);
	return result;
}

static struct nbp_tuple tuple(const char *name)
{
	struct nbp_tuple result = { .address = { 0x1234, 56 }, .socket = 78, .enumerator = 9 };

	ck_assert_int_eq(nbp_parse(name, &result), 0);
	return result;
}

/* ---- AARP ---- */

static const uint8_t probe_frame[AARP_FRAME_LEN] = {
	0x09, 0x00, 0x07, 0xff, 0xff, 0xff, 0xb2, 0x01, 0x02, 0x03, 0x04, 0x05, 0x00,
	0x24, 0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00, 0x80, 0xf3, 0x00, 0x01, 0x80, 0x9b,
	0x06, 0x04, 0x00, 0x03, 0xb2, 0x01, 0x02, 0x03, 0x04, 0x05, 0x00, 0xff, 0x00,
	0x81, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0x00, 0x81,
};

START_TEST(test_probe_is_the_books_frame)
{
	const struct aarp probe = { AARP_PROBE, us, { 0xff00, 0x81 }, { 0xff00, 0x81 } };
	uint8_t frame[AARP_FRAME_LEN];

	aarp_encode(frame, NULL, &probe);
	ck_assert_mem_eq(frame, probe_frame, sizeof(frame));
}
END_TEST

START_TEST(test_aarp_is_read_as_it_was_written)
{
	const struct aarp sent = { AARP_RESPONSE, us, { 0x0102, 3 }, { 0xfffe, 0xfd } };
	uint8_t frame[AARP_FRAME_LEN];
	struct aarp got;

	aarp_encode(frame, &them, &sent);
	ck_assert_mem_eq(frame, them.byte, MAC_LEN);
	ck_assert_mem_eq(frame + 40, them.byte, MAC_LEN);
	ck_assert_int_eq(aarp_decode(at_edge(frame, sizeof(frame)), sizeof(frame), &got), 0);
	ck_assert_int_eq(got.function, AARP_RESPONSE);
	ck_assert(mac_equal(&got.from_mac, &us));
	ck_assert(at_address_equal(got.from, sent.from));
	ck_assert(at_address_equal(got.target, sent.target));
}
END_TEST

START_TEST(test_aarp_of_other_hardware_or_protocol_is_refused)
{
	static const size_t fixed[] = { 14, 15, 16, 20, 21, 22, 23, 24, 25, 26, 27 };
	uint8_t frame[AARP_FRAME_LEN];
	struct aarp got;

	for (size_t i = 0; i < COUNT(fixed); i++) {
		memcpy(frame, probe_frame, sizeof(frame));
		frame[fixed[i]] ^= 1;
		ck_assert_int_eq(aarp_decode(frame, sizeof(frame), &got), -EINVAL);
	}
}
END_TEST

START_TEST(test_aarp_cut_anywhere_is_refused_and_padding_is_not)
{
	uint8_t padded[60] = { 0 };
	struct aarp got;

	for (size_t len = 0; len < AARP_FRAME_LEN; len++)
		ck_assert_int_eq(aarp_decode(at_edge(probe_frame, len), len, &got), -EINVAL);
	memcpy(padded, probe_frame, sizeof(probe_frame));
	ck_assert_int_eq(aarp_decode(padded, sizeof(padded), &got), 0);
	padded[13]--; /* the length field is what counts */
	ck_assert_int_eq(aarp_decode(padded, sizeof(padded), &got), -EINVAL);
}
END_TEST

/* ---- DDP ---- */

static size_t echo_frame(uint8_t *frame, const uint8_t *data, size_t len)
{
	const struct ddp packet = { .from_mac = us,
				    .from = { 0xff12, 0x34 },
				    .to = { 0x0056, 0x78 },
				    .from_socket = 0x81,
				    .to_socket = DDP_SOCKET_ECHO,
				    .type = DDP_AEP,
				    .data = data,
				    .len = len };

	return ddp_encode(frame, &them, &packet);
}

START_TEST(test_ddp_has_exact_lengths_and_no_padding)
{
	static const uint8_t expected[] = {
		0x02, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0xb2, 0x01, 0x02, 0x03, 0x04, 0x05, 0x00,
		0x17, 0xaa, 0xaa, 0x03, 0x08, 0x00, 0x07, 0x80, 0x9b, 0x00, 0x0f, 0x00, 0x00,
		0x00, 0x56, 0xff, 0x12, 0x78, 0x34, 0x04, 0x81, 0x04, 0x01, 0xee,
	};
	static const uint8_t data[] = { 0x01, 0xee };
	uint8_t frame[APPLETALK_FRAME_MAX];

	ck_assert_uint_eq(echo_frame(frame, data, sizeof(data)), sizeof(expected));
	ck_assert_mem_eq(frame, expected, sizeof(expected));
}
END_TEST

START_TEST(test_ddp_is_read_as_it_was_written_at_every_length)
{
	uint8_t frame[APPLETALK_FRAME_MAX], data[DDP_DATA_MAX + 1];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t len = 0; len <= DDP_DATA_MAX; len++) {
		size_t n = echo_frame(frame, data, len);
		struct ddp got;

		ck_assert_uint_eq(n, 35 + len);
		ck_assert_int_eq(ddp_decode(frame, n, &got), 0);
		ck_assert(mac_equal(&got.from_mac, &us));
		ck_assert(got.from.net == 0xff12 && got.from.node == 0x34);
		ck_assert(got.to.net == 0x56 && got.to.node == 0x78);
		ck_assert(got.from_socket == 0x81 && got.to_socket == 4 && got.type == DDP_AEP);
		ck_assert_uint_eq(got.len, len);
		ck_assert(memcmp(got.data, data, len) == 0);
		if (n > 35)
			ck_assert_int_eq(ddp_decode(at_edge(frame, n - 1), n - 1, &got), -EINVAL);
	}
	ck_assert_uint_eq(echo_frame(frame, data, DDP_DATA_MAX + 1), 0);
}
END_TEST

START_TEST(test_ddp_padding_is_not_data)
{
	static const uint8_t data[] = { 1, 2, 3 };
	uint8_t frame[APPLETALK_FRAME_MAX] = { 0 };
	struct ddp got;

	echo_frame(frame, data, sizeof(data));
	ck_assert_int_eq(ddp_decode(frame, 60, &got), 0);
	ck_assert_uint_eq(got.len, sizeof(data));
	frame[23]--; /* DDP's own length is less than the frame's: some pad there */
	ck_assert_int_eq(ddp_decode(frame, 60, &got), 0);
	ck_assert_uint_eq(got.len, sizeof(data) - 1);
	frame[23] += 2; /* more than the frame's */
	ck_assert_int_eq(ddp_decode(frame, 60, &got), -EINVAL);
	frame[23] = 12;
	ck_assert_int_eq(ddp_decode(frame, 60, &got), -EINVAL);
}
END_TEST

START_TEST(test_ddp_checksum_is_checked_where_there_is_one)
{
	/* by hand: from the destination network on, each byte is added, then one bit goes round */
	static const uint8_t data[] = { 0x80, 0x01 };
	uint8_t frame[APPLETALK_FRAME_MAX];
	size_t len = echo_frame(frame, data, sizeof(data));
	uint32_t sum = 0;
	struct ddp got;

	for (size_t i = 26; i < len; i++) {
		sum += frame[i];
		sum = (sum & 0xffff) * 2;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	put_be16(frame + 24, (uint16_t)sum);
	ck_assert_int_eq(ddp_decode(frame, len, &got), 0);
	frame[36] ^= 1;
	ck_assert_int_eq(ddp_decode(frame, len, &got), -EINVAL);
	put_be16(frame + 24, 0);
	ck_assert_int_eq(ddp_decode(frame, len, &got), 0);
}
END_TEST

/* ---- NBP ---- */

START_TEST(test_look_up_for_everything_is_the_books_packet)
{
	static const uint8_t expected[] = { 0x21, 0x42, 0x12, 0x34, 56, 78, 9,
					    1,	  '=',	1,    '=',  1,	'*' };
	const struct nbp_tuple all = tuple("=:=@*");
	uint8_t data[NBP_LOOKUP_MAX];

	ck_assert_uint_eq(nbp_encode(data, NBP_LOOKUP, 0x42, &all), sizeof(expected));
	ck_assert_mem_eq(data, expected, sizeof(expected));
}
END_TEST

START_TEST(test_longest_names_fit_and_come_back)
{
	static const char name[] = "12345678901234567890123456789012:"
				   "abcdefghijklmnopqrstuvwxyzabcdef@"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF";
	const struct nbp_tuple sent = tuple(name);
	uint8_t data[NBP_LOOKUP_MAX];
	size_t len = nbp_encode(data, NBP_REPLY, 1, &sent);
	struct nbp got;

	ck_assert_uint_eq(len, NBP_LOOKUP_MAX);
	ck_assert_int_eq(nbp_decode(at_edge(data, len), len, &got), 0);
	ck_assert(got.function == NBP_REPLY && got.id == 1 && got.n == 1);
	ck_assert(at_address_equal(got.tuple[0].address, sent.address));
	ck_assert(got.tuple[0].socket == 78 && got.tuple[0].enumerator == 9);
	ck_assert(at_text_equal(&got.tuple[0].object, &sent.object));
	ck_assert(at_text_equal(&got.tuple[0].type, &sent.type));
	ck_assert(at_text_equal(&got.tuple[0].zone, &sent.zone));
}
END_TEST

START_TEST(test_reply_of_fifteen_tuples_is_read_and_one_byte_less_is_not)
{
	const struct nbp_tuple one = tuple("name:type@zone");
	uint8_t data[DDP_DATA_MAX], single[NBP_LOOKUP_MAX];
	size_t part = nbp_encode(single, NBP_REPLY, 7, &one) - 2, len = 2;
	struct nbp got;

	data[0] = 0x3f;
	data[1] = 7;
	for (int i = 0; i < 15; i++, len += part)
		memcpy(data + len, single + 2, part);
	ck_assert_int_eq(nbp_decode(at_edge(data, len), len, &got), 0);
	ck_assert_uint_eq(got.n, 15);
	ck_assert(at_text_equal(&got.tuple[14].zone, &one.zone));
	for (size_t cut = 0; cut < len; cut++)
		ck_assert_int_eq(nbp_decode(at_edge(data, cut), cut, &got), -EINVAL);
	data[7] = 33; /* longer than a name can be */
	ck_assert_int_eq(nbp_decode(data, len, &got), -EINVAL);
}
END_TEST

/* ---- names and people ---- */

START_TEST(test_every_character_of_the_mac_comes_back)
{
	char utf8[AT_TEXT_UTF8_SIZE];
	struct at_text back;

	for (unsigned int c = 0; c < 256; c++) {
		const struct at_text one = { 1, { (uint8_t)c } };

		at_text_format(&one, utf8);
		if (c < ' ' || c == 0x7f) {
			ck_assert_str_eq(utf8, "\xef\xbf\xbd");
			continue;
		}
		ck_assert_int_eq(at_text_parse(utf8, strlen(utf8), &back), 0);
		ck_assert_msg(at_text_equal(&back, &one), "0x%02x as %s", c, utf8);
	}
	ck_assert_str_eq(at_text_format(&(struct at_text){ 4, "\x8a\xb9\xf0\xdb" }, utf8),
			 "äπ\xef\xa3\xbf€");
}
END_TEST

START_TEST(test_longest_name_of_the_widest_characters_fits)
{
	char utf8[AT_TEXT_UTF8_SIZE];
	struct at_text widest = { .len = APPLETALK_TEXT_MAX };

	memset(widest.byte, 0xa0, sizeof(widest.byte)); /* a dagger, three bytes */
	ck_assert_uint_eq(strlen(at_text_format(&widest, utf8)), AT_TEXT_UTF8_SIZE - 1);
}
END_TEST

START_TEST(test_what_no_mac_can_write_is_no_name)
{
	static const char *const bad[] = {
		"",
		"123456789012345678901234567890123",
		"漢",
		"\xff",
		"\xc3",
		"a\nb",
		"\xef\xbf\xbd",
	};
	struct at_text unchanged = text("as before"), result = unchanged;

	for (size_t i = 0; i < COUNT(bad); i++) {
		const size_t len = strlen(bad[i]);

		ck_assert_int_eq(at_text_parse(at_edge(bad[i], len), len, &result), -EINVAL);
		ck_assert(at_text_equal(&result, &unchanged));
	}
}
END_TEST

START_TEST(test_parts_of_a_name_that_are_missing_stay)
{
	struct nbp_tuple name = tuple("a:b@c");

	ck_assert_int_eq(nbp_parse("Quadra", &name), 0);
	ck_assert(name.object.len == 6 && name.type.byte[0] == 'b' && name.zone.byte[0] == 'c');
	ck_assert_int_eq(nbp_parse("at@home:Printer", &name), 0);
	ck_assert(name.object.len == 7 && name.type.len == 7 && name.zone.byte[0] == 'c');
	ck_assert_int_eq(nbp_parse("=:Printer@Etage@2", &name), 0);
	ck_assert(name.type.len == 7 && name.zone.len == 7);
}
END_TEST

START_TEST(test_name_with_an_empty_part_is_refused_whole)
{
	static const char *const bad[] = { "", ":", "a:", ":b", "a:@c", "a:b@", "a:b@漢" };
	struct nbp_tuple before = tuple("a:b@c"), name = before;

	for (size_t i = 0; i < COUNT(bad); i++) {
		ck_assert_msg(nbp_parse(bad[i], &name) == -EINVAL, "%s", bad[i]);
		ck_assert(at_text_equal(&name.object, &before.object));
		ck_assert(at_text_equal(&name.type, &before.type));
	}
}
END_TEST

/* ---- ZIP ---- */

START_TEST(test_net_info_is_asked_for_as_in_the_book)
{
	static const uint8_t expected[] = { 5, 0, 0, 0, 0, 0, 3, 'L', 'a', 'b' };
	const struct at_text zone = text("Lab");
	uint8_t data[ZIP_NETINFO_MAX];

	ck_assert_uint_eq(zip_netinfo_request(data, &zone), sizeof(expected));
	ck_assert_mem_eq(data, expected, sizeof(expected));
}
END_TEST

/* A zone that is not on this cable: the cable's own comes behind the multicast address. */
static const uint8_t net_info[] = {
	6, 0x80, 0, 100, 0, 105, 0, 6, 9, 0, 7, 0, 0, 1, 5, 'E', 't', 'h', 'e', 'r',
};

START_TEST(test_net_info_tells_the_networks_and_the_cables_zone)
{
	static const uint8_t valid[] = { 6, 0, 0, 7, 0, 7, 3, 'L', 'a', 'b', 6, 9, 0, 7, 0, 0, 1 };
	const struct at_text own = text("Ether"), lab = text("Lab");
	struct zip_netinfo info;

	ck_assert_int_eq(zip_netinfo_decode(net_info, sizeof(net_info), &info), 0);
	ck_assert(info.first == 100 && info.last == 105 && at_text_equal(&info.zone, &own));
	ck_assert_int_eq(zip_netinfo_decode(valid, sizeof(valid), &info), 0);
	ck_assert(info.first == 7 && info.last == 7 && at_text_equal(&info.zone, &lab));
}
END_TEST

START_TEST(test_net_info_that_is_cut_or_makes_no_sense_changes_nothing)
{
	static const struct {
		uint8_t at, value;
	} wrong[] = { { 0, 5 },	 { 2, 0xff }, { 3, 106 }, { 4, 0xff },
		      { 7, 40 }, { 14, 0 },   { 14, 33 } };
	struct zip_netinfo before, info;
	uint8_t data[sizeof(net_info)];

	memset(&before, 0x55, sizeof(before));
	info = before;
	for (size_t len = 0; len < sizeof(net_info); len++)
		ck_assert_int_eq(zip_netinfo_decode(at_edge(net_info, len), len, &info), -EINVAL);
	for (size_t i = 0; i < COUNT(wrong); i++) {
		memcpy(data, net_info, sizeof(data));
		data[wrong[i].at] = wrong[i].value;
		ck_assert_msg(zip_netinfo_decode(data, sizeof(data), &info) == -EINVAL, "%zu", i);
	}
	memcpy(data, net_info, sizeof(data));
	data[3] = 0; /* networks 0 to 105 */
	ck_assert_int_eq(zip_netinfo_decode(data, sizeof(data), &info), -EINVAL);
	ck_assert(memcmp(&info, &before, sizeof(info)) == 0);
}
END_TEST

START_TEST(test_zones_are_asked_for_as_in_the_book)
{
	static const uint8_t expected[] = { 0x40, 1, 0x12, 0x34, 8, 0, 0, 5 };
	uint8_t data[ZIP_ZONES_LEN];

	ck_assert_uint_eq(zip_zones_request(data, 0x1234, 5), sizeof(expected));
	ck_assert_mem_eq(data, expected, sizeof(expected));
}
END_TEST

START_TEST(test_zones_are_read_and_cut_ones_are_not)
{
	static const uint8_t reply[] = {
		0x90, 0, 0x12, 0x34, 1, 0, 0, 2, 3, 'L', 'a', 'b', 2, 'O', 'G',
	};
	const struct at_text lab = text("Lab"), og = text("OG");
	struct zip_zones zones;
	uint8_t data[sizeof(reply)];

	ck_assert_int_eq(zip_zones_decode(reply, sizeof(reply), 0x1234, &zones), 0);
	ck_assert(zones.last && zones.n == 2);
	ck_assert(at_text_equal(&zones.zone[0], &lab) && at_text_equal(&zones.zone[1], &og));
	ck_assert_int_eq(zip_zones_decode(reply, sizeof(reply), 0x1235, &zones), -EINVAL);
	for (size_t n = 0; n < sizeof(reply); n++)
		ck_assert_int_eq(zip_zones_decode(at_edge(reply, n), n, 0x1234, &zones), -EINVAL);
	memcpy(data, reply, sizeof(data));
	data[0] = 0x40; /* a question, not an answer */
	ck_assert_int_eq(zip_zones_decode(data, sizeof(data), 0x1234, &zones), -EINVAL);
	data[0] = 0x90;
	data[6] = 0xff; /* more than fit into a packet */
	ck_assert_int_eq(zip_zones_decode(data, sizeof(data), 0x1234, &zones), -EINVAL);
}
END_TEST

/* ---- whatever comes ---- */

START_TEST(test_nothing_is_read_beyond_the_frame_whatever_it_says)
{
	static struct zip_zones zones;
	uint8_t model[APPLETALK_FRAME_MAX], data[NBP_LOOKUP_MAX];
	const struct nbp_tuple name = tuple("Quadra:Macintosh@*");
	size_t data_len = nbp_encode(data, NBP_REPLY, 1, &name);
	size_t len = echo_frame(model, data, data_len);
	uint8_t *frame = at_edge(model, len);
	uint32_t seed = 1;

	ck_assert_uint_gt(len, 0);
	for (int i = 0; i < 200000; i++) {
		size_t cut;

		seed = seed * 1664525u + 1013904223u;
		cut = (seed >> 8) % 8 ? 0 : (seed >> 12) % len;
		memcpy(frame + cut, model, len - cut);
		for (int n = 0; n < 3; n++) {
			seed = seed * 1664525u + 1013904223u;
			frame[cut + (seed >> 8) % (len - cut)] = (uint8_t)(seed >> 24);
		}
		struct ddp packet;
		struct aarp aarp;
		struct zip_netinfo info;
		struct nbp nbp;

		aarp_decode(frame + cut, len - cut, &aarp);
		if (ddp_decode(frame + cut, len - cut, &packet) < 0)
			continue;
		ck_assert(packet.data + packet.len <= frame + len);
		nbp_decode(packet.data, packet.len, &nbp);
		zip_netinfo_decode(packet.data, packet.len, &info);
		if (packet.len >= 4)
			zip_zones_decode(packet.data, packet.len, get_be16(packet.data + 2),
					 &zones);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_probe_is_the_books_frame,
		test_aarp_is_read_as_it_was_written,
		test_aarp_of_other_hardware_or_protocol_is_refused,
		test_aarp_cut_anywhere_is_refused_and_padding_is_not,
		test_ddp_has_exact_lengths_and_no_padding,
		test_ddp_is_read_as_it_was_written_at_every_length,
		test_ddp_padding_is_not_data,
		test_ddp_checksum_is_checked_where_there_is_one,
		test_look_up_for_everything_is_the_books_packet,
		test_longest_names_fit_and_come_back,
		test_reply_of_fifteen_tuples_is_read_and_one_byte_less_is_not,
		test_every_character_of_the_mac_comes_back,
		test_longest_name_of_the_widest_characters_fits,
		test_what_no_mac_can_write_is_no_name,
		test_parts_of_a_name_that_are_missing_stay,
		test_name_with_an_empty_part_is_refused_whole,
		test_net_info_is_asked_for_as_in_the_book,
		test_net_info_tells_the_networks_and_the_cables_zone,
		test_net_info_that_is_cut_or_makes_no_sense_changes_nothing,
		test_zones_are_asked_for_as_in_the_book,
		test_zones_are_read_and_cut_ones_are_not,
		test_nothing_is_read_beyond_the_frame_whatever_it_says,
	};

	return run_tests("appletalk", tests, COUNT(tests));
}
