/* Time and chance: the host's where they are offered, else derived from the fuel used. */

#include <errno.h>
#include <oubliette.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

#undef errno
extern int errno;

extern int __oub_fuel_used(uint64_t *units);

#define FUEL_PER_SECOND 1000000u
#define START 946684800u /* 2000-01-01 UTC */

uint64_t oub_fuel_used(void)
{
	uint64_t units = 0; /* stays 0 on a machine without the call */

	__oub_fuel_used(&units);
	return units;
}

int _gettimeofday(struct timeval *now, void *zone)
{
	uint64_t nanoseconds = 0;

	(void)zone;
	/* A machine without the call leaves nanoseconds alone and r0 positive. */
	if (oub_clock(&nanoseconds) == 0 && nanoseconds != 0) {
		now->tv_sec = nanoseconds / 1000000000u;
		now->tv_usec = (uint32_t)(nanoseconds % 1000000000u) / 1000u;
	} else {
		uint64_t fuel = oub_fuel_used();

		now->tv_sec = START + fuel / FUEL_PER_SECOND;
		now->tv_usec = fuel % FUEL_PER_SECOND;
	}
	return 0;
}

clock_t _times(struct tms *spent)
{
	clock_t ticks = oub_fuel_used() / (FUEL_PER_SECOND / CLOCKS_PER_SEC);

	*spent = (struct tms){ .tms_utime = ticks };
	return ticks;
}

int _getentropy(void *bytes, size_t length)
{
	if (length > 256 || oub_random(bytes, length) != (int)length) {
		errno = length > 256 ? EIO : ENOSYS;
		return -1;
	}
	return 0;
}
