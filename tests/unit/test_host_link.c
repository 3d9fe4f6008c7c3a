/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_host_link.c: network interfaces as the kernel tells of them, also where it tells less,
 * more or something else than kernels do today.
 */
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>

#include "kernel.h"

static struct link found[8];
static size_t count;

static int collect(const struct link *link, void *user)
{
	ck_assert_uint_lt(count, COUNT(found));
	found[count++] = *link;
	return *(int *)user;
}

/* Lists all links; @stop: what the walk is told of the first. */
static int list(int stop)
{
	count = 0;
	return link_each(&kernel_nl, NULL, collect, &stop);
}

START_TEST(test_link_is_told_as_it_is)
{
	static const uint8_t mac[MAC_LEN] = { 2, 0, 0, 0, 0, 9 };
	struct nlmsghdr *link;
	struct link one;

	kernel_reset();
	link = kernel_link(7, "fifteen-letters", IFF_UP | IFF_PROMISC);
	mnl_attr_put_str(link, IFLA_IFALIAS, "an alias");
	mnl_attr_put(link, IFLA_ADDRESS, MAC_LEN, mac);
	mnl_attr_put_u32(link, IFLA_MASTER, 5);
	mnl_attr_put_u32(link, IFLA_LINK, 6);
	mnl_attr_put_u32(link, IFLA_LINK_NETNSID, 0);
	mnl_attr_put_u8(link, IFLA_CARRIER, 1);
	kernel_kind(link, "veth", "bridge");
	ck_assert_int_eq(link_find(&kernel_nl, "fifteen-letters", 0, &one), 0);
	ck_assert(one.index == 7 && one.flags == (IFF_UP | IFF_PROMISC) &&
		  one.hardware == ARPHRD_ETHER && one.master == 5 && one.peer == 6 &&
		  one.elsewhere && one.carrier && !one.leftover);
	ck_assert_str_eq(one.name, "fifteen-letters");
	ck_assert_str_eq(one.alias, "an alias");
	ck_assert_str_eq(one.kind, "veth");
	ck_assert_str_eq(one.port_of, "bridge");
	ck_assert_mem_eq(one.mac.byte, mac, MAC_LEN);
	ck_assert_int_eq(link_find(&kernel_nl, NULL, 7, &one), 0);
	ck_assert_int_eq(link_find(&kernel_nl, NULL, 8, &one), -ENODEV);
	ck_assert_int_eq(one.index, 0);
	ck_assert_int_eq(link_find(&kernel_nl, "fifteen", 0, &one), -ENODEV);
	kernel_refuse(RTM_GETLINK, -EPERM);
	ck_assert_int_eq(link_find(&kernel_nl, NULL, 7, &one), -EPERM);
}
END_TEST

START_TEST(test_what_does_not_fit_is_left_out)
{
	static const uint8_t longer[20] = { 2, 1 };
	struct nlmsghdr *link;

	kernel_reset();
	link = kernel_link(7, "sixteen-letters-", IFF_UP);
	mnl_attr_put(link, IFLA_ADDRESS, sizeof(longer), longer); /* InfiniBand's */
	mnl_attr_put(link, IFLA_MASTER, 3, longer);
	kernel_kind(link, "a kind of many words", NULL);
	ck_assert_int_eq(list(0), 0);
	ck_assert_uint_eq(count, 1);
	ck_assert_str_eq(found[0].name, "");
	ck_assert_str_eq(found[0].kind, "");
	ck_assert(!found[0].mac.byte[0] && !found[0].master);
}
END_TEST

