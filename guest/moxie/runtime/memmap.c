/* The memory map and what can be looked up in it. */

#include <oubliette.h>

/* Set by the start-up code; in .data so that it is never taken for uninitialised. */
struct moxie_memory_map_ent *moxie_memmap __attribute__((section(".data"))) = NULL;

/* Tags are "ro,NAME,": the name starts after the first comma and ends before the second. */
void oub_entry_name(const struct moxie_memory_map_ent *entry, char name[20])
{
	const char *tags = entry->tags;
	const char *end = tags + sizeof entry->tags;
	size_t length = 0;

	while (tags < end && *tags && *tags != ',')
		tags++;
	for (tags++; tags < end && *tags && *tags != ',' && length < 19; tags++)
		name[length++] = *tags;
	name[length] = '\0';
}

/* Inputs are the read-only entries that are no part of an executable (the names elfN are the machine's own). */
static int is_input(const struct moxie_memory_map_ent *entry)
{
	return memcmp(entry->tags, "ro,", 3) == 0 && memcmp(entry->tags, "ro,elf", 6) != 0;
}

const struct moxie_memory_map_ent *oub_input_at(size_t index)
{
	const struct moxie_memory_map_ent *entry;

	if (!moxie_memmap)
		return NULL;
	for (entry = moxie_memmap; entry->addr; entry++)
		if (is_input(entry) && index-- == 0)
			return entry;
	return NULL;
}

const void *oub_input(const char *name, size_t *length)
{
	const struct moxie_memory_map_ent *entry;
	char found[20];
	size_t index;

	for (index = 0; (entry = oub_input_at(index)) != NULL; index++) {
		oub_entry_name(entry, found);
		if (strcmp(found, name) == 0) {
			if (length)
				*length = entry->length;
			return entry->addr;
		}
	}
	if (length)
		*length = 0;
	return NULL;
}

const void *oub_state(size_t *length)
{
	return oub_input("state", length);
}
