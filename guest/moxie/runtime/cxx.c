/* What C++ without exceptions and run-time types asks of its library: memory, and a place to end when a pure virtual function is called. */

#include <stdlib.h>

/* No exceptions: a new that cannot be served ends the run, as an uncaught std::bad_alloc would. */
static void *take(size_t size)
{
	void *memory = malloc(size ? size : 1);

	if (!memory)
		abort();
	return memory;
}

void *operator_new(size_t size) __asm__("_Znwm");
void *operator_new_array(size_t size) __asm__("_Znam");
void operator_delete(void *memory) __asm__("_ZdlPv");
void operator_delete_sized(void *memory, size_t size) __asm__("_ZdlPvm");
void operator_delete_array(void *memory) __asm__("_ZdaPv");
void operator_delete_array_sized(void *memory, size_t size) __asm__("_ZdaPvm");

void *operator_new(size_t size) { return take(size); }
void *operator_new_array(size_t size) { return take(size); }
void operator_delete(void *memory) { free(memory); }
void operator_delete_sized(void *memory, size_t size) { free(memory); }
void operator_delete_array(void *memory) { free(memory); }
void operator_delete_array_sized(void *memory, size_t size) { free(memory); }

void __cxa_pure_virtual(void) { abort(); }
