/* The runtime checks itself: compiled at every level of optimisation, it ends with code 0, or names the first check that failed. */

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <oubliette.h>
#include <sandboxrt_crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition) \
	do { \
		if (!(condition)) \
			failed(#condition, __LINE__); \
	} while (0)

static void failed(const char *condition, int line)
{
	printf("line %d: not so: %s\n", line, condition);
	exit(1);
}

static int constructed;
static char odd_byte = 1;
static double aligned[4] __attribute__((aligned(64)));
static char bss_byte, bss_aligned[100] __attribute__((aligned(128)));

__attribute__((constructor)) static void construct(void) { constructed = 42; }

static void memory_functions(void)
{
	static unsigned char a[160], b[160], expected[160];

	for (int length = 0; length <= 70; length++)
		for (int from = 0; from < 5; from++)
			for (int to = 0; to < 5; to++) {
				for (int i = 0; i < 160; i++) {
					a[i] = i + 1;
					b[i] = expected[i] = 255 - i;
				}
				for (int i = 0; i < length; i++)
					expected[32 + to + i] = a[32 + from + i];
				CHECK(memcpy(b + 32 + to, a + 32 + from, length) == b + 32 + to);
				CHECK(memcmp(b, expected, 160) == 0);
				for (int i = 0; i < length; i++)
					expected[32 + to + i] = 0xa5;
				CHECK(memset(b + 32 + to, 0x1a5, length) == b + 32 + to);
				for (int i = 0; i < 160; i++)
					CHECK(b[i] == expected[i]);
			}
	for (int distance = -40; distance <= 40; distance++)
		for (int length = 0; length <= 70; length += 7) {
			for (int i = 0; i < 160; i++)
				b[i] = expected[i] = i * 3;
			for (int i = 0; i < length; i++)
				expected[44 + distance + i] = (44 + i) * 3;
			CHECK(memmove(b + 44 + distance, b + 44, length) == b + 44 + distance);
			for (int i = 0; i < 160; i++)
				CHECK(b[i] == expected[i]);
		}
	memcpy(a, b, 160);
	for (int i = 0; i < 100; i++) {
		a[i] ^= 0x80;
		CHECK((memcmp(a, b, 160) < 0) == (a[i] < b[i]) && memcmp(a, b, i) == 0 && memcmp(a + i + 1, b + i + 1, 50) == 0);
		a[i] ^= 0x80;
	}
	CHECK(memchr("abc", 'c', 3) && !memchr("abc", 'd', 3) && strlen("four") == 4 && strcmp("b", "a") > 0);
	CHECK(strstr("haystack", "sta") && strchr("abc", 'b') && strcmp(strcpy((char *)a, "copy"), "copy") == 0);
	CHECK(strncpy((char *)a, "ab", 5) && a[2] == 0 && a[4] == 0);
}

__attribute__((noinline)) static long long varargs(int count, ...)
{
	va_list list;
	long long total = 0;

	va_start(list, count);
	for (int i = 0; i < count; i++)
		total = total * 3 + (i & 1 ? va_arg(list, long long) : va_arg(list, int));
	va_end(list);
	return total;
}

struct pair { int a, b; };
struct large { int a[9]; };
__attribute__((noinline)) static struct pair swap(struct pair p) { return (struct pair){ p.b, p.a }; }
__attribute__((noinline)) static struct large grow(struct large l) { l.a[8] += l.a[0]; return l; }

static void arithmetic(void)
{
	volatile long long big = 0x123456789abcdefll, small = -7;
	volatile unsigned long long ubig = 0xfedcba9876543210ull;
	volatile double x = 1.5, y = -0.25;
	volatile float f = 16777216.0f;
	volatile int shift = 37;

	CHECK(big / small == -0x299c335ccf668fll && big / small * small + big % small == big);
	CHECK(big * small == -0x7f6e5d4c3b2a189ll);
	CHECK(ubig % 1000000007ull == ubig - ubig / 1000000007ull * 1000000007ull && ubig / 3 * 3 + ubig % 3 == ubig);
	CHECK((ubig >> shift) == 0x7f6e5d4 && (big >> shift) == 0x91a2b && (big << shift) == 0x3579bde000000000ll);
	CHECK(x * y == -0.375 && x / y == -6 && x + y == 1.25 && x > y && !(x != x) && (int)(x * 2) == 3);
	CHECK(f + 1 == f && f + 2 > f && (float)0.1 != 0.1 && (unsigned)(x * 2e9) == 3000000000u);
	CHECK(fabs(sin(0.5) * sin(0.5) + cos(0.5) * cos(0.5) - 1) < 1e-15 && pow(2, 0.5) == sqrt(2));
	CHECK(varargs(8, 1, 2ll, 3, 4ll, 5, 6ll, 7, 8ll) == ((((((3 + 2) * 3 + 3) * 3 + 4) * 3 + 5) * 3 + 6) * 3 + 7) * 3 + 8);
	CHECK(swap((struct pair){ 1, 2 }).a == 2 && grow((struct large){ { 5, 0, 0, 0, 0, 0, 0, 0, 6 } }).a[8] == 11);
}

static void printing(void)
{
	char text[200];

	CHECK(sprintf(text, "%d|%5u|%-5x|%05d|%s|%c|%lld|%%", -5, 7u, 0xabcu, 42, "str", 'c', 1234567890123ll) > 0);
	CHECK(strcmp(text, "-5|    7|abc  |00042|str|c|1234567890123|%") == 0);
	sprintf(text, "%f %.3e %g %g %.0f", 3.14159, 12345.678, 1e-5, 1e100, 2.5);
	CHECK(strcmp(text, "3.141590 1.235e+04 1e-05 1e+100 2") == 0);
	CHECK(strtod("2.5e-3", NULL) == 0.0025 && strtol("-0x1f", NULL, 0) == -31 && atoi("77") == 77);
	CHECK(sscanf("12 word 3.5", "%*d %99s %*f", text) == 1 && strcmp(text, "word") == 0);
	CHECK(isalpha('x') && toupper('x') == 'X');
}

static jmp_buf environment;

__attribute__((noinline)) static void jump(int value) { longjmp(environment, value); }

static void jumping(void)
{
	volatile int count = 0;
	int value = setjmp(environment);

	CHECK(value == count);
	if (++count < 4)
		jump(count);
}

static void hashing(void)
{
	static const struct { const char *text; int times; uint8_t start[4]; } cases[] = {
		{ "", 1, { 0xe3, 0xb0, 0xc4, 0x42 } },
		{ "abc", 1, { 0xba, 0x78, 0x16, 0xbf } },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1, { 0x24, 0x8d, 0x6a, 0x61 } },
		{ "aaaaaaaaaa", 1000, { 0x27, 0xdd, 0x1f, 0x61 } },
	};
	uint8_t digest[SHA256_BLOCK_SIZE];
	SHA256_CTX ctx;

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		sha256_init(&ctx);
		for (int j = 0; j < cases[i].times; j++)
			sha256_update(&ctx, (const uint8_t *)cases[i].text, strlen(cases[i].text));
		sha256_final(&ctx, digest);
		CHECK(memcmp(digest, cases[i].start, 4) == 0);
	}
}