START_TEST(test_only_a_tap_can_be_a_leftover)
{
	static const char *const kinds[] = { "tun", "veth" };

	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct nlattr *info, *data;
		struct nlmsghdr *link;
		struct link one;

		kernel_reset();
		link = kernel_link(7, "tap", IFF_UP);
		info = mnl_attr_nest_start(link, IFLA_LINKINFO);
		mnl_attr_put_strz(link, IFLA_INFO_KIND, kinds[i]);
		data = mnl_attr_nest_start(link, IFLA_INFO_DATA);
		mnl_attr_put_u8(link, IFLA_TUN_OWNER, 1);
		mnl_attr_put_u8(link, IFLA_TUN_PERSIST, 1);
		mnl_attr_nest_end(link, data);
		mnl_attr_nest_end(link, info);
		ck_assert_int_eq(link_find(&kernel_nl, NULL, 7, &one), 0);
		ck_assert_int_eq(one.leftover, i == 0);
	}
}
END_TEST

START_TEST(test_walk_over_links_takes_nothing_else_and_ends_when_told)
{
	kernel_reset();
	kernel_tell(RTM_GETLINK, RTM_NEWLINK, "cut", 4);
	kernel_link(3, "eth0", 0)->nlmsg_type = RTM_DELLINK;
	kernel_link(4, "eth1", 0);
	kernel_link(5, "eth2", 0);
	ck_assert_int_eq(list(0), 0);
	ck_assert_uint_eq(count, 2);
	ck_assert(found[0].index == 4 && found[1].index == 5);
	ck_assert_int_eq(list(-ENOSPC), -ENOSPC);
	ck_assert_uint_eq(count, 1);
	kernel_refuse(RTM_GETLINK, -EPERM);
	ck_assert_int_eq(list(0), -EPERM);
	ck_assert_uint_eq(count, 0);
}
END_TEST

START_TEST(test_late_answer_to_another_question_is_not_taken)
{
	struct link one;

	kernel_reset();
	kernel_link(6, "other", 0);
	kernel_late();
	kernel_link(7, "eth0", 0);
	ck_assert_int_eq(link_find(&kernel_nl, NULL, 7, &one), 0);
	ck_assert_str_eq(one.name, "eth0");
	ck_assert_int_eq(list(0), 0);
	ck_assert_uint_eq(count, 1);
}
END_TEST

START_TEST(test_link_that_names_no_interface_is_none)
{
	const struct ifinfomsg header = { .ifi_index = 0 };
	struct link one;

	kernel_reset();
	mnl_attr_put_strz(kernel_tell(RTM_GETLINK, RTM_NEWLINK, &header, sizeof(header)),
			  IFLA_IFNAME, "eth0");
	ck_assert_int_eq(link_find(&kernel_nl, "eth0", 0, &one), -ENODEV);
}
END_TEST

START_TEST(test_link_is_set_on_a_kernel_without_ipv6)
{
	const struct link_change quiet = { .flags = IFF_UP, .mask = IFF_UP, .quiet = true };
	const struct link_change plain = { .flags = IFF_UP, .mask = IFF_UP };

	kernel_reset();
	ck_assert_int_eq(link_set(&kernel_nl, 7, &quiet), 0);
	ck_assert_uint_eq(kernel.asked[RTM_NEWLINK], 1);
	kernel_refuse(RTM_NEWLINK, -EAFNOSUPPORT);
	ck_assert_int_eq(link_set(&kernel_nl, 7, &quiet), -EAFNOSUPPORT);
	ck_assert_uint_eq(kernel.asked[RTM_NEWLINK], 3); /* once more without that wish */
	ck_assert_int_eq(link_set(&kernel_nl, 7, &plain), -EAFNOSUPPORT);
	ck_assert_uint_eq(kernel.asked[RTM_NEWLINK], 4);
	kernel.refused[0].error = -EPERM;
	ck_assert_int_eq(link_set(&kernel_nl, 7, &quiet), -EPERM);
	ck_assert_uint_eq(kernel.asked[RTM_NEWLINK], 5);
}
END_TEST

