/* Copying where the ends may overlap. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint32_t __attribute__((may_alias)) word;

void *memmove(void *to, const void *from, size_t length)
{
	unsigned char *out = to;
	const unsigned char *in = from;

	/* Forwards is right unless the destination starts inside the source. memcpy may take its steps of up to 32 bytes
	   in any order, so a destination closer below the source than that is copied here. */
	if ((uintptr_t)out - (uintptr_t)in >= length) {
		if ((uintptr_t)in - (uintptr_t)out >= 32)
			return memcpy(to, from, length);
		while (length) {
			*out++ = *in++;
			length--;
		}
		return to;
	}
	out += length;
	in += length;
	if ((uintptr_t)to - (uintptr_t)from >= 4) {
		while (length >= 16) {
			out -= 16;
			in -= 16;
			((word *)out)[3] = ((const word *)in)[3];
			((word *)out)[2] = ((const word *)in)[2];
			((word *)out)[1] = ((const word *)in)[1];
			((word *)out)[0] = ((const word *)in)[0];
			length -= 16;
		}
	}
	while (length) {
		*--out = *--in;
		length--;
	}
	return to;
}
