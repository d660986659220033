/* Counts the words of one input, `text`, leaving out those listed in another, `stop`.
 *
 *     oubliette run wordcount.elf -d text=letter.txt -d stop=stop.txt
 *
 * The output has one line for each word, most frequent first, then by the alphabet.
 */

#include <ctype.h>
#include <oubliette.h>
#include <stdio.h>

struct word {
	struct word *next;
	unsigned count;
	int stop; /* listed as a word to leave out */
	size_t length;
	char text[];
};

#define BUCKETS 1024
static struct word *buckets[BUCKETS];
static size_t words;

static struct word *intern(const char *text, size_t length)
{
	uint32_t hash = 2166136261u;
	struct word **bucket, *word;
	size_t i;

	for (i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)tolower((unsigned char)text[i])) * 16777619u;
	bucket = &buckets[hash % BUCKETS];
	for (word = *bucket; word; word = word->next) {
		if (word->length != length)
			continue;
		for (i = 0; i < length && word->text[i] == tolower((unsigned char)text[i]); i++)
			;
		if (i == length)
			return word;
	}
	word = calloc(1, sizeof *word + length + 1);
	if (!word) {
		fprintf(stderr, "out of memory after %u words\n", (unsigned)words);
		exit(2);
	}
	for (i = 0; i < length; i++)
		word->text[i] = tolower((unsigned char)text[i]);
	word->length = length;
	word->next = *bucket;
	*bucket = word;
	words++;
	return word;
}

static void each_word(const char *bytes, size_t length, void (*visit)(struct word *))
{
	size_t start, end = 0;

	for (;;) {
		for (start = end; start < length && !isalpha((unsigned char)bytes[start]); start++)
			;
		if (start == length)
			return;
		for (end = start; end < length && isalpha((unsigned char)bytes[end]); end++)
			;
		visit(intern(bytes + start, end - start));
	}
}

static void count(struct word *word)
{
	if (!word->stop)
		word->count++;
}

static void stop(struct word *word)
{
	word->stop = 1;
}

static int by_count(const void *left, const void *right)
{
	const struct word *a = *(struct word *const *)left, *b = *(struct word *const *)right;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return strcmp(a->text, b->text);
}

int main(void)
{
	size_t text_length, stop_length, bytes = 0, found = 0, i;
	const char *text = oub_input("text", &text_length);
	const char *stops = oub_input("stop", &stop_length);
	struct word **list, *word;
	char *output, *end;

	if (!text) {
		fprintf(stderr, "give me the text to count: -d text=FILE (and words to leave out: -d stop=FILE)\n");
		return 2;
	}
	if (stops)
		each_word(stops, stop_length, stop);
	each_word(text, text_length, count);

	list = malloc((words + 1) * sizeof *list);
	for (i = 0; list && i < BUCKETS; i++)
		for (word = buckets[i]; word; word = word->next)
			if (word->count) {
				list[found++] = word;
				bytes += word->length + 12;
			}
	output = malloc(bytes + 1);
	if (!list || !output) {
		fprintf(stderr, "out of memory for %u words\n", (unsigned)words);
		return 2;
	}
	qsort(list, found, sizeof *list, by_count);
	for (end = output, i = 0; i < found; i++)
		end += sprintf(end, "%u %s\n", list[i]->count, list[i]->text);
	setreturn(output, end - output);
	fprintf(stderr, "%u different words\n", (unsigned)found);
	return 0;
}
