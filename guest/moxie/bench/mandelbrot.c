/* The Mandelbrot set in fixed point, 12 bits behind it, so that products fit 32 bits. */

#include <stdio.h>

#define SIZE 512
#define TURNS 256

int main(void)
{
	unsigned checksum = 0;

	for (int row = 0; row < SIZE; row++)
		for (int column = 0; column < SIZE; column++) {
			int cr = column * (3 << 12) / SIZE - (2 << 12);
			int ci = row * (2 << 12) / SIZE - (1 << 12);
			int zr = 0, zi = 0, turn;

			for (turn = 0; turn < TURNS; turn++) {
				int rr = zr * zr >> 12, ii = zi * zi >> 12;

				if (rr + ii > 4 << 12)
					break;
				zi = (zr * zi >> 11) + ci;
				zr = rr - ii + cr;
			}
			checksum = checksum * 31 + turn;
		}
	printf("%u\n", checksum);
	return 0;
}
