| SPDX-License-Identifier: LGPL-2.1-or-later
|
| A small AppleTalk phase 2 node, included by netrom.s: it claims an address by AARP, answers
| AARP, AEP echo and NBP lookups of its one name (type Macintosh), looks for others of that type
| each second, and broadcasts what it finds (letter N of testproto.s).
| No router, no zones but "*", no checksums: the network number is one of the start-up range.
|
| Offsets in a frame: 12 length, 14 SNAP header, then AARP: 22 hardware, protocol and lengths,
| 28 function (1 request, 2 response, 3 probe), 30 sender's MAC, 36 its address, 40 and 46 the
| target's; or DDP: 22 length, 24 checksum, 26 destination network, 28 source network,
| 30 destination node, 31 source node, 32 destination socket, 33 source socket, 34 type, 35 data;
| NBP in it: 35 function and count, 36 id, and one tuple: 37 network, 39 node, 40 socket,
| 41 enumerator, 42 three Pascal strings.

	.equ	AT_GROUP_HI,0x090007ff	| 09:00:07:ff:ff:ff, every AppleTalk node
	.equ	AT_GROUP_LO,0xffff
	.equ	AARP_LEN,50
	.equ	NAMED_SOCKET,0xfd	| where our name lives, and where lookups come from
	.equ	LOOKUP_ID,0x42

| --- at the start: an address to try, made of the MAC; 10 probes claim it
at_start: move.w #0xff00,mynet
	move.b	mymac+5,d0
	and.b	#0x3f,d0
	or.b	#0x80,d0
	move.b	d0,mynode
	move.w	#10,probes
	rts

| --- from the main loop: a probe each fifth of a second until none is left
at_probe: tst.w	probes
	beq	9f
	move.l	TICKS,d0
	sub.l	lastprb,d0
	cmp.l	#12,d0
	blo	9f
	move.l	TICKS,lastprb
	move.w	sr,-(sp)
	move.w	#0x2700,sr
	bsr	aarph
	move.w	#3,txbuf+28
	lea	txbuf,a0
	moveq	#AARP_LEN,d0
	bsr	send
	subq.w	#1,probes
	bne	1f
	st	online
	moveq	#'H',d0			| said at once: those who wait for it need not wait a second
	bsr	hello
1:	move.w	(sp)+,sr
9:	rts

| --- d1 = our address, 0 network node as AARP writes it
myaddr:	moveq	#0,d1
	move.w	mynet,d1
	lsl.l	#8,d1
	move.b	mynode,d1
	rts

| --- txbuf = an AARP frame to all nodes, from us, about our address; the function is still missing
aarph:	movem.l	d1/a0,-(sp)
	lea	txbuf,a0
	move.l	#AT_GROUP_HI,(a0)+
	move.w	#AT_GROUP_LO,(a0)+
	clr.l	(a0)+
	clr.w	(a0)+
	move.w	#AARP_LEN-14,(a0)+
	move.l	#0xaaaa0300,(a0)+
	move.l	#0x000080f3,(a0)+
	move.l	#0x0001809b,(a0)+	| Ethernet, AppleTalk
	move.w	#0x0604,(a0)+
	clr.w	(a0)+
	move.l	mymac,(a0)+
	move.w	mymac+4,(a0)+
	bsr	myaddr
	move.l	d1,(a0)+
	clr.l	(a0)+
	clr.w	(a0)+
	move.l	d1,(a0)+
	movem.l	(sp)+,d1/a0
	rts

| --- protocol handler of all 802.3 frames
ph_8023: movem.l d0-d7/a0-a6,-(sp)
	bsr	getfr
	cmp.w	#35,d7			| no DDP packet is shorter
	blo	done
	cmp.l	#0xaaaa0300,rxbuf+14
	beq	aarp
	cmp.l	#0xaaaa0308,rxbuf+14
	bne	done
	cmp.l	#0x0007809b,rxbuf+18
	beq	ddp
done:	movem.l	(sp)+,d0-d7/a0-a6
	rts

