/* A disk that misbehaves, for tests: preloaded into a child process, it stands between SQLite and the
 * kernel for the run files in the folder BAD_DISK_FOLDER.
 *
 * It fails, shortens or delays writes and syncs as the numbers in the file BAD_DISK_ORDERS say (shared
 * memory, changed by the test while the child runs), and it notes what reached the kernel, in order, in
 * the file BAD_DISK_NOTES, so that the test can work out what a power cut would have left.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_ERRNO, WRITES_LEFT, SYNC_ERRNO, SYNCS_LEFT, SYNC_DELAY_MS, SHORT, AFTER_FAILED_SYNC, ORDERS };

static volatile int64_t *orders;
static int notes = -1;
static const char *folder;
static char failed[4096]; /* the file whose sync has failed */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_fsync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_unlink)(const char *);
static int (*real_open)(const char *, int, ...);

__attribute__((constructor)) static void begin(void) {
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_open = dlsym(RTLD_NEXT, "open64");
    folder = getenv("BAD_DISK_FOLDER");
    if (getenv("BAD_DISK_ORDERS")) {
        int file = real_open(getenv("BAD_DISK_ORDERS"), O_RDWR);
        orders = mmap(NULL, ORDERS * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        close(file);
    }
    if (getenv("BAD_DISK_NOTES"))
        notes = real_open(getenv("BAD_DISK_NOTES"), O_WRONLY | O_CREAT | O_APPEND, 0600);
}

/* The path behind a descriptor, if it is ours to spoil: a run file, its log, or the folder. */
static int ours(const char *path) {
    size_t length = folder ? strlen(folder) : 0;
    size_t all = strlen(path);
    if (!length || strncmp(path, folder, length))
        return 0;
    return !path[length] || (strstr(path, ".run.sqlite") && strcmp(path + all - 4, "-shm"));
}

static int path_of(int file, char *path, size_t room) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, room - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return ours(path);
}

/* One note: kind, path length, offset, data length, path, data. The caller holds the guard. */
static void note(char kind, const char *path, int64_t offset, const void *data, int64_t size) {
    if (notes < 0)
        return;
    struct { int64_t kind, path, offset, size; } head = {kind, (int64_t)strlen(path), offset, size};
    real_write(notes, &head, sizeof head);
    real_write(notes, path, head.path);
    if (size)
        real_write(notes, data, size);
}

static int used_up(int left) { return orders[left] > 0 ? (orders[left]--, 0) : 1; }

ssize_t pwrite64(int file, const void *data, size_t size, off_t offset) {
    char path[4096];
    if (!path_of(file, path, sizeof path))
        return real_pwrite(file, data, size, offset);
    pthread_mutex_lock(&guard);
    ssize_t done = -1;
    int error = 0;
    if (orders && !strcmp(path, failed))
        orders[AFTER_FAILED_SYNC]++;
    if (orders && orders[WRITE_ERRNO] && used_up(WRITES_LEFT)) {
        error = (int)orders[WRITE_ERRNO];
    } else {
        if (orders && orders[SHORT] && size > 1)
            size = (size + 1) / 2;
        done = real_pwrite(file, data, size, offset);
        error = errno;
        if (done > 0)
            note('w', path, offset, data, done);
    }
    pthread_mutex_unlock(&guard);
    errno = error;
    return done;
}

ssize_t pwrite(int file, const void *data, size_t size, off_t offset) {
    return pwrite64(file, data, size, offset);
}

ssize_t write(int file, const void *data, size_t size) {
    char path[4096];
    if (!real_write)
        real_write = dlsym(RTLD_NEXT, "write");
    if (!path_of(file, path, sizeof path))
        return real_write(file, data, size);
    return pwrite64(file, data, size, lseek(file, 0, SEEK_CUR)); /* SQLite does not rely on the offset */
}

static int sync_file(int file) {
    char path[4096];
    if (!path_of(file, path, sizeof path))
        return real_fsync(file);
    if (orders && orders[SYNC_DELAY_MS])
        usleep((useconds_t)orders[SYNC_DELAY_MS] * 1000);
    pthread_mutex_lock(&guard);
    int error = 0;
    if (orders && !strcmp(path, failed))
        orders[AFTER_FAILED_SYNC]++;
    if (orders && orders[SYNC_ERRNO] && used_up(SYNCS_LEFT)) {
        error = (int)orders[SYNC_ERRNO];
        orders[SYNC_ERRNO] = 0; /* as Linux does: the next one "succeeds", the pages are lost */
        strcpy(failed, path);
    } else {
        note('s', path, 0, NULL, 0);
    }
    pthread_mutex_unlock(&guard);
    errno = error;
    return error ? -1 : 0;
}

int fsync(int file) { return sync_file(file); }
int fdatasync(int file) { return sync_file(file); }

int ftruncate64(int file, off_t size) {
    char path[4096];
    if (!path_of(file, path, sizeof path))
        return real_ftruncate(file, size);
    pthread_mutex_lock(&guard);
    int done = real_ftruncate(file, size);
    if (!done)
        note('t', path, size, NULL, 0);
    pthread_mutex_unlock(&guard);
    return done;
}

int ftruncate(int file, off_t size) { return ftruncate64(file, size); }

int unlink(const char *path) {
    size_t length = strlen(path);
    pthread_mutex_lock(&guard);
    int done = real_unlink(path);
    if (!done && orders && orders[WRITE_ERRNO] == ENOSPC && length > 8 && !strcmp(path + length - 8, ".reserve"))
        orders[WRITE_ERRNO] = 0; /* there is room again */
    if (!done && ours(path))
        note('u', path, 0, NULL, 0);
    pthread_mutex_unlock(&guard);
    return done;
}

int open64(const char *path, int flags, ...) {
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    if (!real_open)
        real_open = dlsym(RTLD_NEXT, "open64");
    struct stat there;
    int created = (flags & O_CREAT) && ours(path) && stat(path, &there);
    int file = real_open(path, flags, mode);
    int error = errno;
    if (file >= 0 && created) {
        pthread_mutex_lock(&guard);
        note('c', path, 0, NULL, 0);
        pthread_mutex_unlock(&guard);
    }
    errno = error;
    return file;
}

int open(const char *path, int flags, ...) {
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    return open64(path, flags, mode);
}
