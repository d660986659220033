/* Asks the host for something: the price of each thing named in the input, by the offer called `price`.
 *
 * The host answers with a number as text, or with an error. Where nothing is offered, the contract says so and uses 1.
 */

#include <oubliette.h>
#include <stdio.h>

int main(void)
{
	char *answer, line[80];
	unsigned long total = 0;
	size_t length;
	FILE *things = fopen("data0", "r");
	static char output[32];

	while (things && fgets(line, sizeof line, things)) {
		line[strcspn(line, "\n")] = '\0';
		switch (oub_hatch_alloc("price", line, strlen(line), &answer, &length)) {
		case 0:
			printf("%s costs %s\n", line, answer);
			total += strtoul(answer, NULL, 10);
			break;
		case OUB_HOST_ERROR:
			printf("%s has no price: %s\n", line, answer);
			break;
		case OUB_NOT_OFFERED:
			printf("%s costs 1, as this host offers no prices\n", line);
			total++;
			break;
		default:
			fprintf(stderr, "out of memory\n");
			return 2;
		}
		free(answer);
	}
	setreturn(output, sprintf(output, "%lu\n", total));
	return 0;
}
