/* Stands between a process and its C library, and strikes at the n-th call that concerns files under one folder: kills
 * the process there, or lets the call fail. Loaded by LD_PRELOAD; does nothing until it is armed with a plan. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN = 1, READ = 2, CREATE = 4, WRITE = 8, SYNC = 16, RENAME = 32, REMOVE = 64, FOLDER = 128, TRUNCATE = 256 };

struct plan { /* as `_Plan` in interposer.py; in memory that the attacker shares */
    long at;       /* number of the call that is struck, from 1; 0 only counts */
    long seen;     /* calls until now */
    int kinds;     /* which calls count, as above */
    int error;     /* errno of the call that is struck; 0 kills */
    int lasting;   /* whether the calls after it fail too, as on a full disk */
    int torn;      /* whether a write that is struck writes its first half */
    char root[1024];
};

static struct plan *plan;
#define DESCRIPTORS 65536
static char watched[DESCRIPTORS];

void interposer_arm(struct plan *armed) { memset(watched, 0, sizeof watched); plan = armed; }

static int below(const char *path) {
    if (!plan || !path) return 0;
    size_t length = strlen(plan->root);
    return strncmp(path, plan->root, length) == 0 && (path[length] == '/' || path[length] == 0);
}
static int below_at(int folder, const char *path) {
    if (below(path)) return 1;
    return plan && path && path[0] != '/' && folder >= 0 && folder < DESCRIPTORS && watched[folder];
}
static int is_watched(int fd) { return plan && fd >= 0 && fd < DESCRIPTORS && watched[fd]; }
static int watch(int fd, int yes) {
    if (plan && fd >= 0 && fd < DESCRIPTORS) watched[fd] = (char)yes;
    return fd;
}

/* Whether the call is struck: 0 or the errno to fail with. Does not return if it kills. */
static int struck(int kind) {
    if (!(plan->kinds & kind)) return 0;
    long number = __atomic_add_fetch(&plan->seen, 1, __ATOMIC_SEQ_CST);
    if (plan->at == 0 || number < plan->at || (number > plan->at && !plan->lasting)) return 0;
    if (plan->error == 0) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    return plan->error;
}
static int is_next(int kind) { return plan->torn && (plan->kinds & kind) && plan->seen + 1 == plan->at; }

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define STRIKE(condition, kind)                                    \
    do {                                                           \
        if (condition) {                                           \
            int error_ = struck(kind);                             \
            if (error_) { errno = error_; return -1; }             \
        }                                                          \
    } while (0)

static int opening(int flags) { return flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC) ? CREATE : OPEN; }

#define MODE(last)                                                 \
    mode_t mode = 0;                                               \
    if (last & (O_CREAT | __O_TMPFILE)) {                          \
        va_list rest; va_start(rest, last); mode = va_arg(rest, mode_t); va_end(rest); \
    }

#define OPENS(name)                                                \
    int name(const char *path, int flags, ...) {                   \
        REAL(name); MODE(flags);                                   \
        int concerned = below(path);                               \
        STRIKE(concerned, opening(flags));                         \
        return watch(real(path, flags, mode), concerned);          \
    }
OPENS(open)
OPENS(open64)

#define OPENS_AT(name)                                             \
    int name(int folder, const char *path, int flags, ...) {       \
        REAL(name); MODE(flags);                                   \
        int concerned = below_at(folder, path);                    \
        STRIKE(concerned, opening(flags));                         \
        return watch(real(folder, path, flags, mode), concerned);  \
    }
OPENS_AT(openat)
OPENS_AT(openat64)

#define OPENS_STREAM(name)                                         \
    FILE *name(const char *path, const char *how) {                \
        REAL(name);                                                \
        int concerned = below(path);                               \
        if (concerned) {                                           \
            int error = struck(strpbrk(how, "wa+") ? CREATE : OPEN); \
            if (error) { errno = error; return NULL; }             \
        }                                                          \
        FILE *stream = real(path, how);                            \
        if (stream) watch(fileno(stream), concerned);              \
        return stream;                                             \
    }
OPENS_STREAM(fopen)
OPENS_STREAM(fopen64)

int close(int fd) { REAL(close); watch(fd, 0); return real(fd); }

ssize_t read(int fd, void *bytes, size_t size) { REAL(read); STRIKE(is_watched(fd), READ); return real(fd, bytes, size); }

