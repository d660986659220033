/* A larger stack than the 64 KiB that a contract starts with. */

#include <oubliette.h>

extern int __oub_on_stack(void *top, int (*function)(void *), void *argument);

int oub_with_stack(size_t size, int (*function)(void *), void *argument)
{
	/* From mmap and not from malloc: there is nothing below such a region, so that an overflow traps. */
	char *stack;

	size = (size + MACH_PAGE_SIZE - 1) & -(size_t)MACH_PAGE_SIZE;
	stack = mmap(NULL, size, MOXIE_PROT_EXEC | MOXIE_PROT_READ | MOXIE_PROT_WRITE,
		     MOXIE_MAP_PRIVATE | MOXIE_MAP_ANONYMOUS, -1, 0);
	if (moxie_mmap_failed(stack))
		return OUB_NO_MEMORY;
	return __oub_on_stack(stack + size, function, argument);
}
