/*
 * What a `pawl serve` under the crash matrix is loaded with (LD_PRELOAD): it counts the system calls by which the process
 * makes something happen, and at one of them it kills the process, stops it, or says that the disk is full. It can also
 * move the process's clock. The product has no hook for any of this.
 *
 * Orders come through a file that both sides map, named by PAWL_SHIM_BOARD; tests/matrix/board.rs is the other side and
 * must agree on the offsets. Without the file, or as long as nothing is armed, every call is passed on.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Kinds of calls; a mask selects those that count. */
enum { TO_FILE = 1, TO_DISK = 2, TO_DATABASE = 4, TO_WORKER = 8, TO_CLIENT = 16, TO_LOG = 32 };

/* What happens at the call that was counted down to. */
enum { COUNT = 0, KILL_BEFORE = 1, KILL_AFTER = 2, STOP_BEFORE = 3, STOP_AFTER = 4, DISK_FULL = 5 };

enum { TRACE_BYTES = 1024, LINE_BYTES = 64 };

struct board {
    _Atomic int64_t clock_seconds; /* added to the time of day */
    _Atomic uint64_t listen_port;  /* connections at this port are clients' */
    _Atomic uint64_t mask;
    _Atomic uint64_t action;
    _Atomic int64_t full_calls; /* calls that still find the disk full */
    _Atomic uint64_t go_on;     /* set by the other side to end a stop */
    _Atomic uint64_t fired;     /* the kind of the call at which it happened; 0 before */
    _Atomic uint64_t counted;   /* calls that counted since this was armed */
    _Atomic int64_t countdown;  /* calls up to the one at which it happens; armed while above 0 */
    uint8_t trace[TRACE_BYTES]; /* the kinds of the calls that counted */
    _Atomic int64_t line_armed; /* 1 until a line of the log has this text in it */
    char line[LINE_BYTES];      /* ends with NUL */
};

static struct board *board;
static int (*true_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    true_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("PAWL_SHIM_BOARD");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) {
        return;
    }
    void *mapped = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED) {
        board = mapped;
    }
}

static int armed(void) {
    return board && (atomic_load(&board->countdown) > 0 || atomic_load(&board->full_calls) > 0);
}

/* What a descriptor leads to; 0 for what nobody outside of the process ever sees, as a wake-up of a thread, and for logs. */
static unsigned kind_of(int fd) {
    struct stat found;
    if (fd <= STDERR_FILENO || fstat(fd, &found) != 0) {
        return 0;
    }
    if (S_ISREG(found.st_mode)) {
        return TO_FILE;
    }
    if (S_ISFIFO(found.st_mode)) {
        return TO_WORKER;
    }
    struct sockaddr_in own;
    socklen_t size = sizeof own;
    if (!S_ISSOCK(found.st_mode) || getsockname(fd, (struct sockaddr *)&own, &size) != 0 || own.sin_family != AF_INET) {
        return 0;
    }
    return ntohs(own.sin_port) == atomic_load(&board->listen_port) ? TO_CLIENT : TO_DATABASE;
}

static _Noreturn void die(void) {
    for (;;) {
        syscall(SYS_kill, getpid(), SIGKILL);
    }
}

static void stop(void) {
    const struct timespec moment = {0, 100000};
    while (!atomic_load(&board->go_on)) {
        syscall(SYS_nanosleep, &moment, NULL);
    }
}

