/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_wire.c: what comes over a wire or a socket: TXT record, confirmation frame, the helper's
 * reply. The first byte chooses; what is decoded must come back the same.
 */
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "reply.h"
#include "txt.h"

static void fuzz_txt(const uint8_t *data, size_t size)
{
	struct txt txt, again;
	uint8_t rdata[TXT_MAX];

	if (txt_decode(data, size, &txt))
		return;
	if (!mac_is_guest(&txt.mac) || txt.port == 0)
		return; /* "not said" is not written */
	if (txt_decode(rdata, txt_encode(&txt, rdata), &again) ||
	    !mac_equal(&txt.mac, &again.mac) || txt.port != again.port ||
	    txt.bridged != again.bridged || txt.attach != again.attach ||
	    strcmp(txt.hostname, again.hostname) != 0)
		abort();
}

static void fuzz_control(const uint8_t *data, size_t size)
{
	struct control control, again;
	uint8_t frame[CONTROL_LEN];

	if (control_decode(data, size, &control))
		return;
	control_encode(&control, frame);
	if (control_decode(frame, sizeof(frame), &again) || control.type != again.type ||
	    control.cookie != again.cookie || control.echo != again.echo ||
	    !mac_equal(&control.source, &again.source))
		abort();
}

static void fuzz_reply(const uint8_t *data, size_t size)
{
	struct reply reply, again;
	uint8_t message[REPLY_LEN];

	if (reply_decode(data, size, &reply))
		return;
	reply_encode(&reply, message);
	if (reply_decode(message, sizeof(message), &again) || reply.code != again.code ||
	    strcmp(reply.text, again.text) != 0 || strcmp(reply.tap, again.tap) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(const uint8_t *data, size_t size) = { fuzz_txt, fuzz_control,
									     fuzz_reply };

	if (size)
		targets[data[0] % 3](data + 1, size - 1);
	return 0;
}
