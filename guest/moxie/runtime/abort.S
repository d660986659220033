/* void abort(void): trap where it stands, so that the machine's report shows who called it. */

	.text
	.p2align 1
	.globl	abort
	.type	abort,@function
abort:
	brk
	jmpa	abort
	.size	abort, .-abort
