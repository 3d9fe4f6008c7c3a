| SPDX-License-Identifier: LGPL-2.1-or-later
|
| The test ROM's program: a Mac that does nothing but use its Ethernet driver, so that tests and
| the demo can see the real emulator's network work without any software of Apple's.
|   netrom.s    globals, start, main loop, what the emulator expects of a ROM, the driver's calls
|   testproto.s the test protocol: hello, echo, burst, multicast, freeze, quit
|   appletalk.s a small AppleTalk phase 2 node: AARP, AEP echo, NBP both ways
| Relies on BasiliskII's EMUL_OP instructions (0x71xx) only. The code is position independent,
| RAM begins at 0 and all its addresses are absolute.
|
| Read from XPRAM at the start: 0x90 six bytes, a MAC to greet by unicast too (0: none);
| 0x96 seconds to live (0: until told to quit); 0xd0 a Pascal string, the name on the network
| (empty: BasiliskROM).
| Written to XPRAM each second, and saved by a clean quit: `report` below, from 0xa0 on.

	.equ	OP_BREAK,0x7101
	.equ	OP_SHUTDOWN,0x7102
	.equ	OP_RESET,0x7103
	.equ	OP_CLKNOMEM,0x7104
	.equ	OP_ETHER_OPEN,0x7120
	.equ	OP_ETHER_CONTROL,0x7121
	.equ	OP_MICROSECONDS,0x7127
	.equ	OP_IRQ,0x7129
	.equ	OP_IDLE_TIME,0x7137

	.equ	TICKS,0x16a		| low memory: 60 Hz counter, kept by the emulator
	.equ	ETYPE,0x88b5		| EtherType of the test protocol
	.equ	MAGIC,0x42494952	| 'BIIR', at 14 in each of its frames

| Control calls of the .ENET driver, and fields of their parameter block
	.equ	EDELMULTI,245
	.equ	EADDMULTI,246
	.equ	EATTACHPH,247
	.equ	EWRITE,249
	.equ	EGETINFO,252
	.equ	csCode,26
	.equ	eProtType,28		| also eMultiAddr
	.equ	ePointer,30
	.equ	eBuffSize,34

	.equ	XP_TARGET,0x90
	.equ	XP_SECONDS,0x96
	.equ	XP_REPORT,0xa0
	.equ	XP_NAME,0xd0
	.equ	NAME_MAX,31

	.struct	0x4000
globals:
heap:	.space	4			| next free byte for NewPtr
report:					| what XPRAM 0xa0 shows
mymac:	.space	6			| a0
oerr:	.space	2			| a6: result of Open
rxcnt:	.space	4			| a8: frames received
txcnt:	.space	4			| ac: frames sent
txerr:	.space	4			| b0: frames that the driver refused
mynet:	.space	2			| b4: AppleTalk address ...
mynode:	.space	1			| b6: ... read as three bytes in places
online:	.space	1			| b7: the address is ours
aerr:	.space	2			| b8: result of attaching the protocol handlers
merr:	.space	2			| ba: result of adding the multicast address
atcnt:	.space	4			| bc: AppleTalk requests answered
found:	.space	4			| c0: answers to our own NBP lookups
uptime:	.space	4			| c4: seconds since the start
heard:	.space	6			| c8: MAC of the last hello from another Mac
reportend:
	.balign	4
lastsec: .space	4			| TICKS at the last full second
lastprb: .space	4			| TICKS at the last AARP probe
probes:	.space	2			| AARP probes still to be sent
quit:	.space	1
seconds: .space	1			| to live, 0: for ever
target:	.space	6			| greeted by unicast, 0: nobody
name:	.space	NAME_MAX+1		| Pascal string
	.balign	4
epb:	.space	64			| the driver's parameter block
edce:	.space	64			| its device control entry
wds:	.space	16			| write data structure: two parts and an end
	.balign	16
rxbuf:	.space	2048
txbuf:	.space	2048
globalsend:
	.equ	HEAP_START,0x20000
	.equ	STACK,0x10000

	.text
	.globl	_start
_start:	move.w	#0x2700,sr
	lea	STACK,sp
	.word	OP_RESET
	lea	STACK,sp
	suba.l	a0,a0			| vectors 0-63, up to 0x100: low-memory globals begin there
	lea	badexc(pc),a1
	moveq	#63,d0
1:	move.l	a1,(a0)+
	dbra	d0,1b
	move.w	#0x7bf,d0		| clear low memory up to 0x2000: Ticks, event queue, ...
