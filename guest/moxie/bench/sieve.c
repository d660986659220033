/* The sieve of Eratosthenes up to two million, twelve times over: byte stores at growing strides. */

#include <stdio.h>
#include <string.h>

#define LIMIT 2000000

static unsigned char composite[LIMIT + 1];

int main(void)
{
	unsigned count = 0, sum = 0, i, j, turn;

	for (turn = 0; turn < 12; turn++) {
		memset(composite, 0, sizeof composite);
		for (i = 2; i <= LIMIT; i++) {
			if (composite[i])
				continue;
			count++;
			sum += i;
			if (i <= LIMIT / i)
				for (j = i * i; j <= LIMIT; j += i)
					composite[j] = 1;
		}
	}
	printf("%u %u\n", count, sum);
	return 0;
}
