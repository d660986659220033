/* SHA-256 (FIPS 180-4). */

#include <sandboxrt_crypto.h>
#include <string.h>

#define ROTR(x, n) (((x) >> (n)) | ((x) << (32 - (n))))
#define CH(x, y, z) (((x) & ((y) ^ (z))) ^ (z))
#define MAJ(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))
#define BIG0(x) (ROTR(x, 2) ^ ROTR(x, 13) ^ ROTR(x, 22))
#define BIG1(x) (ROTR(x, 6) ^ ROTR(x, 11) ^ ROTR(x, 25))
#define SMALL0(x) (ROTR(x, 7) ^ ROTR(x, 18) ^ ((x) >> 3))
#define SMALL1(x) (ROTR(x, 17) ^ ROTR(x, 19) ^ ((x) >> 10))

/* The first 32 bits of the fractions of the cube roots of the first 64 primes. */
static const uint32_t K[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* Eight rounds at a time, so that the eight variables take turns instead of being moved. */
#define ROUND(a, b, c, d, e, f, g, h, i) \
	do { \
		uint32_t t = h + BIG1(e) + CH(e, f, g) + K[i] + w[i]; \
		d += t; \
		h = t + BIG0(a) + MAJ(a, b, c); \
	} while (0)

static void transform(uint32_t state[8], const uint8_t block[64])
{
	uint32_t w[64];
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
	uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
	int i;

	for (i = 0; i < 16; i++, block += 4)
		w[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
	for (; i < 64; i++)
		w[i] = SMALL1(w[i - 2]) + w[i - 7] + SMALL0(w[i - 15]) + w[i - 16];
	for (i = 0; i < 64; i += 8) {
		ROUND(a, b, c, d, e, f, g, h, i);
		ROUND(h, a, b, c, d, e, f, g, i + 1);
		ROUND(g, h, a, b, c, d, e, f, i + 2);
		ROUND(f, g, h, a, b, c, d, e, i + 3);
		ROUND(e, f, g, h, a, b, c, d, i + 4);
		ROUND(d, e, f, g, h, a, b, c, i + 5);
		ROUND(c, d, e, f, g, h, a, b, i + 6);
		ROUND(b, c, d, e, f, g, h, a, i + 7);
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
	state[5] += f;
	state[6] += g;
	state[7] += h;
}

void sha256_init(SHA256_CTX *ctx)
{
	/* The first 32 bits of the fractions of the square roots of the first 8 primes. */
	static const uint32_t start[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};

	ctx->datalen = 0;
	ctx->bitlen = 0;
	memcpy(ctx->state, start, sizeof start);
}

void sha256_update(SHA256_CTX *ctx, const uint8_t data[], size_t len)
{
	while (len) {
		if (ctx->datalen == 0 && len >= 64) {
			transform(ctx->state, data);
			ctx->bitlen += 512;
			data += 64;
			len -= 64;
		} else {
			size_t room = 64 - ctx->datalen;
			size_t part = len < room ? len : room;

			memcpy(ctx->data + ctx->datalen, data, part);
			ctx->datalen += part;
			data += part;
			len -= part;
			if (ctx->datalen == 64) {
				transform(ctx->state, ctx->data);
				ctx->bitlen += 512;
				ctx->datalen = 0;
			}
		}
	}
}

void sha256_final(SHA256_CTX *ctx, uint8_t hash[])
{
	unsigned long long bits = ctx->bitlen + (unsigned long long)ctx->datalen * 8;
	int i;

	ctx->data[ctx->datalen++] = 0x80;
	if (ctx->datalen > 56) {
		memset(ctx->data + ctx->datalen, 0, 64 - ctx->datalen);
		transform(ctx->state, ctx->data);
		ctx->datalen = 0;
	}
	memset(ctx->data + ctx->datalen, 0, 56 - ctx->datalen);
	for (i = 0; i < 8; i++)
		ctx->data[56 + i] = bits >> (56 - 8 * i);
	transform(ctx->state, ctx->data);
	for (i = 0; i < 32; i++)
		hash[i] = ctx->state[i / 4] >> (24 - 8 * (i % 4));
}
