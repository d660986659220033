/* sandboxrt.h: the classic environment of a contract, under the names that moxiebox gave it.
 *
 * A contract is prepared (program, data files and stack are laid out), runs, and leaves an output. This
 * header has what belongs to that; oubliette.h has everything beyond it. The usual C library is there too:
 * malloc, printf, string.h, setjmp.h, assert.h and so on come from newlib.
 */
#ifndef __SANDBOXRT_H__
#define __SANDBOXRT_H__

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One region of the address space as it was prepared. The list ends with an entry whose addr is NULL.
 * tags is "ro,NAME," or "rw,NAME,", NUL-terminated. Inputs are the read-only entries after the elfN ones. */
struct moxie_memory_map_ent {
	void *addr;
	size_t length; /* bytes, exact */
	char tags[32 - 4 - 4];
};

enum {
	MACH_PAGE_SIZE = 4096U,
};

/* Numbers of the machine, not of Linux. */
enum moxie_mmap_prot_flags {
	MOXIE_PROT_NONE = 0U,
	MOXIE_PROT_EXEC = (1U << 0),
	MOXIE_PROT_READ = (1U << 1),
	MOXIE_PROT_WRITE = (1U << 2),
};

enum moxie_mmap_flags {
	MOXIE_MAP_SHARED = (1U << 0),
	MOXIE_MAP_PRIVATE = (1U << 1),
	MOXIE_MAP_ANONYMOUS = (1U << 2),
};

/* The list of regions. */
extern struct moxie_memory_map_ent *moxie_memmap;

/* Announces the output: [addr, addr+length) must lie in one region (else a bus trap) and is read when the
 * run has finished. Call it again to announce another buffer. */
extern void setreturn(void *addr, size_t length);

/* Ends the run at once; the code is status & 0xff. */
extern void _exit(int status) __attribute__((__noreturn__));

/* Zeroed memory in whole pages: addr NULL, length a multiple of 4096, all three MOXIE_PROT_* bits,
 * MOXIE_MAP_PRIVATE | MOXIE_MAP_ANONYMOUS. Returns the address, or -EINVAL (-22) or -ENOMEM (-12) as a pointer:
 * test with moxie_mmap_failed(). malloc does not need it. */
extern void *mmap(void *addr, size_t length, int prot, int flags, int fd, /*off_t*/ int offset);

static inline int moxie_mmap_failed(const void *result)
{
	return (size_t)result >= (size_t)-4096;
}

#ifdef __cplusplus
}
#endif

#endif /* __SANDBOXRT_H__ */