1:	clr.l	(a0)+
	dbra	d0,1b
	lea	aline(pc),a1
	move.l	a1,0x28
	lea	irq1(pc),a1
	move.l	a1,0x64
	lea	globals,a0
	move.w	#(globalsend-globals)/4-1,d0
1:	clr.l	(a0)+
	dbra	d0,1b
	move.l	#HEAP_START,heap

	bsr	setup
	lea	epb,a0
	lea	edce,a1
	.word	OP_ETHER_OPEN
	move.w	d0,oerr
	lea	epb,a0
	move.w	#EGETINFO,csCode(a0)
	move.l	#rxbuf,ePointer(a0)
	move.w	#18,eBuffSize(a0)
	bsr	ectl
	move.l	rxbuf,mymac
	move.w	rxbuf+4,mymac+4
	move.w	#ETYPE,d0
	lea	ph_test(pc),a2
	bsr	attach
	moveq	#0,d0			| 0: every 802.3 frame, which is where AppleTalk phase 2 is
	lea	ph_8023(pc),a2
	bsr	attach
	lea	epb,a0
	move.w	#EADDMULTI,csCode(a0)
	move.l	#AT_GROUP_HI,eProtType(a0)
	move.w	#AT_GROUP_LO,eProtType+4(a0)
	bsr	ectl
	move.w	d0,merr
	bsr	at_start
	bsr	greet
	move.w	#0x2000,sr		| interrupts on

loop:	tst.b	quit
	bne	bye
	move.l	TICKS,d0
	sub.l	lastsec,d0
	cmp.l	#60,d0
	blo	1f
	move.l	TICKS,lastsec
	move.w	sr,-(sp)		| frames are built in one buffer: not while receiving
	move.w	#0x2700,sr
	addq.l	#1,uptime
	bsr	greet
	bsr	at_lookup
	bsr	saverep
	move.w	(sp)+,sr
	moveq	#0,d0
	move.b	seconds,d0
	beq	1f
	cmp.l	uptime,d0
	bhi	1f
	st	quit
1:	bsr	at_probe
	.word	OP_IDLE_TIME
	bra	loop

bye:	move.w	#0x2700,sr
	moveq	#'B',d0
	bsr	hello
	bsr	saverep
	.word	OP_SHUTDOWN
1:	bra	1b

| --- hello to everyone, and to the configured MAC
greet:	moveq	#'H',d0
	bsr	hello
	move.l	target,d0
	or.w	target+4,d0
	beq	1f
	move.l	target,txbuf
	move.w	target+4,txbuf+4
	lea	txbuf,a0
	move.w	#HELLO_LEN,d0
	bsr	send
1:	rts

| --- what XPRAM tells: target, seconds, name
setup:	lea	target,a2
	moveq	#6,d3
	move.l	#XP_TARGET,d0
	bsr	xpread
	lea	seconds,a2
	moveq	#1,d3
	move.l	#XP_SECONDS,d0
	bsr	xpread
	lea	name,a2
	moveq	#NAME_MAX+1,d3
	move.l	#XP_NAME,d0
	bsr	xpread
	move.b	name,d0
	beq	1f
	cmp.b	#NAME_MAX,d0
	bls	2f
1:	lea	defname(pc),a0
	lea	name,a1
	moveq	#NAME_MAX,d0
3:	move.b	(a0)+,(a1)+
	dbra	d0,3b
2:	rts
defname: .byte	11
	.ascii	"BasiliskROM"
	.space	NAME_MAX+1-12
	.even

| --- XPRAM: read d3 bytes from register d0 on to a2
xpread:	bsr	xpr
	move.b	d2,(a2)+
	addq.l	#1,d0
	subq.w	#1,d3
	bne	xpread
	rts

| --- XPRAM: register d0, value d2
xpw:	movem.l	d0-d2,-(sp)
	bsr	xpsel
	.word	OP_CLKNOMEM
	movem.l	(sp)+,d0-d2
	rts
xpr:	movem.l	d0-d1,-(sp)
	bsr	xpsel
	or.b	#0x80,d1
	.word	OP_CLKNOMEM
	movem.l	(sp)+,d0-d1
	rts
xpsel:	move.l	d0,d1			| the clock chip's command: 0x38 | high bits, low bits << 10
	and.l	#0x1f,d1
	lsl.l	#8,d1
	lsl.l	#2,d1
	lsr.l	#5,d0
	and.l	#7,d0
	or.l	d0,d1
	or.b	#0x38,d1
	rts

| --- the report, to XPRAM
saverep: movem.l d0/d2/a0,-(sp)
	lea	report,a0
	move.l	#XP_REPORT,d0
