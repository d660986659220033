/* int __oub_on_stack(void *top, int (*function)(void *), void *argument): call a function on another stack.
   Nothing has to be saved: `ret` derives the stack pointer from the frame, and this frame is on the old stack. */

	.text
	.p2align 1
	.globl	__oub_on_stack
	.type	__oub_on_stack,@function
__oub_on_stack:
	ldi.l	$r3, -16
	and	$r0, $r3
	mov	$sp, $r0
	dec	$sp, 32			/* the callee's home area */
	mov	$r0, $r2
	jsr	$r1
	ret
	.size	__oub_on_stack, .-__oub_on_stack