static int deep(int n)
{
	volatile char frame[1000];

	frame[0] = n;
	return n == 0 ? 0 : deep(n - 1) + 1 + (frame[0] != (char)n);
}

static int deep_500(void *argument) { return argument == &odd_byte ? deep(500) : -1; }

static void files(void)
{
	struct stat status;
	char line[20];
	FILE *file;

	CHECK(fopen("no such input", "r") == NULL && errno == ENOENT);
	CHECK(fopen("input", "w") == NULL);
	CHECK(getchar() == EOF);
	CHECK((file = fopen("input", "r")) != NULL);
	CHECK(stat("input", &status) == 0 && status.st_size == 19 && S_ISREG(status.st_mode));
	CHECK(fgets(line, sizeof line, file) && strcmp(line, "bread\n") == 0);
	CHECK(fseek(file, -8, SEEK_END) == 0 && fgets(line, sizeof line, file) && strcmp(line, "unicorn\n") == 0);
	CHECK(fgets(line, sizeof line, file) == NULL && feof(file) && ftell(file) == 19);
	rewind(file);
	CHECK(fread(line, 1, 5, file) == 5 && memcmp(line, "bread", 5) == 0 && fclose(file) == 0);
	CHECK(isatty(1) && getpid() == 1 && write(7, "x", 1) == -1 && errno == EBADF);
}

static void time_and_fuel(void)
{
	uint64_t before = oub_fuel_used(), now = 0;
	time_t start = time(NULL);
	clock_t ticks = clock();

	CHECK(oub_fuel_used() > before && before > 1000);
	CHECK(oub_clock(&now) != 0 || now > 1500000000ull * 1000000000ull);
	CHECK(start >= 946684800 && clock() >= ticks);
}

int main(int argc, char **argv)
{
	const char *volatile none = argv[0];
	char *block;

	CHECK(argc == 0 && none == NULL);
	CHECK(constructed == 42 && odd_byte == 1 && bss_byte == 0);
	CHECK(((size_t)aligned & 63) == 0 && ((size_t)bss_aligned & 127) == 0 && bss_aligned[99] == 0 && aligned[3] == 0);
	CHECK(oub_available());
	memory_functions();
	arithmetic();
	printing();
	jumping();
	hashing();
	CHECK(oub_with_stack(1 << 20, deep_500, &odd_byte) == 500);
	files();
	time_and_fuel();
	block = calloc(1000, 100);
	CHECK(block && block[99999] == 0);
	block = realloc(block, 300000);
	CHECK(block != NULL);
	free(block);
	CHECK(malloc(0x7ffffff0) == NULL);
	printf("the runtime is well\n");
	return 0;
}
