/* Times mquickjs, in this process: what a line of standard input asks for, in microseconds.
 *
 *   script NAME        the best of many warm evaluations of that file
 *   tiny COUNT         one warm evaluation of an expression never seen before: the median of rounds of COUNT
 *   living CELLS STEPS with CELLS contexts alive: drop the oldest, make one, evaluate an expression never seen before;
 *                      median and 99th percentile of the steps, then bytes resident per context
 *
 * Built by hand beside a built mquickjs, with its headers on the path and mquickjs.o, dtoa.o, libm.o, cutils.o linked in.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mquickjs.h"

/* What the stock library's table wants from its program. */
#define STUB(name) \
    static JSValue name(JSContext *ctx, JSValue *this_val, int argc, JSValue *argv) { return JS_UNDEFINED; }
STUB(js_print)
STUB(js_gc)
STUB(js_date_now)
STUB(js_performance_now)
STUB(js_load)
STUB(js_setTimeout)
STUB(js_clearTimeout)

#include "mqjs_stdlib.h"

/* Below malloc's threshold for mapping, so that making a context makes no system call. */
enum { SMALL = 64 << 10, LARGE = 256 << 20, MOST_CELLS = 100000 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int evaluate(JSContext *ctx, const char *text, size_t length)
{
    return !JS_IsException(JS_Eval(ctx, text, length, "peer.js", JS_EVAL_RETVAL));
}

static void script(const char *name)
{
    FILE *file = fopen(name, "rb");
    if (!file) {
        puts("nan");
        return;
    }
    char *text = malloc(1 << 20);
    size_t length = fread(text, 1, (1 << 20) - 1, file);
    fclose(file);
    text[length] = 0;
    void *memory = malloc(LARGE);
    JSContext *ctx = JS_NewContext(memory, LARGE, &js_stdlib);
    double best = 1e300, end = now() + 300e3;
    int fine = 1;
    for (int count = 0; fine && (count < 2 || now() < end); count++) {
        double start = now();
        fine = evaluate(ctx, text, length);
        double time = now() - start;
        if (time < best)
            best = time;
    }
    if (fine)
        printf("%f\n", best);
    else
        puts("nan");
    JS_FreeContext(ctx);
    free(memory);
    free(text);
}

static void tiny(int count)
{
    static double times[64];
    static unsigned number;
    void *memory = malloc(1 << 20);
    JSContext *ctx = JS_NewContext(memory, 1 << 20, &js_stdlib);
    char (*texts)[24] = malloc(count * sizeof(*texts));
    for (int round = 0; round < 64; round++) {
        for (int i = 0; i < count; i++)
            snprintf(texts[i], sizeof(texts[i]), "%u+1", number++);
        double start = now();
        for (int i = 0; i < count; i++)
            if (!evaluate(ctx, texts[i], strlen(texts[i])))
                abort();
        times[round] = (now() - start) / count;
    }
    qsort(times, 64, sizeof(*times), ascending);
    printf("%f\n", times[31]);
    free(texts);
    JS_FreeContext(ctx);
    free(memory);
}

struct cell {
    void *memory;
    JSContext *ctx;
};

static void make(struct cell *cell, unsigned number)
{
    char text[24];
    int length = snprintf(text, sizeof(text), "%u+1", number);
    cell->memory = malloc(SMALL);
    cell->ctx = JS_NewContext(cell->memory, SMALL, &js_stdlib);
    if (!evaluate(cell->ctx, text, length))
        abort();
}

static long resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static void living(int cells, int steps)
{
    static struct cell all[MOST_CELLS];
    if (cells < 1 || cells > MOST_CELLS || steps < 1) {
        puts("nan");
        return;
    }
    double *times = malloc(steps * sizeof(*times));
    /* Touched now, so that it is no part of what the contexts cost. */
    memset(times, 1, steps * sizeof(*times));
    long before = resident();
    for (int i = 0; i < cells; i++)
        make(&all[i], i);
    long each = (resident() - before) / cells;
    for (int i = 0; i < steps; i++) {
        struct cell *oldest = &all[i % cells];
        double start = now();
        JS_FreeContext(oldest->ctx);
        free(oldest->memory);
        make(oldest, cells + i);
        times[i] = now() - start;
    }
    qsort(times, steps, sizeof(*times), ascending);
    printf("%f %f %ld\n", times[steps / 2], times[(long)steps * 99 / 100], each);
    for (int i = 0; i < cells; i++) {
        JS_FreeContext(all[i].ctx);
        free(all[i].memory);
    }
    free(times);
}

int main(void)
{
    char line[4096], name[4096];
    int a, b;
    while (fgets(line, sizeof(line), stdin)) {
        if (sscanf(line, "script %4095[^\n]", name) == 1)
            script(name);
        else if (sscanf(line, "tiny %d", &a) == 1)
            tiny(a);
        else if (sscanf(line, "living %d %d", &a, &b) == 2)
            living(a, b);
        else
            puts("nan");
        fflush(stdout);
    }
    return 0;
}
