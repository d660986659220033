/* Filling, a word at a time. */

#include <stddef.h>
#include <stdint.h>

typedef uint32_t __attribute__((may_alias)) word;

void *memset(void *to, int value, size_t length)
{
	unsigned char *out = to;

	if (length >= 16) {
		word fill = (unsigned char)value * 0x01010101u;

		while ((uintptr_t)out & 3) {
			*out++ = value;
			length--;
		}
		while (length >= 32) {
			word *o = (word *)out;

			o[0] = fill;
			o[1] = fill;
			o[2] = fill;
			o[3] = fill;
			o[4] = fill;
			o[5] = fill;
			o[6] = fill;
			o[7] = fill;
			out += 32;
			length -= 32;
		}
		while (length >= 4) {
			*(word *)out = fill;
			out += 4;
			length -= 4;
		}
	}
	while (length) {
		*out++ = value;
		length--;
	}
	return to;
}
