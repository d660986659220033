/* Quicksort of 300,000 words, eight times: data-dependent branches, recursion. */

#include <stdint.h>
#include <stdio.h>

#define COUNT 300000

static uint32_t words[COUNT];

static void sort(uint32_t *low, uint32_t *high)
{
	while (high - low > 12) {
		uint32_t a = *low, b = low[(high - low) / 2], c = *high;
		uint32_t pivot = a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
		uint32_t *i = low, *j = high;

		do {
			while (*i < pivot)
				i++;
			while (*j > pivot)
				j--;
			if (i <= j) {
				uint32_t swap = *i;

				*i++ = *j;
				*j-- = swap;
			}
		} while (i <= j);
		if (j - low < high - i) {
			sort(low, j);
			low = i;
		} else {
			sort(i, high);
			high = j;
		}
	}
	for (uint32_t *i = low + 1; i <= high; i++) {
		uint32_t value = *i, *j = i;

		for (; j > low && j[-1] > value; j--)
			*j = j[-1];
		*j = value;
	}
}

int main(void)
{
	uint32_t seed = 12345, sum = 0;

	for (int turn = 0; turn < 8; turn++) {
		for (int i = 0; i < COUNT; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 17;
			seed ^= seed << 5;
			words[i] = seed;
		}
		sort(words, words + COUNT - 1);
		for (int i = 1; i < COUNT; i++) {
			if (words[i - 1] > words[i])
				return 1;
			sum = sum * 33 + words[i];
		}
	}
	printf("%u\n", (unsigned)sum);
	return 0;
}
