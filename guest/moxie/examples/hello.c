/* The smallest contract: says hello on the console and finishes. */

#include <stdio.h>

int main(void)
{
	printf("hello, world\n");
	return 0;
}
