/* Names the program to __cxa_atexit; there is only one. */

void *__dso_handle = 0;
