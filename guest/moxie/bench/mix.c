/* A mix in CoreMark's manner: a linked list searched, reversed and sorted, small matrices, a state machine over text,
 * a CRC of everything. */

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TURNS 3600
#define NODES 200
#define SIDE 12

struct node {
	struct node *next;
	int16_t key, value;
};

static struct node nodes[NODES];
static int16_t left[SIDE][SIDE], right[SIDE][SIDE];
static int32_t product[SIDE][SIDE];
static const char *const words[] = { "5012", "1234abc", "+7.25", "-0.5e10", "12e+", "T0.3e-1F", "", "99999", "1e9", ".5", "x" };

static uint16_t crc(uint16_t sum, uint32_t word)
{
	for (int i = 0; i < 32; i++) {
		unsigned bit = (sum ^ word) & 1;

		word >>= 1;
		sum >>= 1;
		if (bit)
			sum ^= 0xa001;
	}
	return sum;
}

static struct node *reverse(struct node *list)
{
	struct node *before = NULL;

	while (list) {
		struct node *next = list->next;

		list->next = before;
		before = list;
		list = next;
	}
	return before;
}

static int by_key(const struct node *a, const struct node *b) { return a->key - b->key; }
static int by_value(const struct node *a, const struct node *b) { return a->value - b->value; }

/* Merge sort from the bottom up, as lists like it. */
static struct node *sort(struct node *list, int (*compare)(const struct node *, const struct node *))
{
	for (int width = 1;; width *= 2) {
		struct node *p = list, *tail = NULL;
		int merges = 0;

		list = NULL;
		while (p) {
			struct node *q = p;
			int p_left = 0, q_left = width;

			merges++;
			while (p_left < width && q) {
				p_left++;
				q = q->next;
			}
			while (p_left > 0 || (q_left > 0 && q)) {
				struct node *taken;

				if (p_left == 0 || (q_left > 0 && q && compare(p, q) > 0)) {
					taken = q;
					q = q->next;
					q_left--;
				} else {
					taken = p;
					p = p->next;
					p_left--;
				}
				if (tail)
					tail->next = taken;
				else
					list = taken;
				tail = taken;
			}
			p = q;
		}
		tail->next = NULL;
		if (merges <= 1)
			return list;
	}
}

enum state { START, SIGN, INTEGER, POINT, FRACTION, EXPONENT, EXPONENT_SIGN, POWER, INVALID, STATES };

static enum state scan(const char *text)
{
	enum state state = START;

	for (; *text && state != INVALID; text++) {
		int digit = *text >= '0' && *text <= '9';

		switch (state) {
		case START:
			state = digit ? INTEGER : *text == '+' || *text == '-' ? SIGN : *text == '.' ? POINT : INVALID;
			break;
		case SIGN:
			state = digit ? INTEGER : *text == '.' ? POINT : INVALID;
			break;
		case INTEGER:
			state = digit ? INTEGER : *text == '.' ? POINT : *text == 'e' ? EXPONENT : INVALID;
			break;
		case POINT:
		case FRACTION:
			state = digit ? FRACTION : *text == 'e' ? EXPONENT : INVALID;
			break;
		case EXPONENT:
			state = digit ? POWER : *text == '+' || *text == '-' ? EXPONENT_SIGN : INVALID;
			break;
		default:
			state = digit ? POWER : INVALID;
			break;
		}
	}
	return state;
}

int main(void)
{
	uint16_t sum = 0xffff;
	uint32_t seed = 7;
	struct node *list = nodes;

	for (int i = 0; i < NODES; i++) {
		seed = seed * 1103515245 + 12345;
		nodes[i].key = seed >> 16 & 0x7fff;
		nodes[i].value = seed >> 8 & 0xff;
		nodes[i].next = i + 1 < NODES ? &nodes[i + 1] : NULL;
	}
	for (int turn = 0; turn < TURNS; turn++) {
		unsigned found[STATES] = { 0 };

		/* list */
		for (int i = 0; i < 20; i++) {
			struct node *node = list;

			while (node && node->value != (((turn + i * 13) & 0xff)))
				node = node->next;
			sum = crc(sum, node ? node->key : i);
		}
		list = sort(reverse(list), turn & 1 ? by_key : by_value);
		list->value ^= turn & 15;
		/* matrix */
		for (int i = 0; i < SIDE; i++)
			for (int j = 0; j < SIDE; j++) {
				left[i][j] = (turn * (i + 1) + j) & 0x3fff;
				right[i][j] = (turn ^ (i * j)) & 0xff;
			}
		for (int i = 0; i < SIDE; i++)
			for (int j = 0; j < SIDE; j++) {
				int32_t total = 0;

				for (int k = 0; k < SIDE; k++)
					total += left[i][k] * right[k][j];
				product[i][j] = total;
			}
		for (int i = 0; i < SIDE; i++)
			sum = crc(sum, product[i][(i + turn) % SIDE]);
		/* state machine */
		for (int i = 0; i < 40; i++)
			for (unsigned j = 0; j < sizeof words / sizeof words[0]; j++)
				found[scan(words[j])]++;
		for (int i = 0; i < STATES; i++)
			sum = crc(sum, found[i]);
	}
	printf("%04x\n", sum);
	return 0;
}