/* Counts a call that is about to be made; what is to be done, COUNT for nothing. May not return. */
static unsigned before(unsigned kind) {
    if (!board || !kind) {
        return COUNT;
    }
    unsigned action = COUNT;
    if (atomic_load(&board->countdown) > 0 && (atomic_load(&board->mask) & kind)) {
        uint64_t number = atomic_fetch_add(&board->counted, 1);
        if (number < TRACE_BYTES) {
            board->trace[number] = (uint8_t)kind;
        }
        if (atomic_fetch_sub(&board->countdown, 1) == 1) {
            action = (unsigned)atomic_load(&board->action);
            atomic_store(&board->fired, kind);
        }
    }
    if (action == KILL_BEFORE) {
        die();
    }
    if (action == STOP_BEFORE) {
        stop();
    }
    /* Once the disk is full, it is so for every write. */
    if ((kind & TO_FILE) && atomic_load(&board->action) == DISK_FULL && atomic_load(&board->fired) &&
        atomic_load(&board->full_calls) > 0 && atomic_fetch_sub(&board->full_calls, 1) > 0) {
        return DISK_FULL;
    }
    return action;
}

static void after(unsigned action) {
    int error = errno;
    if (action == KILL_AFTER) {
        die();
    }
    if (action == STOP_AFTER) {
        stop();
    }
    errno = error;
}

/* The process's log says where it is: at a line with the text on the board, it dies before the line is written. */
static void look_at_log(int fd, const void *bytes, size_t count) {
    if (fd != STDERR_FILENO || !board || atomic_load(&board->line_armed) <= 0) {
        return;
    }
    size_t length = strnlen(board->line, LINE_BYTES);
    if (length && memmem(bytes, count, board->line, length) && atomic_fetch_sub(&board->line_armed, 1) == 1) {
        atomic_store(&board->fired, TO_LOG);
        die();
    }
}

#define CALL(kind, number, ...)                                                                                        \
    do {                                                                                                               \
        if (!armed()) {                                                                                                \
            return syscall(number, __VA_ARGS__);                                                                       \
        }                                                                                                              \
        unsigned action = before(kind);                                                                                \
        if (action == DISK_FULL) {                                                                                     \
            errno = ENOSPC;                                                                                            \
            return -1;                                                                                                 \
        }                                                                                                              \
        long result = syscall(number, __VA_ARGS__);                                                                    \
        after(action);                                                                                                 \
        return result;                                                                                                 \
    } while (0)

ssize_t write(int fd, const void *bytes, size_t count) {
    look_at_log(fd, bytes, count);
    CALL(kind_of(fd), SYS_write, fd, bytes, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    CALL(kind_of(fd), SYS_pwrite64, fd, bytes, count, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    return pwrite64(fd, bytes, count, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    CALL(kind_of(fd), SYS_writev, fd, parts, count);
}

ssize_t send(int fd, const void *bytes, size_t count, int flags) {
    CALL(kind_of(fd), SYS_sendto, fd, bytes, count, flags, NULL, 0);
}

ssize_t sendto(int fd, const void *bytes, size_t count, int flags, const struct sockaddr *to, socklen_t size) {
    CALL(kind_of(fd), SYS_sendto, fd, bytes, count, flags, to, size);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    CALL(kind_of(fd), SYS_sendmsg, fd, message, flags);
}

int ftruncate64(int fd, off64_t size) {
    CALL(kind_of(fd), SYS_ftruncate, fd, size);
}

int ftruncate(int fd, off_t size) {
    return ftruncate64(fd, size);
}

int fallocate64(int fd, int mode, off64_t at, off64_t size) {
    CALL(kind_of(fd), SYS_fallocate, fd, mode, at, size);
}

int fallocate(int fd, int mode, off_t at, off_t size) {
    return fallocate64(fd, mode, at, size);
}

int fsync(int fd) {
    CALL(TO_DISK, SYS_fsync, fd);
}

int fdatasync(int fd) {
    CALL(TO_DISK, SYS_fdatasync, fd);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = true_clock_gettime ? true_clock_gettime(clock, time) : (int)syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && board && clock == CLOCK_REALTIME) {
        time->tv_sec += atomic_load(&board->clock_seconds);
    }
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    if (result == 0) {
        *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    }
    return result;
}

time_t time(time_t *told) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) {
        return (time_t)-1;
    }
    if (told) {
        *told = now.tv_sec;
    }
    return now.tv_sec;
}
