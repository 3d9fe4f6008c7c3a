| SPDX-License-Identifier: LGPL-2.1-or-later
|
| The test protocol, included by netrom.s: EtherType 0x88b5, 'BIIR' at 14, a letter at 18.
|   sent     H hello, each second, and B bye:  18 letter, 19 online, 20 MAC, 26 frames received,
|              30 AppleTalk network, 32 node, 33 zero, 34 result of Open; 36 bytes, not padded
|            N an NBP answer has come (appletalk.s): 18 letter, 19 online, 20 MAC, 26 answers
|              so far, 28 network, 30 node, 31 socket, 32 name as a Pascal string; 64 bytes
|   obeyed   E echo: the same bytes to the sender, with R
|            T burst: word 20 = count, word 22 = length; answered by as many frames with U, the
|              frames still to come in word 20, each byte k from 24 on = k & 255
|            M, D add, delete the multicast address at 20: the frame back with R, result in word 26
|            S freeze: hold the CPU with interrupts masked for the milliseconds in word 20
|            Q quit
|   noted    H hello of another Mac: its MAC goes into XPRAM, see `report` in netrom.s
| A frame too short for its letter is ignored: what lies behind its end is an older frame's.

	.equ	HELLO_LEN,36
	.equ	NBP_NEWS_LEN,64

| --- the part that all frames of ours share: to everyone, letter d0; a0 then points to 26
news:	lea	txbuf,a0
	moveq	#-1,d1
	move.l	d1,(a0)+
	move.w	d1,(a0)+
	clr.l	(a0)+			| source: the driver's part
	clr.w	(a0)+
	move.w	#ETYPE,(a0)+
	move.l	#MAGIC,(a0)+
	move.b	d0,(a0)+
	move.b	online,(a0)+
	move.l	mymac,(a0)+
	move.w	mymac+4,(a0)+
	rts

| --- broadcast the hello with letter d0
hello:	bsr	news
	move.l	rxcnt,(a0)+
	move.w	mynet,(a0)+
	move.b	mynode,(a0)+
	clr.b	(a0)+
	move.w	oerr,(a0)+
	lea	txbuf,a0
	move.w	#HELLO_LEN,d0
	bra	send

| --- protocol handler
ph_test: movem.l d0-d7/a0-a6,-(sp)
	bsr	getfr
	cmp.w	#19,d7
	blo	9f
	cmp.l	#MAGIC,rxbuf+14
	bne	9f
	move.b	rxbuf+18,d0
	cmp.b	#'E',d0
	beq	echo
	cmp.b	#'H',d0
	bne	2f
	move.l	rxbuf+6,heard
	move.w	rxbuf+10,heard+4
2:	cmp.b	#'Q',d0
	bne	1f
	st	quit
1:	cmp.w	#24,d7
	blo	9f
	cmp.b	#'S',d0
	beq	freeze
	cmp.b	#'T',d0
	beq	burst
	cmp.w	#28,d7
	blo	9f
	move.w	#EADDMULTI,d1
	cmp.b	#'M',d0
	beq	multi
	move.w	#EDELMULTI,d1
	cmp.b	#'D',d0
	beq	multi
9:	movem.l	(sp)+,d0-d7/a0-a6
	rts

echo:	bsr	mirror
answer:	move.b	#'R',txbuf+18
	lea	txbuf,a0
	move.w	d7,d0
	bsr	send
	bra	9b

multi:	bsr	mirror
	lea	epb,a0
	move.w	d1,csCode(a0)
	move.l	rxbuf+20,eProtType(a0)
	move.w	rxbuf+24,eProtType+4(a0)
	bsr	ectl
	move.w	d0,txbuf+26
	bra	answer

freeze:	moveq	#0,d6
	move.w	rxbuf+20,d6
	mulu.l	#1000,d6
	.word	OP_MICROSECONDS		| d0 = low half; differences are right across a wrap
	move.l	d0,d5
1:	.word	OP_MICROSECONDS
	sub.l	d5,d0
	cmp.l	d6,d0
	blo	1b
	bra	9b

burst:	move.w	rxbuf+20,d6
	move.w	rxbuf+22,d5
	cmp.w	#24,d5
	blo	9b
	cmp.w	#1514,d5
	bhi	9b
	bsr	mirror
	move.b	#'U',txbuf+18
	lea	txbuf+24,a0
	moveq	#24,d0
2:	cmp.w	d5,d0
	bhs	4f
	move.b	d0,(a0)+
	addq.w	#1,d0
	bra	2b
3:	lea	txbuf,a0
	move.w	d6,20(a0)
	move.w	d5,d0
	bsr	send
4:	dbra	d6,3b
	bra	9b