aarp:	cmp.l	#0x000080f3,rxbuf+18
	bne	done
	cmp.w	#AARP_LEN,d7
	blo	done
	move.l	rxbuf+46,d0		| the address asked for, or probed
	and.l	#0xffffff,d0
	bsr	myaddr
	move.w	rxbuf+28,d2
	tst.b	online
	beq	5f
	cmp.l	d0,d1			| ours: answer, a request and a probe alike
	bne	done
	cmp.w	#2,d2
	beq	done
	bsr	aarph
	move.l	rxbuf+30,txbuf
	move.w	rxbuf+34,txbuf+4
	move.w	#2,txbuf+28
	move.l	rxbuf+30,txbuf+40
	move.w	rxbuf+34,txbuf+44
	move.l	rxbuf+36,txbuf+46
	lea	txbuf,a0
	moveq	#AARP_LEN,d0
	bsr	send
	addq.l	#1,atcnt
	bra	done
5:	cmp.w	#1,d2			| still claiming: a request says nothing about its owner
	beq	done
	cmp.w	#2,d2
	bne	6f
	move.l	rxbuf+36,d0		| a response: from the owner
	and.l	#0xffffff,d0
6:	cmp.l	d0,d1
	bne	done
	addq.b	#1,mynode		| taken, or wanted by another: try the next
	cmp.b	#0xfe,mynode
	blo	7f
	move.b	#0x80,mynode
7:	move.w	#10,probes
	bra	done

ddp:	tst.b	online
	beq	done
	move.w	rxbuf+26,d0		| for us: our network or 0 for "this one", our node or all
	beq	1f
	cmp.w	mynet,d0
	bne	done
1:	move.b	rxbuf+30,d0
	cmp.b	#0xff,d0
	beq	2f
	cmp.b	mynode,d0
	bne	done
2:	move.b	rxbuf+32,d0
	move.b	rxbuf+34,d1
	cmp.b	#4,d0
	beq	aep
	cmp.b	#2,d1
	bne	done
	cmp.w	#45,d7			| NBP with a tuple of three empty strings
	blo	done
	cmp.b	#2,d0
	beq	nbp
	cmp.b	#NAMED_SOCKET,d0
	beq	nbpnews
	bra	done

aep:	cmp.b	#4,d1
	bne	done
	cmp.b	#1,rxbuf+35		| echo request
	bne	done
	bsr	mirror
	move.b	#2,txbuf+35
	bsr	ddpswap
	moveq	#14,d0
	add.w	rxbuf+12,d0		| without the padding
	cmp.w	d7,d0
	bhi	done
	lea	txbuf,a0
	bsr	send
	addq.l	#1,atcnt
	bra	done

| --- somebody looks for a name
nbp:	move.b	rxbuf+35,d0
	lsr.b	#4,d0
	subq.b	#1,d0			| broadcast request 1, lookup 2
	cmp.b	#1,d0
	bhi	done
	lea	rxbuf+42,a0
	lea	name,a1
	bsr	nbpcmp
	bne	done
	lea	type(pc),a1
	bsr	nbpcmp
	bne	done
	bsr	mirror
	bsr	ddpswap
	move.w	rxbuf+37,txbuf+26	| the answer goes to the address inside the tuple
	move.b	rxbuf+39,txbuf+30
	move.b	rxbuf+40,txbuf+32
	move.b	#NAMED_SOCKET,txbuf+33
	move.b	#0x31,txbuf+35
	move.w	mynet,txbuf+37
	move.b	mynode,txbuf+39
	move.b	#NAMED_SOCKET,txbuf+40
	move.b	#1,txbuf+41
	lea	txbuf+42,a0
	lea	name,a1
	bsr	pcopy
	lea	type(pc),a1
	bsr	pcopy
	lea	zone(pc),a1
	bsr	pcopy
	bsr	ddpend
	addq.l	#1,atcnt
	bra	done

