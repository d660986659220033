/* What the demonstration runs in a machine: any native code, in a Linux of its own. */
#include <stdio.h>
#include <sys/utsname.h>

int main(void) {
    struct utsname name;
    char line[80] = "nobody";
    if (uname(&name) != 0) return 1;
    if (fgets(line, sizeof line, stdin)) {
        for (char *c = line; *c; c++) if (*c == '\n') *c = 0;
    }
    printf("Hello, %s, from %s %s in a machine\n", line, name.sysname, name.release);
    return 0;
}
