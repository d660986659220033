/* A ledger that carries its state: accounts and balances live from run to run.
 *
 *     oubliette run ledger.elf -d orders.txt --state ledger.bin -o receipts.txt
 *
 * The input has one order in each line: `mint NAME AMOUNT` or `pay FROM TO AMOUNT`. The output says for each what became of
 * it. The state has a header and one fixed-size record for each account, in the order in which they were opened.
 */

#include <oubliette.h>
#include <stdio.h>

#define MAGIC 0x3152474cu /* "LGR1" */
#define ACCOUNTS 1000

struct account {
	char name[24];
	uint64_t balance;
};

static struct {
	uint32_t magic;
	uint32_t runs;
	uint32_t accounts;
	uint32_t reserved;
	struct account account[ACCOUNTS];
} ledger;

static struct account *find(const char *name)
{
	uint32_t i;

	for (i = 0; i < ledger.accounts; i++)
		if (strcmp(ledger.account[i].name, name) == 0)
			return &ledger.account[i];
	return NULL;
}

static struct account *open(const char *name)
{
	struct account *account = find(name);

	if (!account && ledger.accounts < ACCOUNTS) {
		account = &ledger.account[ledger.accounts++];
		strcpy(account->name, name);
	}
	return account;
}

/* One order; the answer is what the receipt says. */
static const char *execute(const char *order)
{
	char from[24], to[24];
	unsigned long long amount;
	struct account *payer, *payee;

	if (sscanf(order, "mint %23s %llu", to, &amount) == 2) {
		payee = open(to);
		if (!payee)
			return "refused: the ledger is full";
		if (payee->balance + amount < amount)
			return "refused: the balance would overflow";
		payee->balance += amount;
		return "done";
	}
	if (sscanf(order, "pay %23s %23s %llu", from, to, &amount) == 3) {
		payer = find(from);
		if (!payer)
			return "refused: no such account";
		if (payer->balance < amount)
			return "refused: not enough money";
		payee = open(to);
		if (!payee)
			return "refused: the ledger is full";
		if (payee != payer && payee->balance + amount < amount)
			return "refused: the balance would overflow";
		payer->balance -= amount;
		payee->balance += amount;
		return "done";
	}
	return "refused: not an order";
}

static int load(void)
{
	size_t length;
	const void *state = oub_state(&length);

	ledger.magic = MAGIC;
	if (!state)
		return 1; /* the first run */
	if (length < 16 || length > sizeof ledger)
		return 0;
	memcpy(&ledger, state, length);
	return ledger.magic == MAGIC && ledger.accounts <= ACCOUNTS &&
	       length == 16 + ledger.accounts * sizeof(struct account);
}

int main(void)
{
	static char output[64 * 1024];
	char line[128];
	size_t used = 0;
	const struct moxie_memory_map_ent *input = oub_input_at(0);
	char name[20];
	FILE *orders;
	uint32_t i;

	if (!load()) {
		fprintf(stderr, "the state is not a ledger's\n");
		return 2;
	}
	if (!input || (oub_entry_name(input, name), strcmp(name, "state") == 0)) {
		fprintf(stderr, "give me orders: -d FILE\n");
		return 2;
	}
	orders = fopen(name, "r"); /* inputs are files too */
	while (orders && fgets(line, sizeof line, orders)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] && used < sizeof output - 256)
			used += sprintf(output + used, "%s: %s\n", line, execute(line));
	}
	ledger.runs++;
	setreturn(output, used);
	setstate(&ledger, 16 + ledger.accounts * sizeof(struct account));

	printf("run %u\n", (unsigned)ledger.runs);
	for (i = 0; i < ledger.accounts; i++)
		printf("%-12s %llu\n", ledger.account[i].name, (unsigned long long)ledger.account[i].balance);
	return 0;
}
