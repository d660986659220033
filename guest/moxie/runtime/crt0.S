/* Start-up code: from the machine's entry state to main() and exit(). */

	.text
	.p2align 1
	.globl	_start
	.type	_start,@function
	.globl	__start
	.set	__start, _start
_start:
	xor	$fp, $fp		/* ends the frame chain for every traceback */
	gsr	$sp, 7
	ldi.l	$r0, -16		/* odd-sized inputs leave an odd stack top in the classic layout */
	and	$sp, $r0
	dec	$sp, 32			/* the 24-byte home area that a callee at -O0 spills r0..r5 to */

	/* No clearing of .bss: the loader zero-fills p_memsz beyond p_filesz. */

	gsr	$r0, 6
	sta.l	moxie_memmap, $r0

	jsra	__libc_init_array	/* .preinit_array, _init (.ctors), .init_array */
	ldi.l	$r0, __libc_fini_array
	jsra	atexit

	xor	$r0, $r0		/* argc: none */
	ldi.l	$r1, .Lno_args		/* argv: { NULL } */
	mov	$r2, $r1		/* envp: { NULL } */
	jsra	main
	jsra	exit
.Lhalt:
	brk				/* exit() does not return */
	jmpa	.Lhalt
	.size	_start, .-_start

	.section .rodata
	.p2align 2
.Lno_args:
	.long	0
