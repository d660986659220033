/* SHA-256 of the first input: the digest is the output, its hexadecimal form goes to the console.
 *
 *     oubliette run sha256.elf -d order.txt -o digest.bin
 */

#include <oubliette.h>
#include <sandboxrt_crypto.h>
#include <stdio.h>

int main(void)
{
	static uint8_t digest[SHA256_BLOCK_SIZE]; /* not on the stack: it is read after main has returned */
	const struct moxie_memory_map_ent *input = oub_input_at(0);
	SHA256_CTX ctx;
	int i;

	sha256_init(&ctx);
	if (input) /* no input is the empty input */
		sha256_update(&ctx, input->addr, input->length);
	sha256_final(&ctx, digest);
	setreturn(digest, sizeof digest);

	for (i = 0; i < SHA256_BLOCK_SIZE; i++)
		printf("%02x", digest[i]);
	putchar('\n');
	return 0;
}
