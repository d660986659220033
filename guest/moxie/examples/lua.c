/* A contract in Lua: this program is Lua's interpreter, the script is the input called `script` (or the first one).
 *
 *     oubliette run lua.elf -d script=auction.lua -d bids=bids.txt --state auction.state -o result.txt
 *
 * The script has Lua's base, table, string, math, utf8 and coroutine libraries, and `contract`:
 *
 *     contract.input(name)        the input of that name as a string, or nil
 *     contract.inputs()           the names of all inputs
 *     contract.output(text)       sets the output
 *     contract.state()            the state that the last run left, or nil
 *     contract.setstate(text)     leaves a state for the next run
 *     contract.hatch(name, text)  calls the host: the answer, or nil and a message
 *     contract.sha256(text)       the digest, in hexadecimal
 *     contract.fuel()             units of fuel used so far
 *
 * An error that the script does not catch ends the run with code 1 and Lua's traceback on stderr.
 */

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <oubliette.h>
#include <sandboxrt_crypto.h>
#include <stdio.h>

static int input(lua_State *L)
{
	size_t length;
	const char *bytes = oub_input(luaL_checkstring(L, 1), &length);

	if (bytes)
		lua_pushlstring(L, bytes, length);
	else
		lua_pushnil(L);
	return 1;
}

static int inputs(lua_State *L)
{
	const struct moxie_memory_map_ent *entry;
	char name[20];

	lua_newtable(L);
	for (int i = 0; (entry = oub_input_at(i)) != NULL; i++) {
		oub_entry_name(entry, name);
		lua_pushstring(L, name);
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

/* Output and state are read after the run, so they must outlive the interpreter: a copy that is never freed. */
static char *keep(lua_State *L, size_t *length)
{
	const char *text = luaL_checklstring(L, 1, length);
	char *copy = malloc(*length + 1);

	if (!copy)
		luaL_error(L, "out of memory");
	return memcpy(copy, text, *length);
}

static int output(lua_State *L)
{
	size_t length;
	char *text = keep(L, &length);

	setreturn(text, length);
	return 0;
}

static int set_state(lua_State *L)
{
	size_t length;
	char *text = keep(L, &length);

	setstate(text, length);
	return 0;
}

static int state(lua_State *L)
{
	lua_settop(L, 0);
	lua_pushstring(L, "state");
	return input(L);
}

static int hatch(lua_State *L)
{
	size_t length, answer_length;
	const char *name = luaL_checkstring(L, 1), *argument = luaL_optlstring(L, 2, "", &length);
	char *answer;

	switch (oub_hatch_alloc(name, argument, length, &answer, &answer_length)) {
	case 0:
		lua_pushlstring(L, answer, answer_length);
		free(answer);
		return 1;
	case OUB_HOST_ERROR:
		lua_pushnil(L);
		lua_pushlstring(L, answer, answer_length);
		free(answer);
		return 2;
	case OUB_NOT_OFFERED:
		lua_pushnil(L);
		lua_pushfstring(L, "the host does not offer '%s'", name);
		return 2;
	default:
		return luaL_error(L, "the call to '%s' is not possible", name);
	}
}

static int sha256(lua_State *L)
{
	size_t length;
	const char *text = luaL_checklstring(L, 1, &length);
	uint8_t digest[SHA256_BLOCK_SIZE];
	char hex[2 * SHA256_BLOCK_SIZE + 1];
	SHA256_CTX ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, (const uint8_t *)text, length);
	sha256_final(&ctx, digest);
	for (int i = 0; i < SHA256_BLOCK_SIZE; i++)
		sprintf(hex + 2 * i, "%02x", digest[i]);
	lua_pushlstring(L, hex, sizeof hex - 1);
	return 1;
}

static int fuel(lua_State *L)
{
	lua_pushinteger(L, oub_fuel_used());
	return 1;
}

static const luaL_Reg contract[] = {
	{ "input", input },   { "inputs", inputs },     { "output", output }, { "state", state },
	{ "hatch", hatch },   { "setstate", set_state }, { "sha256", sha256 }, { "fuel", fuel },
	{ NULL, NULL },
};

static const luaL_Reg libraries[] = {
	{ LUA_GNAME, luaopen_base },        { LUA_TABLIBNAME, luaopen_table }, { LUA_STRLIBNAME, luaopen_string },
	{ LUA_MATHLIBNAME, luaopen_math },  { LUA_UTF8LIBNAME, luaopen_utf8 }, { LUA_COLIBNAME, luaopen_coroutine },
	{ NULL, NULL },
};

static int traceback(lua_State *L)
{
	const char *message = lua_tostring(L, 1);

	luaL_traceback(L, L, message ? message : "error object is not a string", 1);
	return 1;
}

static int run(void *argument)
{
	const struct moxie_memory_map_ent *entry = oub_input_at(0);
	char name[21] = "="; /* a chunk name with = is shown as it is */
	size_t length;
	const char *script = oub_input("script", &length);
	lua_State *L = luaL_newstate();
	const luaL_Reg *library;

	if (!script && entry) {
		script = entry->addr;
		length = entry->length;
	}
	if (!script || !L) {
		fprintf(stderr, L ? "give me a script: -d script=FILE.lua\n" : "out of memory\n");
		return 2;
	}
	for (library = libraries; library->func; library++) {
		luaL_requiref(L, library->name, library->func, 1);
		lua_pop(L, 1);
	}
	luaL_newlib(L, contract);
	lua_setglobal(L, "contract");

	lua_pushcfunction(L, traceback);
	if (oub_input("script", NULL))
		strcpy(name + 1, "script");
	else
		oub_entry_name(entry, name + 1);
	if (luaL_loadbufferx(L, script, length, name, "t") != LUA_OK || lua_pcall(L, 0, 0, 1) != LUA_OK) {
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
		return 1;
	}
	return 0;
}

int main(void)
{
	/* Lua counts on more than 64 KiB of stack for its 200 nested C calls. */
	int code = oub_with_stack(512 * 1024, run, NULL);

	if (code < 0) {
		fprintf(stderr, "out of memory\n");
		return 2;
	}
	return code;
}
