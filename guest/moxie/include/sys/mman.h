/* sys/mman.h: mmap under its usual names. The numbers are the machine's, and failure is -errno as a pointer,
 * not MAP_FAILED: see moxie_mmap_failed(). */
#ifndef _SYS_MMAN_H
#define _SYS_MMAN_H

#include <sandboxrt.h>

#define PROT_NONE MOXIE_PROT_NONE
#define PROT_EXEC MOXIE_PROT_EXEC
#define PROT_READ MOXIE_PROT_READ
#define PROT_WRITE MOXIE_PROT_WRITE
#define MAP_SHARED MOXIE_MAP_SHARED
#define MAP_PRIVATE MOXIE_MAP_PRIVATE
#define MAP_ANONYMOUS MOXIE_MAP_ANONYMOUS
#define MAP_ANON MOXIE_MAP_ANONYMOUS

#endif