/* How the kernel makes addresses, said of @family and, which means nothing, of IPv4. */
static void tell_families(struct nlmsghdr *link, uint16_t family, uint8_t mode)
{
	struct nlattr *families = mnl_attr_nest_start(link, IFLA_AF_SPEC), *one;

	one = mnl_attr_nest_start(link, AF_INET);
	mnl_attr_put_u8(link, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_EUI64);
	mnl_attr_nest_end(link, one);
	one = mnl_attr_nest_start(link, family);
	mnl_attr_put_u32(link, IFLA_INET6_FLAGS, 1);
	mnl_attr_put_u8(link, IFLA_INET6_ADDR_GEN_MODE, mode);
	mnl_attr_nest_end(link, one);
	mnl_attr_nest_end(link, families);
}

START_TEST(test_link_speaks_where_ipv6_gives_it_addresses)
{
	static const struct {
		uint16_t family;
		uint8_t mode;
		bool speaks;
	} cases[] = { { AF_INET6, IN6_ADDR_GEN_MODE_EUI64, true },
		      { AF_INET6, IN6_ADDR_GEN_MODE_RANDOM, true },
		      { AF_INET6, IN6_ADDR_GEN_MODE_NONE, false },
		      { AF_BRIDGE, IN6_ADDR_GEN_MODE_EUI64, false } };
	struct link one;

	for (size_t i = 0; i < COUNT(cases); i++) {
		kernel_reset();
		tell_families(kernel_link(7, "bthub", 0), cases[i].family, cases[i].mode);
		ck_assert_int_eq(link_find(&kernel_nl, NULL, 7, &one), 0);
		ck_assert_int_eq(one.speaks, cases[i].speaks);
	}
}
END_TEST

START_TEST(test_link_is_set_only_where_it_differs)
{
	static const struct mac mac = { { 2, 0, 0, 0, 0, 9 } }, other = { { 2, 0, 0, 0, 0, 8 } };
	const struct link_change same = { .mac = &mac,
					  .alias = "it",
					  .move = true,
					  .master = 5,
					  .flags = IFF_UP,
					  .mask = IFF_UP | IFF_NOARP };
	const struct link_change changes[] = {
		{ .mac = &other },  { .alias = "It" },
		{ .move = true },   { .flags = IFF_NOARP, .mask = IFF_NOARP },
		{ .mask = IFF_UP }, { .quiet = true },
	};
	struct nlmsghdr *link;
	struct link one;

	kernel_reset();
	link = kernel_link(7, "bthub", IFF_UP | IFF_PROMISC);
	mnl_attr_put_str(link, IFLA_IFALIAS, "it");
	mnl_attr_put(link, IFLA_ADDRESS, MAC_LEN, mac.byte);
	mnl_attr_put_u32(link, IFLA_MASTER, 5);
	tell_families(link, AF_INET6, IN6_ADDR_GEN_MODE_EUI64);
	ck_assert_int_eq(link_find(&kernel_nl, NULL, 7, &one), 0);
	ck_assert_int_eq(link_ensure(&kernel_nl, &one, &same), 0);
	ck_assert_uint_eq(kernel.asked[RTM_NEWLINK], 0);
	for (unsigned int i = 0; i < COUNT(changes); i++) {
		ck_assert_int_eq(link_ensure(&kernel_nl, &one, &changes[i]), 0);
		ck_assert_uint_eq(kernel.asked[RTM_NEWLINK], i + 1);
		ck_assert_uint_eq(kernel.asked[RTM_GETLINK], i + 2);
	}
	kernel_refuse(RTM_NEWLINK, -EPERM);
	ck_assert_int_eq(link_ensure(&kernel_nl, &one, &changes[0]), -EPERM);
	ck_assert_uint_eq(kernel.asked[RTM_GETLINK], COUNT(changes) + 1);
}
END_TEST

static struct nlmsghdr *tell_neighbour(int index, unsigned char flags, const void *mac, size_t len)
{
	const struct ndmsg header = { .ndm_family = AF_BRIDGE,
				      .ndm_ifindex = index,
				      .ndm_flags = flags };
	struct nlmsghdr *message = kernel_tell(RTM_GETNEIGH, RTM_NEWNEIGH, &header, sizeof(header));

