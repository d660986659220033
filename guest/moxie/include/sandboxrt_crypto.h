/* sandboxrt_crypto.h: SHA-256 (FIPS 180-4). */
#ifndef __SANBOXRT_CRYPTO_H__
#define __SANBOXRT_CRYPTO_H__

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHA256_BLOCK_SIZE 32 /* the digest's length in bytes */

typedef struct {
	uint8_t data[64];           /* the block being filled */
	uint32_t datalen;           /* bytes in it */
	unsigned long long bitlen;  /* bits in the blocks before it */
	uint32_t state[8];
} SHA256_CTX;

/* sha256_init, then sha256_update as often as wanted, then sha256_final once. */
void sha256_init(SHA256_CTX *ctx);
void sha256_update(SHA256_CTX *ctx, const uint8_t data[], size_t len);
void sha256_final(SHA256_CTX *ctx, uint8_t hash[]); /* hash: SHA256_BLOCK_SIZE bytes */

#ifdef __cplusplus
}
#endif

#endif /* __SANBOXRT_CRYPTO_H__ */