| --- look for everybody of our type: a lookup in a DDP packet to all nodes, once a second
at_lookup:
	tst.b	online
	beq	9f
	lea	txbuf,a0
	move.l	#AT_GROUP_HI,(a0)+
	move.w	#AT_GROUP_LO,(a0)+
	clr.l	(a0)+
	clr.w	(a0)+
	clr.w	(a0)+			| 12: length, filled in last
	move.l	#0xaaaa0308,(a0)+
	move.l	#0x0007809b,(a0)+
	clr.l	(a0)+			| 22: length and checksum
	clr.w	(a0)+			| 26: to this network
	move.w	mynet,(a0)+
	move.b	#0xff,(a0)+		| 30: to all nodes
	move.b	mynode,(a0)+
	move.b	#2,(a0)+		| 32: to the names' socket
	move.b	#NAMED_SOCKET,(a0)+
	move.b	#2,(a0)+		| 34: NBP
	move.b	#0x21,(a0)+		| lookup, one tuple
	move.b	#LOOKUP_ID,(a0)+
	move.b	mynet,(a0)+		| 37: byte by byte, from an odd address on
	move.b	mynet+1,(a0)+
	move.b	mynode,(a0)+
	move.b	#NAMED_SOCKET,(a0)+
	clr.b	(a0)+
	lea	any(pc),a1
	bsr	pcopy
	lea	type(pc),a1
	bsr	pcopy
	lea	zone(pc),a1
	bsr	pcopy
	bra	ddpend
9:	rts

| --- an answer to it: broadcast the news
nbpnews: cmp.b	#0x31,rxbuf+35
	bne	done
	cmp.b	#LOOKUP_ID,rxbuf+36
	bne	done
	addq.l	#1,found
	moveq	#'N',d0
	bsr	news
	move.w	found+2,(a0)+
	move.b	rxbuf+37,(a0)+
	move.b	rxbuf+38,(a0)+
	move.b	rxbuf+39,(a0)+
	move.b	rxbuf+40,(a0)+
	lea	rxbuf+42,a1
	moveq	#NAME_MAX,d0
1:	move.b	(a1)+,(a0)+
	dbra	d0,1b
	cmp.b	#NAME_MAX,txbuf+32
	bls	2f
	move.b	#NAME_MAX,txbuf+32
2:	lea	txbuf,a0
	moveq	#NBP_NEWS_LEN,d0
	bsr	send
	bra	done

| --- append the Pascal string a1 at a0
pcopy:	moveq	#0,d0
	move.b	(a1),d0
1:	move.b	(a1)+,(a0)+
	dbra	d0,1b
	rts

| --- the DDP packet in txbuf ends at a0: fill in its lengths and send it
ddpend:	move.l	a0,d0
	sub.l	#txbuf,d0
	move.w	d0,d1
	sub.w	#14,d1
	move.w	d1,txbuf+12
	subq.w	#8,d1
	move.w	d1,txbuf+22
	lea	txbuf,a0
	bra	send

| --- the DDP header of the answer in txbuf: swap the ends; no hops, no checksum
ddpswap: move.w	rxbuf+28,txbuf+26
	move.w	mynet,txbuf+28
	move.b	rxbuf+31,txbuf+30
	move.b	mynode,txbuf+31
	move.b	rxbuf+33,txbuf+32
	move.b	rxbuf+32,txbuf+33
	and.w	#0x03ff,txbuf+22
	clr.w	txbuf+24
	rts

| --- does the Pascal string a0 ask for a1? "=" asks for all, case does not count (as far as ASCII
|     goes). Z = yes; a0 then points behind its string
nbpcmp:	moveq	#0,d2
	moveq	#0,d3
	move.b	(a0)+,d2
	move.b	(a1)+,d3
	lea	(a0,d2.w),a2
	cmp.w	#1,d2
	bne	1f
	cmp.b	#'=',(a0)
	beq	9f
1:	cmp.w	d2,d3
	bne	9f
	bra	3f
2:	move.b	(a0)+,d3
	bsr	lower
	move.b	d3,d4
	move.b	(a1)+,d3
	bsr	lower
	cmp.b	d3,d4
	bne	9f
3:	dbra	d2,2b
	moveq	#0,d4
9:	movea.l	a2,a0			| movea leaves the flags alone
	rts
lower:	cmp.b	#'A',d3
	blo	1f
	cmp.b	#'Z',d3
	bhi	1f
	or.b	#0x20,d3
1:	rts

any:	.byte	1
	.ascii	"="
type:	.byte	9
	.ascii	"Macintosh"
zone:	.byte	1
	.ascii	"*"
	.even