	mnl_attr_put_u32(message, NDA_VLAN, 1);
	mnl_attr_put(message, NDA_LLADDR, len, mac);
	return message;
}

START_TEST(test_accepted_addresses_are_the_cards_own_of_this_host)
{
	static const struct mac like = { { 0xb2, 1, 2, 3, 0, 0 } };
	struct mac list[3];

	kernel_reset();
	kernel_tell(RTM_GETNEIGH, RTM_NEWNEIGH, "cut", 4);
	tell_neighbour(7, NTF_SELF, "\xb2\1\2\3\0\x01", MAC_LEN)->nlmsg_type = RTM_DELNEIGH;
	tell_neighbour(8, NTF_SELF, "\xb2\1\2\3\0\x02", MAC_LEN);
	tell_neighbour(7, NTF_MASTER, "\xb2\1\2\3\0\x03", MAC_LEN);
	tell_neighbour(7, NTF_SELF, "\xb2\1\2\3\0\x04\0\0", 8);
	tell_neighbour(7, NTF_SELF, "\xb2\1\2\4\0\x05", MAC_LEN); /* another host's */
	ck_assert_int_eq(link_list_accepted(&kernel_nl, 7, &like, list, COUNT(list)), 0);
	tell_neighbour(7, NTF_SELF, "\xb2\1\2\3\0\x06", MAC_LEN);
	tell_neighbour(7, NTF_SELF, "\xb2\1\2\3\0\x07", MAC_LEN);
	ck_assert_int_eq(link_list_accepted(&kernel_nl, 7, &like, list, COUNT(list)), 2);
	ck_assert(list[0].byte[5] == 6 && list[1].byte[5] == 7);
	ck_assert_int_eq(link_list_accepted(&kernel_nl, 7, &like, list, 1), 1);
	kernel_refuse(RTM_GETNEIGH, -EPERM);
	ck_assert_int_eq(link_list_accepted(&kernel_nl, 7, &like, list, COUNT(list)), -EPERM);
}
END_TEST

static struct nlmsghdr *tell_address(int index, unsigned char family, unsigned char scope)
{
	const struct ifaddrmsg header = { .ifa_family = family,
					  .ifa_scope = scope,
					  .ifa_index = (uint32_t)index };

	return kernel_tell(RTM_GETADDR, RTM_NEWADDR, &header, sizeof(header));
}

START_TEST(test_address_is_somebodys_unless_the_kernel_gave_it)
{
	kernel_reset();
	ck_assert_int_eq(link_has_address(&kernel_nl, 7, 8), 0);
	kernel_tell(RTM_GETADDR, RTM_NEWADDR, "cut", 4);
	tell_address(7, AF_INET, RT_SCOPE_UNIVERSE)->nlmsg_type = RTM_DELADDR;
	tell_address(9, AF_INET, RT_SCOPE_UNIVERSE);
	tell_address(7, AF_INET6, RT_SCOPE_LINK);
	ck_assert_int_eq(link_has_address(&kernel_nl, 7, 8), 0);
	tell_address(8, AF_INET6, RT_SCOPE_UNIVERSE);
	ck_assert_int_eq(link_has_address(&kernel_nl, 7, 0), 0);
	ck_assert_int_eq(link_has_address(&kernel_nl, 7, 8), 1);
	tell_address(7, AF_INET, RT_SCOPE_LINK);
	ck_assert_int_eq(link_has_address(&kernel_nl, 7, 0), 1);
	kernel_refuse(RTM_GETADDR, -EPERM);
	ck_assert_int_eq(link_has_address(&kernel_nl, 7, 8), -EPERM);
}
END_TEST

