/* One stub for each call the machine answers. Numbers and meanings: ABI.md. */

	.macro	call name, number
	.section .text.\name, "ax", @progbits
	.p2align 1
	.globl	\name
	.type	\name,@function
\name:
	swi	\number
	ret
	.size	\name, .-\name
	.endm

	call	mmap, 90
	call	oub_console_write, 0x4f550001
	call	__oub_sbrk, 0x4f550002
	call	__oub_fuel_used, 0x4f550003
	call	oub_random, 0x4f550004
	call	oub_clock, 0x4f550005
	call	oub_hatch_call, 0x4f550006
	call	oub_hatch_result, 0x4f550007

	.section .text._exit, "ax", @progbits
	.p2align 1
	.globl	_exit
	.type	_exit,@function
_exit:
	swi	1
	jmpa	_exit
	.size	_exit, .-_exit

	.section .text.setreturn, "ax", @progbits
	.p2align 1
	.globl	setreturn
	.type	setreturn,@function
setreturn:
	ssr	$r0, 6
	ssr	$r1, 7
	ret
	.size	setreturn, .-setreturn

	.section .text.setstate, "ax", @progbits
	.p2align 1
	.globl	setstate
	.type	setstate,@function
	.globl	oub_setstate
	.type	oub_setstate,@function
setstate:
oub_setstate:
	ssr	$r0, 8
	ssr	$r1, 9
	ret
	.size	setstate, .-setstate
	.size	oub_setstate, .-oub_setstate
