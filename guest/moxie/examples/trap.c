/* A contract with a mistake in it: the report names the functions, the files and the lines.
 *
 * Sums the numbers of a table whose last entry is missing.
 */

#include <stdio.h>

struct entry {
	const char *name;
	const int *value;
};

static const int apples = 3, pears = 4;
static const struct entry table[] = { { "apples", &apples }, { "pears", &pears }, { "plums", NULL } };

__attribute__((noinline)) static int value_of(const struct entry *entry)
{
	return *entry->value;
}

__attribute__((noinline)) static int sum(const struct entry *entries, int count)
{
	int total = 0;

	for (int i = 0; i < count; i++)
		total += value_of(&entries[i]);
	return total;
}

__attribute__((noinline)) static void report(void)
{
	printf("counting fruit\n");
	printf("%d pieces\n", sum(table, sizeof table / sizeof table[0]));
}

int main(void)
{
	report();
	return 0;
}
