/* oubliette.h: what a contract can do beyond the classic environment.
 *
 * Inputs by name, a state carried from run to run, the console, a fuel reading, and calls to the host. The
 * system calls behind it are in ABI.md. On a machine that lacks them oub_available() is 0; inputs and
 * setstate work there too.
 *
 * Functions that return int answer 0 or more when they worked and one of these when not. (They are not errno's numbers:
 * newlib counts some of those differently.)
 */
#ifndef OUBLIETTE_H
#define OUBLIETTE_H

#include <sandboxrt.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum oub_error {
	OUB_NOTHING_HELD = -2,
	OUB_HOST_ERROR = -5,
	OUB_BAD_FD = -9,
	OUB_NO_MEMORY = -12,
	OUB_FAULT = -14,   /* a buffer that is not all there, or not writable */
	OUB_INVALID = -22,
	OUB_NOT_OFFERED = -38,
	OUB_TOO_LARGE = -75,
};

/* --- inputs ------------------------------------------------------------------------------------------- */

/* The input called name ("data0", "data1", ... unless named when it was given), and its length in bytes if length is
 * not NULL. NULL when there is none. The bytes are read-only. An empty input is found: its length is 0. */
const void *oub_input(const char *name, size_t *length);

/* The index-th input in the order given, counted from 0 (the prior state, if any, is the last); NULL beyond the end. */
const struct moxie_memory_map_ent *oub_input_at(size_t index);

/* The name in an entry's tags, copied to name as a string of at most 19 characters. */
void oub_entry_name(const struct moxie_memory_map_ent *entry, char name[20]);

/* The inputs are files as well: fopen("block.bin", "rb") opens the input of that name, and stdin is the
 * input called "stdin". */

/* --- state -------------------------------------------------------------------------------------------- */

/* What the last run left with setstate, or NULL on the first run. */
const void *oub_state(size_t *length);

/* Announces the state that the next run finds: as setreturn, for the state buffer. (A macro, because stdlib.h has a function of
 * that name for random(); code that includes neither header may declare and call setstate itself.) */
void oub_setstate(void *addr, size_t length);
#define setstate(addr, length) oub_setstate(addr, length)

/* --- console, fuel, time, chance ---------------------------------------------------------------------- */

/* Whether the machine answers the calls below and sbrk. */
int oub_available(void);

/* Writes to the console: fd 1 is stdout, 2 stderr. printf and fprintf(stderr, ...) come down to this. */
int oub_console_write(int fd, const void *bytes, size_t length);

/* Fuel used by this run so far: one unit for each instruction, and what the calls charge. */
uint64_t oub_fuel_used(void);

/* Fills a buffer with random bytes: length, or OUB_NOT_OFFERED. */
int oub_random(void *bytes, size_t length);

/* Nanoseconds since 1970: 0, or OUB_NOT_OFFERED. (time() and gettimeofday() work without one: they
 * then count a million units of fuel as a second, from the start of 2000.) */
int oub_clock(uint64_t *nanoseconds);

/* --- stack -------------------------------------------------------------------------------------------- */

/* Calls function(argument) on a new stack of size bytes (rounded up to pages) and answers what it answers, or OUB_NO_MEMORY without
 * calling it. For interpreters and deep recursion: the stack a contract starts with has 64 KiB. The memory stays taken. */
int oub_with_stack(size_t size, int (*function)(void *), void *argument);

/* --- the hatch ---------------------------------------------------------------------------------------- */

struct hatch_call {
	const void *name;   /* of the offer, UTF-8 */
	size_t name_len;    /* 1 to 255 */
	const void *arg;
	size_t arg_len;
	void *result;
	size_t result_cap;
	size_t result_len;  /* out */
};

/* Calls what the host offers under call->name. 0: the answer is in result, its length in result_len.
 * OUB_HOST_ERROR: the host answered with an error, the message is in result (cut at result_cap). OUB_TOO_LARGE: the answer
 * does not fit, result_len tells its size, oub_hatch_result fetches it. OUB_NOT_OFFERED: nothing of that name is offered. */
int oub_hatch_call(struct hatch_call *call);

/* The last call's answer (or message) again, without asking the host: bytes copied. */
int oub_hatch_result(void *bytes, size_t capacity);

/* The same with a string for a name. *result_len is the room in result before and the answer's length after. */
int oub_hatch(const char *name, const void *arg, size_t arg_len, void *result, size_t *result_len);

/* The same into memory from malloc, however long the answer is, with a NUL after it. *result is for the caller to free, also
 * after OUB_HOST_ERROR (the message); NULL after every other error. */
int oub_hatch_alloc(const char *name, const void *arg, size_t arg_len, char **result, size_t *result_len);

#ifdef __cplusplus
}
#endif

#endif
