/* int setjmp(jmp_buf), void longjmp(jmp_buf, int): save all callee-saved registers, $r11 included.
 *
 * jmp_buf (10 words in newlib's header, 9 used): r6 r7 r8 r9 r10 r11, setjmp's frame address, and that
 * frame's two words: the caller's fp and the return address. The stack pointer needs no slot, since `ret`
 * derives it from the frame. longjmp writes the two words back first: once setjmp has returned, its frame
 * is free space and later calls have overwritten it.
 */

	.text
	.p2align 1
	.globl	setjmp
	.type	setjmp,@function
setjmp:
	st.l	($r0), $r6
	sto.l	4($r0), $r7
	sto.l	8($r0), $r8
	sto.l	12($r0), $r9
	sto.l	16($r0), $r10
	sto.l	20($r0), $r11
	sto.l	24($r0), $fp
	ld.l	$r1, ($fp)
	sto.l	28($r0), $r1
	ldo.l	$r1, 4($fp)
	sto.l	32($r0), $r1
	xor	$r0, $r0
	ret
	.size	setjmp, .-setjmp

	.globl	longjmp
	.type	longjmp,@function
longjmp:
	ld.l	$r6, ($r0)
	ldo.l	$r7, 4($r0)
	ldo.l	$r8, 8($r0)
	ldo.l	$r9, 12($r0)
	ldo.l	$r10, 16($r0)
	ldo.l	$r11, 20($r0)
	ldo.l	$fp, 24($r0)
	ldo.l	$r2, 28($r0)
	st.l	($fp), $r2
	ldo.l	$r2, 32($r0)
	sto.l	4($fp), $r2
	mov	$r0, $r1
	xor	$r2, $r2
	cmp	$r0, $r2
	bne	.Lvalue
	inc	$r0, 1			/* longjmp(env, 0) makes setjmp return 1 */
.Lvalue:
	ret
	.size	longjmp, .-longjmp
