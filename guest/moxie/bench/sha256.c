/* SHA-256 of 4 MiB: rotates, exclusive ors, a table of constants. */

#include <stdio.h>
#include <sandboxrt_crypto.h>

static uint8_t data[1 << 16];

int main(void)
{
	uint8_t digest[32];
	uint32_t seed = 1;
	SHA256_CTX ctx;
	int i;

	for (i = 0; i < (int)sizeof data; i++) {
		seed = seed * 1664525 + 1013904223;
		data[i] = seed >> 24;
	}
	sha256_init(&ctx);
	for (i = 0; i < 64; i++)
		sha256_update(&ctx, data, sizeof data);
	sha256_final(&ctx, digest);
	for (i = 0; i < 32; i++)
		printf("%02x", digest[i]);
	putchar('\n');
	return 0;
}
