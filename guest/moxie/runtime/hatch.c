/* Calls to the host with less ceremony than struct hatch_call. */

#include <oubliette.h>

int oub_hatch(const char *name, const void *arg, size_t arg_len, void *result, size_t *result_len)
{
	struct hatch_call call = {
		.name = name, .name_len = strlen(name),
		.arg = arg, .arg_len = arg_len,
		.result = result, .result_cap = result_len ? *result_len : 0,
	};
	int answer;

	if (!oub_available())
		answer = OUB_NOT_OFFERED;
	else
		answer = oub_hatch_call(&call);
	if (result_len)
		*result_len = call.result_len;
	return answer;
}

int oub_hatch_alloc(const char *name, const void *arg, size_t arg_len, char **result, size_t *result_len)
{
	size_t length = 0;
	int answer = oub_hatch(name, arg, arg_len, NULL, &length);

	*result = NULL;
	if (result_len)
		*result_len = 0;
	if (answer != 0 && answer != OUB_TOO_LARGE && answer != OUB_HOST_ERROR)
		return answer;
	*result = malloc(length + 1);
	if (!*result)
		return OUB_NO_MEMORY;
	if (length)
		oub_hatch_result(*result, length);
	(*result)[length] = '\0';
	if (result_len)
		*result_len = length;
	return answer == OUB_TOO_LARGE ? 0 : answer;
}
