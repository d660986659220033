/* Fannkuch of 9, three times: permutations in small arrays, short loops. */

#include <stdio.h>

#define N 9

static int flips_max, checksum;

static void fannkuch(void)
{
	int order[N], work[N], count[N];
	int sign = 0, r = N, i;

	for (i = 0; i < N; i++)
		order[i] = i;
	for (;;) {
		int first, flips = 0;

		for (; r > 1; r--)
			count[r - 1] = r;
		for (i = 0; i < N; i++)
			work[i] = order[i];
		while ((first = work[0]) != 0) {
			int low = 0, high = first;

			for (; low < high; low++, high--) {
				int swap = work[low];

				work[low] = work[high];
				work[high] = swap;
			}
			flips++;
		}
		if (flips > flips_max)
			flips_max = flips;
		checksum += sign ? -flips : flips;
		sign = !sign;

		for (;;) {
			int kept;

			if (r == N)
				return;
			kept = order[0];
			for (i = 0; i < r; i++)
				order[i] = order[i + 1];
			order[r] = kept;
			if (--count[r] > 0)
				break;
			r++;
		}
	}
}

int main(void)
{
	for (int turn = 0; turn < 3; turn++)
		fannkuch();
	printf("%d %d\n", checksum, flips_max);
	return 0;
}