1:	move.b	(a0)+,d2
	bsr	xpw
	addq.l	#1,d0
	cmp.l	#XP_REPORT+reportend-report,d0
	bne	1b
	movem.l	(sp)+,d0/d2/a0
	rts

| --- any exception: stop with the registers on the emulator's output
badexc:	move.l	#0xbadecc00,d7
	.word	OP_BREAK
1:	bra	1b

| --- level 1 interrupt: the emulator finds out what it is for
irq1:	movem.l	d0-d7/a0-a6,-(sp)
	.word	OP_IRQ
	movem.l	(sp)+,d0-d7/a0-a6
	rte

| --- A-line traps, as far as the emulator itself calls them
aline:	movem.l	d1-d2/a1,-(sp)
	move.l	14(sp),a1		| where the trap word is
	move.w	(a1)+,d1
	move.l	a1,14(sp)		| go on behind it
	move.w	d1,d2
	and.w	#0xf8ff,d2
	cmp.w	#0xa01e,d2		| NewPtr and its variants: d0 bytes -> a0
	bne	1f
	move.l	heap,a0
	move.l	a0,-(sp)
	addq.l	#3,d0
	and.l	#0xfffffffc,d0
	move.l	a0,d2
	add.l	d0,d2
	move.l	d2,heap
2:	cmp.l	a0,d2			| always cleared: some variants ask for it
	bls	3f
	clr.l	(a0)+
	bra	2b
3:	move.l	(sp)+,a0
	moveq	#0,d0
	bra	9f
1:	cmp.w	#0xa01f,d1		| DisposePtr: nothing is ever given back
	bne	4f
	moveq	#0,d0
	bra	9f
4:	move.l	#0xbad0a11e,d7		| any other, its word in d1
	.word	OP_BREAK
9:	movem.l	(sp)+,d1-d2/a1
	rte

| --- control call with the parameter block a0; result in d0
ectl:	lea	edce,a1
	.word	OP_ETHER_CONTROL
	rts

| --- attach the protocol handler a2 to type d0; errors are collected
attach:	lea	epb,a0
	move.w	#EATTACHPH,csCode(a0)
	move.w	d0,eProtType(a0)
	move.l	a2,ePointer(a0)
	bsr	ectl
	or.w	d0,aerr
	rts

| --- send the frame a0 of d0 bytes, 14 to 1514; the driver fills in the source address
send:	movem.l	d0-d3/a0-a2,-(sp)
	move.w	sr,d3
	move.w	#0x2700,sr
	lea	wds,a1			| two parts, header and body, so that gathering is tried too
	move.w	#14,(a1)+
	move.l	a0,(a1)+
	sub.w	#14,d0
	lea	14(a0),a0
	move.w	d0,(a1)+
	move.l	a0,(a1)+
	clr.w	(a1)
	lea	epb,a0
	move.w	#EWRITE,csCode(a0)
	move.l	#wds,ePointer(a0)
	bsr	ectl
	tst.w	d0
	beq	1f
	addq.l	#1,txerr
	bra	2f
1:	addq.l	#1,txcnt
2:	move.w	d3,sr
	movem.l	(sp)+,d0-d3/a0-a2
	rts

| --- the whole frame into rxbuf, its length into d7. Entry as for a protocol handler:
|     a3 behind the header, d1 bytes still to come, a4 ReadPacket, 2(a4) ReadRest
getfr:	lea	rxbuf,a2
	lea	-14(a3),a5
	move.l	(a5)+,(a2)+
	move.l	(a5)+,(a2)+
	move.l	(a5)+,(a2)+
	move.w	(a5)+,(a2)+
	moveq	#14,d7
	add.l	d1,d7
	move.l	a2,a3
	moveq	#8,d3			| the first 8 bytes by ReadPacket ...
	jsr	(a4)
	move.l	#1500,d3		| ... the others by ReadRest
	jsr	2(a4)
	addq.l	#1,rxcnt
	rts

| --- txbuf = rxbuf of d7 bytes, addressed to its sender
mirror:	movem.l	d0/a0-a1,-(sp)
	lea	rxbuf,a0
	lea	txbuf,a1
	move.w	d7,d0
	subq.w	#1,d0
1:	move.b	(a0)+,(a1)+
	dbra	d0,1b
	move.l	rxbuf+6,txbuf
	move.w	rxbuf+10,txbuf+4
	movem.l	(sp)+,d0/a0-a1
	rts

	.include "testproto.s"
	.include "appletalk.s"
