/* What newlib asks of an operating system: the console on 1 and 2, inputs as read-only files. */

#include <errno.h>
#include <fcntl.h>
#include <oubliette.h>
#include <sys/stat.h>
#include <unistd.h>

#undef errno
extern int errno;

#define FILES 16

struct file {
	const char *bytes; /* NULL: the slot is free */
	size_t length, position;
};

static struct file files[FILES]; /* file descriptor 3 is files[3]; slot 0 is the input named stdin */

static int fail(int error)
{
	errno = error;
	return -1;
}

static struct file *file_of(int fd)
{
	if (fd == 0 && !files[0].bytes)
		files[0].bytes = oub_input("stdin", &files[0].length);
	if (fd < 0 || fd >= FILES || !files[fd].bytes)
		return NULL;
	return &files[fd];
}

int _write(int fd, const void *bytes, size_t length)
{
	int result;

	if (fd != 1 && fd != 2)
		return fail(EBADF);
	if (!oub_available())
		return length; /* an old machine has no console: the text is lost, the contract goes on */
	result = oub_console_write(fd, bytes, length);
	return result < 0 ? fail(-result) : result;
}

int _open(const char *name, int flags, ...)
{
	size_t length;
	const char *bytes = oub_input(name, &length);
	int fd;

	if ((flags & O_ACCMODE) != O_RDONLY)
		return fail(EROFS);
	if (!bytes)
		return fail(ENOENT);
	for (fd = 3; fd < FILES; fd++)
		if (!files[fd].bytes) {
			files[fd] = (struct file){ bytes, length, 0 };
			return fd;
		}
	return fail(EMFILE);
}

int _close(int fd)
{
	struct file *file = file_of(fd);

	if (fd >= 0 && fd <= 2)
		return 0;
	if (!file)
		return fail(EBADF);
	file->bytes = NULL;
	return 0;
}

int _read(int fd, void *bytes, size_t length)
{
	struct file *file = file_of(fd);

	if (!file)
		return fd == 0 ? 0 : fail(EBADF); /* no input named stdin: end of file */
	if (file->position >= file->length)
		return 0;
	if (length > file->length - file->position)
		length = file->length - file->position;
	memcpy(bytes, file->bytes + file->position, length);
	file->position += length;
	return length;
}

off_t _lseek(int fd, off_t offset, int whence)
{
	struct file *file = file_of(fd);
	off_t base;

	if (!file)
		return fail(fd >= 0 && fd <= 2 ? ESPIPE : EBADF);
	base = whence == SEEK_CUR ? (off_t)file->position : whence == SEEK_END ? (off_t)file->length : 0;
	if ((offset < 0 && base < -offset) || (offset > 0 && base > 0x7fffffff - offset))
		return fail(EINVAL);
	file->position = base + offset;
	return file->position;
}

int _fstat(int fd, struct stat *status)
{
	struct file *file = file_of(fd);

	if (!file && (fd < 0 || fd > 2))
		return fail(EBADF);
	memset(status, 0, sizeof *status);
	status->st_blksize = 1024;
	if (file) {
		status->st_mode = S_IFREG | 0444;
		status->st_size = file->length;
	} else {
		status->st_mode = S_IFCHR | 0666;
	}
	return 0;
}

int _stat(const char *name, struct stat *status)
{
	size_t length;

	if (!oub_input(name, &length))
		return fail(ENOENT);
	memset(status, 0, sizeof *status);
	status->st_mode = S_IFREG | 0444;
	status->st_size = length;
	status->st_blksize = 1024;
	return 0;
}

/* 1 makes stdout line-buffered, so that a trap loses at most the unfinished line. */
int _isatty(int fd)
{
	return fd == 1 || fd == 2 ? 1 : fail(ENOTTY);
}
