/* Multiplication of 200 by 200 integer matrices, eight times. */

#include <stdio.h>

#define N 200

static int a[N][N], b[N][N], c[N][N];

int main(void)
{
	unsigned sum = 0;
	int i, j, k, turn;

	for (i = 0; i < N; i++)
		for (j = 0; j < N; j++) {
			a[i][j] = i * 7 + j * 3 + 1;
			b[i][j] = i * 5 - j * 11 + 2;
		}
	for (turn = 0; turn < 8; turn++) {
		for (i = 0; i < N; i++)
			for (j = 0; j < N; j++) {
				int total = 0;

				for (k = 0; k < N; k++)
					total += a[i][k] * b[k][j];
				c[i][j] = total;
			}
		for (i = 0; i < N; i++)
			for (j = 0; j < N; j++) {
				sum = sum * 31 + c[i][j];
				a[i][j] = c[i][j] >> 8;
			}
	}
	printf("%u\n", sum);
	return 0;
}
