/* Comparing, a word at a time as long as the words are equal. */

#include <stddef.h>
#include <stdint.h>

typedef uint32_t __attribute__((may_alias)) word;

int memcmp(const void *left, const void *right, size_t length)
{
	const unsigned char *a = left, *b = right;

	while (length >= 4 && *(const word *)a == *(const word *)b) {
		a += 4;
		b += 4;
		length -= 4;
	}
	while (length) {
		if (*a != *b)
			return *a - *b;
		a++;
		b++;
		length--;
	}
	return 0;
}
