/* sbrk: what malloc grows by. */

#include <errno.h>
#include <oubliette.h>

extern int __oub_sbrk(int delta);

/* On a machine without sbrk the heap is made of pieces from mmap. malloc copes with breaks that jump. */
#define PIECE (256 * 1024)

static char *piece, *piece_end;

int oub_available(void)
{
	/* A machine that does not know the call leaves r0, which is 0, alone; 0 is never a break. */
	return __oub_sbrk(0) != 0;
}

static void *from_pieces(int delta)
{
	char *start;

	if (delta < 0 || piece_end - piece < delta) {
		size_t size = ((size_t)delta + PIECE - 1) / PIECE * PIECE;

		if (delta < 0 || delta > 0x0fffffff) {
			errno = ENOMEM;
			return (void *)-1;
		}
		start = mmap(NULL, size, MOXIE_PROT_EXEC | MOXIE_PROT_READ | MOXIE_PROT_WRITE,
			     MOXIE_MAP_PRIVATE | MOXIE_MAP_ANONYMOUS, -1, 0);
		if (moxie_mmap_failed(start)) {
			errno = ENOMEM;
			return (void *)-1;
		}
		if (start != piece_end)
			piece = start;
		piece_end = start + size;
	}
	start = piece;
	piece += delta;
	return start;
}

void *_sbrk(ptrdiff_t delta)
{
	static signed char has_sbrk; /* 0: not asked yet */
	int result;

	if (!has_sbrk)
		has_sbrk = oub_available() ? 1 : -1;
	if (has_sbrk < 0)
		return from_pieces(delta);
	result = __oub_sbrk(delta);
	if ((unsigned)result >= (unsigned)-4096) {
		errno = ENOMEM;
		return (void *)-1;
	}
	return (void *)result;
}