#define READS_AT(name, offset_t)                                   \
    ssize_t name(int fd, void *bytes, size_t size, offset_t offset) { \
        REAL(name); STRIKE(is_watched(fd), READ); return real(fd, bytes, size, offset); \
    }
READS_AT(pread, off_t)
READS_AT(pread64, off64_t)

#define MAPS(name, offset_t)                                       \
    void *name(void *at, size_t size, int rights, int flags, int fd, offset_t offset) { \
        REAL(name);                                                \
        if (is_watched(fd)) {                                      \
            int error = struck(READ);                              \
            if (error) { errno = error; return MAP_FAILED; }       \
        }                                                          \
        return real(at, size, rights, flags, fd, offset);          \
    }
MAPS(mmap, off_t)
MAPS(mmap64, off64_t)

ssize_t write(int fd, const void *bytes, size_t size) {
    REAL(write);
    if (is_watched(fd) && is_next(WRITE)) (void)!real(fd, bytes, size / 2);
    STRIKE(is_watched(fd), WRITE);
    return real(fd, bytes, size);
}
#define WRITES_AT(name, offset_t)                                  \
    ssize_t name(int fd, const void *bytes, size_t size, offset_t offset) { \
        REAL(name);                                                \
        if (is_watched(fd) && is_next(WRITE)) (void)!real(fd, bytes, size / 2, offset); \
        STRIKE(is_watched(fd), WRITE);                             \
        return real(fd, bytes, size, offset);                      \
    }
WRITES_AT(pwrite, off_t)
WRITES_AT(pwrite64, off64_t)

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev); STRIKE(is_watched(fd), WRITE); return real(fd, parts, count);
}
ssize_t sendfile(int to, int from, off_t *offset, size_t size) {
    static ssize_t (*real)(int, int, off_t *, size_t);
    if (!real) real = (ssize_t (*)(int, int, off_t *, size_t))dlsym(RTLD_NEXT, "sendfile");
    STRIKE(is_watched(to), WRITE); return real(to, from, offset, size);
}
ssize_t sendfile64(int to, int from, off64_t *offset, size_t size) {
    static ssize_t (*real)(int, int, off64_t *, size_t);
    if (!real) real = (ssize_t (*)(int, int, off64_t *, size_t))dlsym(RTLD_NEXT, "sendfile64");
    STRIKE(is_watched(to), WRITE); return real(to, from, offset, size);
}
ssize_t copy_file_range(int from, off64_t *start, int to, off64_t *end, size_t size, unsigned flags) {
    REAL(copy_file_range); STRIKE(is_watched(to), WRITE); return real(from, start, to, end, size, flags);
}

int fsync(int fd) { REAL(fsync); STRIKE(is_watched(fd), SYNC); return real(fd); }
int fdatasync(int fd) { REAL(fdatasync); STRIKE(is_watched(fd), SYNC); return real(fd); }
int ftruncate(int fd, off_t size) { REAL(ftruncate); STRIKE(is_watched(fd), TRUNCATE); return real(fd, size); }
int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); STRIKE(is_watched(fd), TRUNCATE); return real(fd, size); }

int rename(const char *old, const char *fresh) {
    REAL(rename); STRIKE(below(old) || below(fresh), RENAME); return real(old, fresh);
}
int renameat(int from, const char *old, int to, const char *fresh) {
    REAL(renameat); STRIKE(below_at(from, old) || below_at(to, fresh), RENAME); return real(from, old, to, fresh);
}
int link(const char *old, const char *fresh) {
    REAL(link); STRIKE(below(old) || below(fresh), RENAME); return real(old, fresh);
}
int linkat(int from, const char *old, int to, const char *fresh, int flags) {
    REAL(linkat); STRIKE(below_at(from, old) || below_at(to, fresh), RENAME); return real(from, old, to, fresh, flags);
}
int unlink(const char *path) { REAL(unlink); STRIKE(below(path), REMOVE); return real(path); }
int unlinkat(int folder, const char *path, int flags) {
    REAL(unlinkat); STRIKE(below_at(folder, path), REMOVE); return real(folder, path, flags);
}
int rmdir(const char *path) { REAL(rmdir); STRIKE(below(path), REMOVE); return real(path); }
int mkdir(const char *path, mode_t mode) { REAL(mkdir); STRIKE(below(path), FOLDER); return real(path, mode); }
int mkdirat(int folder, const char *path, mode_t mode) {
    REAL(mkdirat); STRIKE(below_at(folder, path), FOLDER); return real(folder, path, mode);
}
