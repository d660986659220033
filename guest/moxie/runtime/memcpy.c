/* Copying forwards. The machine allows unaligned words, so only the destination is aligned. */

#include <stddef.h>
#include <stdint.h>

typedef uint32_t __attribute__((may_alias)) word;

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
	unsigned char *out = to;
	const unsigned char *in = from;

	if (length >= 16) {
		while ((uintptr_t)out & 3) {
			*out++ = *in++;
			length--;
		}
		while (length >= 32) {
			word *o = (word *)out;
			const word *i = (const word *)in;

			o[0] = i[0];
			o[1] = i[1];
			o[2] = i[2];
			o[3] = i[3];
			o[4] = i[4];
			o[5] = i[5];
			o[6] = i[6];
			o[7] = i[7];
			out += 32;
			in += 32;
			length -= 32;
		}
		while (length >= 4) {
			*(word *)out = *(const word *)in;
			out += 4;
			in += 4;
			length -= 4;
		}
	}
	while (length) {
		*out++ = *in++;
		length--;
	}
	return to;
}