START_TEST(test_family_has_a_number_or_is_not_there)
{
	const struct genlmsghdr header = { .cmd = CTRL_CMD_NEWFAMILY };
	struct nlmsghdr *family;
	uint16_t number = 7;

	kernel_reset();
	ck_assert_int_eq(nl_find_family(&kernel_generic, "ethtool", &number), -ENOENT);
	ck_assert_uint_eq(number, 0);
	family = kernel_tell(GENL_ID_CTRL, GENL_ID_CTRL, &header, sizeof(header));
	mnl_attr_put_strz(family, CTRL_ATTR_FAMILY_NAME, "ethtool");
	mnl_attr_put_u16(family, CTRL_ATTR_FAMILY_ID, 21);
	ck_assert_int_eq(nl_find_family(&kernel_generic, "ethtool", &number), 0);
	ck_assert_uint_eq(number, 21);
	ck_assert_int_eq(link_finish_frames(&kernel_generic, 7), 0);
	ck_assert_uint_eq(kernel.asked[21], 1);
	kernel_refuse(GENL_ID_CTRL, -EPERM);
	ck_assert_int_eq(nl_find_family(&kernel_generic, "ethtool", &number), -EPERM);
	ck_assert_int_eq(link_finish_frames(&kernel_generic, 7), -EPERM);
}
END_TEST

START_TEST(test_attributes_are_read_by_their_length)
{
	const struct nlattr *attr;
	struct nlmsghdr *message;

	kernel_reset();
	message = kernel_tell(0, 0, NULL, 0);
	attr = mnl_nlmsg_get_payload_tail(message);
	mnl_attr_put_u8(message, 1, 200);
	ck_assert_uint_eq(nl_number(attr), 200);
	attr = mnl_nlmsg_get_payload_tail(message);
	mnl_attr_put_u16(message, 1, 60000);
	ck_assert_uint_eq(nl_number(attr), 60000);
	attr = mnl_nlmsg_get_payload_tail(message);
	mnl_attr_put_u32(message, 1, 4000000000);
	ck_assert_uint_eq(nl_number(attr), 4000000000);
	attr = mnl_nlmsg_get_payload_tail(message);
	mnl_attr_put_u64(message, 1, 1);
	ck_assert_uint_eq(nl_number(attr), 0);
	attr = mnl_nlmsg_get_payload_tail(message);
	mnl_attr_put(message, 1, 0, NULL);
	ck_assert_uint_eq(nl_number(attr), 0);
	ck_assert(nl_is(attr, "") && !nl_is(attr, "b"));
	attr = mnl_nlmsg_get_payload_tail(message);
	mnl_attr_put_str(message, 1, "bpf");
	ck_assert(nl_is(attr, "bpf") && !nl_is(attr, "bp") && !nl_is(attr, "bpg"));
	attr = mnl_nlmsg_get_payload_tail(message);
	mnl_attr_put_strz(message, 1, "bpf");
	ck_assert(nl_is(attr, "bpf") && !nl_is(attr, "bpff"));
	ck_assert_ptr_nonnull(nl_payload(message, mnl_nlmsg_get_payload_len(message)));
	ck_assert_ptr_null(nl_payload(message, mnl_nlmsg_get_payload_len(message) + 1));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_link_is_told_as_it_is,
		test_what_does_not_fit_is_left_out,
		test_only_a_tap_can_be_a_leftover,
		test_walk_over_links_takes_nothing_else_and_ends_when_told,
		test_late_answer_to_another_question_is_not_taken,
		test_link_that_names_no_interface_is_none,
		test_link_is_set_on_a_kernel_without_ipv6,
		test_link_speaks_where_ipv6_gives_it_addresses,
		test_link_is_set_only_where_it_differs,
		test_accepted_addresses_are_the_cards_own_of_this_host,
		test_address_is_somebodys_unless_the_kernel_gave_it,
		test_family_has_a_number_or_is_not_there,
		test_attributes_are_read_by_their_length,
	};

	return run_tests("host/link", tests, COUNT(tests));
}
