/* What newlib asks of an operating system about processes: there is one, and it cannot make another. */

#include <errno.h>
#include <oubliette.h>
#include <sys/types.h>

#undef errno
extern int errno;

int _getpid(void)
{
	return 1;
}

/* raise() ends here when a signal has no handler: as fatal as abort(). */
int _kill(int pid, int signal)
{
	if (pid != 1 && pid != 0 && pid != -1) {
		errno = ESRCH;
		return -1;
	}
	if (signal == 0)
		return 0;
	abort();
}

static int refuse(int error)
{
	errno = error;
	return -1;
}

int _fork(void) { return refuse(ENOSYS); }
int _execve(const char *name, char *const argv[], char *const env[]) { return refuse(ENOSYS); }
int _wait(int *status) { return refuse(ECHILD); }
int _link(const char *from, const char *to) { return refuse(EROFS); }
int _unlink(const char *name) { return refuse(EROFS); }
int _mkdir(const char *name, mode_t mode) { return refuse(EROFS); }
int _rename(const char *from, const char *to) { return refuse(EROFS); }
int _fcntl(int fd, int command, int argument) { return refuse(ENOSYS); }
