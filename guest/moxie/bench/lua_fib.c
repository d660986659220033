/* Lua 5.4 computing fib(27): an interpreter inside an interpreter. */

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>

static const char script[] =
	"local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end return fib(27)";

int main(void)
{
	lua_State *L = luaL_newstate();

	if (!L || luaL_dostring(L, script) != LUA_OK)
		return 1;
	printf("%lld\n", (long long)lua_tointeger(L, -1));
	lua_close(L);
	return 0;
}
