#include "stop-internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int asof_pidfd_open(int32_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int asof_pidfd_send_signal(int pidfd, int signal) { return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0); }

// Clocks and results.

uint64_t stop_clock(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void stop_nap(uint64_t *step) {
    struct timespec time = {0, (long)*step};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
    *step += *step / 4;
    if (*step > 200000) *step = 200000;
}

void stop_begin(struct attempt *attempt, uint64_t cap) {
    *attempt->result = (struct asof_stop_result){0};
    attempt->started = stop_clock(CLOCK_MONOTONIC);
    attempt->deadline = attempt->started + cap;
}

int stop_fail(struct attempt *attempt, int code, int error, int32_t pid) {
    attempt->result->error = error;
    attempt->result->pid = pid;
    attempt->result->took = stop_clock(CLOCK_MONOTONIC) - attempt->started;
    return code;
}

void stop_stamp(struct attempt *attempt) {
    attempt->result->stopped_at = (int64_t)stop_clock(CLOCK_REALTIME);
    attempt->result->took = stop_clock(CLOCK_MONOTONIC) - attempt->started;
}

int stop_finish(struct attempt *attempt) {
    for (uint32_t process = 0; process < attempt->process_count; process++) {
        bool lives = false;
        for (uint32_t i = 0; i < attempt->table->count && !lives; i++) {
            enum thread_state state = attempt->table->threads[i].state;
            lives = attempt->table->threads[i].process == process && (state == THREAD_STOPPED || state == THREAD_BLOCKED);
        }
        // On its way out: killed, and not all of its threads have been cleared away yet.
        if (!lives) return stop_fail(attempt, ASOF_STOP_EXITED, 0, attempt->processes[process].pid);
    }
    for (uint32_t i = 0; i < attempt->table->count; i++) {
        enum thread_state state = attempt->table->threads[i].state;
        if (state == THREAD_STOPPED || state == THREAD_BLOCKED) attempt->result->threads++;
        if (state == THREAD_BLOCKED) attempt->result->blocked++;
    }
    return ASOF_STOP_DONE;
}

// The table of threads: one mapping, locked and present from the start.

struct asof_stop_table *asof_stop_table_make(uint32_t capacity) {
    if (capacity < 64) capacity = 64;
    if (capacity > 1u << 22) capacity = 1u << 22;
    uint32_t slot_count = 128;
    while (slot_count < capacity * 2) slot_count *= 2;
    size_t header = (sizeof(struct asof_stop_table) + 63) & ~(size_t)63;
    size_t slots = slot_count * sizeof(uint32_t);
    size_t threads = ((size_t)capacity * sizeof(struct thread_entry) + 63) & ~(size_t)63;
    // An entry of a numeric name takes 24 or 32 bytes; one read should see the whole list.
    size_t buffer = (size_t)capacity * 32 + 256;
    size_t mapped = header + slots + threads + buffer;
    char *memory = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    // Best effort: beyond RLIMIT_MEMLOCK it is present now and may be swapped out later.
    mlock(memory, mapped);
    struct asof_stop_table *table = (struct asof_stop_table *)memory;
    table->mapped = mapped;
    table->capacity = capacity;
    table->slot_count = slot_count;
    table->slots = (uint32_t *)(memory + header);
    table->threads = (struct thread_entry *)(memory + header + slots);
    table->buffer = memory + header + slots + threads;
    table->buffer_size = buffer;
    return table;
}

void asof_stop_table_free(struct asof_stop_table *table) {
    if (table) munmap(table, table->mapped);
}

uint32_t asof_stop_table_capacity(const struct asof_stop_table *table) { return table->capacity; }

void table_clear(struct asof_stop_table *table) {
    memset(table->slots, 0, table->slot_count * sizeof(uint32_t));
    table->count = 0;
}

static uint32_t *slot_of(struct asof_stop_table *table, int32_t id) {
    uint32_t position = (uint32_t)id * 2654435769u;
    for (;; position++) {
        uint32_t *slot = &table->slots[position & (table->slot_count - 1)];
        if (*slot == 0 || table->threads[*slot - 1].id == id) return slot;
    }
}

struct thread_entry *table_find(struct asof_stop_table *table, int32_t id) {
    uint32_t *slot = slot_of(table, id);
    return *slot ? &table->threads[*slot - 1] : NULL;
}

struct thread_entry *table_add(struct asof_stop_table *table, int32_t id, uint32_t process) {
    if (table->count == table->capacity) return NULL;
    struct thread_entry *entry = &table->threads[table->count++];
    *entry = (struct thread_entry){.id = id, .process = process, .state = THREAD_PENDING};
    *slot_of(table, id) = table->count;
    return entry;
}

// What /proc says of threads.

static int32_t number_of(const char *text) {
    int32_t value = 0;
    if (!*text) return 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || value > 100000000) return 0;
        value = value * 10 + (*text - '0');
    }
    return value;
}

// linux_dirent64: inode (8), offset (8), length (2), type (1), name up to a NUL.
enum { DIRENT_LENGTH = 16, DIRENT_NAME = 19 };

int each_thread(struct attempt *attempt, uint32_t process, int (*visit)(struct attempt *, uint32_t, int32_t)) {
    int tasks = attempt->processes[process].tasks;
    char *buffer = attempt->table->buffer;
    uint32_t seen = 0;
    if (lseek(tasks, 0, SEEK_SET) < 0) return -1;
    for (;;) {
        long filled = syscall(SYS_getdents64, tasks, buffer, attempt->table->buffer_size);
        // A process that is gone has no list any more.
        if (filled < 0 && errno != ENOENT && errno != ESRCH) return -1;
        if (filled <= 0) break;
        for (long at = 0; at + DIRENT_NAME < filled;) {
            uint16_t length;
            memcpy(&length, buffer + at + DIRENT_LENGTH, sizeof length);
            if (length <= DIRENT_NAME || at + length > filled) break;
            int32_t id = number_of(buffer + at + DIRENT_NAME);
            if (id > 0) {
                seen++;
                int answer = visit(attempt, process, id);
                if (answer) return answer;
            }
            at += length;
        }
    }
    // The directory has a link for each thread beside its own two. A list that is shorter has been cut by a thread that ended
    // while it was read: once nothing runs, both agree, and nothing counts as stopped before they do.
    struct stat status;
    if (fstat(tasks, &status) == 0 && status.st_nlink > seen + 2) attempt->result->fresh = 1;
    return 0;
}

/// Reads the start of /proc/<pid>/task/<id>/<name>; bytes read, 0 when the thread is gone, -1 with errno.
static long read_of_thread(const struct asof_stop_process *process, int32_t id, const char *name, char *buffer, size_t size) {
    char path[32], digits[12];
    int count = 0, at = 0;
    for (int32_t rest = id; rest > 0; rest /= 10) digits[count++] = (char)('0' + rest % 10);
    while (count > 0) path[at++] = digits[--count];
    path[at++] = '/';
    strcpy(path + at, name);
    int file = openat(process->tasks, path, O_RDONLY | O_CLOEXEC);
    long done = file < 0 ? -1 : read(file, buffer, size - 1);
    int error = errno;
    if (file >= 0) close(file);
    errno = error;
    if (done < 0) return error == ENOENT || error == ESRCH ? 0 : -1;
    buffer[done] = 0;
    return done;
}

int thread_letter(const struct asof_stop_process *process, int32_t id) {
    char text[512];
    long length = read_of_thread(process, id, "stat", text, sizeof text);
    if (length <= 0) return (int)length;
    // The name in parentheses may hold anything: the state comes after the last one.
    const char *close = memrchr(text, ')', (size_t)length);
    if (!close || close + 2 >= text + length) { errno = EIO; return -1; }
    return close[2] == 'X' || close[2] == 'x' ? 0 : (unsigned char)close[2];
}

bool is_blocked_harmlessly(const struct asof_stop_process *process, int32_t id) {
    char text[256];
    // Needs the right to trace; without it nobody counts as stopped before it is.
    if (read_of_thread(process, id, "syscall", text, sizeof text) <= 0) return false;
    // "running" while it is on its way; else the number of the call and its arguments, or -1, stack and instruction pointer.
    char *rest = text;
    long call = strtol(text, &rest, 10);
    if (rest == text) return false;
    switch (call) {
    case -1:
        // A page fault: the instruction is done again after the stop. A worker of io_uring has no stack, and may be writing.
        return strtoul(rest, NULL, 16) != 0;
    // Reading.
    case SYS_read: case SYS_pread64: case SYS_readv: case SYS_preadv: case SYS_preadv2: case SYS_getdents64:
    case SYS_fstat: case SYS_statx:
#ifdef SYS_newfstatat
    case SYS_newfstatat:
#endif
    // Pushing out what has been written.
    case SYS_fsync: case SYS_fdatasync: case SYS_sync: case SYS_syncfs: case SYS_msync:
    // Waiting, and changing the address space.
    case SYS_futex: case SYS_mmap: case SYS_munmap: case SYS_mprotect: case SYS_brk:
#ifdef SYS_vfork
    // Its child exists already and has the address space; it is another process.
    case SYS_vfork:
#endif
        return true;
    case SYS_clone:
        return (strtoul(rest, NULL, 16) & CLONE_THREAD) == 0;
    default: return false;
    }
}

bool has_exited(const struct asof_stop_process *process) {
    struct pollfd request = {.fd = process->pidfd, .events = POLLIN};
    return poll(&request, 1, 0) > 0;
}

static int letter_if_alive(struct attempt *attempt, uint32_t process, int32_t id) {
    int letter = thread_letter(&attempt->processes[process], id);
    return letter > 0 && letter != 'Z' ? letter : 0;
}

int first_letter(struct attempt *attempt, uint32_t process) { return each_thread(attempt, process, letter_if_alive); }

// The thread that stops others.

int asof_stop_prepare_thread(void) {
    int granted = 0;
    // What the stop path needs of the stack, present and locked; best effort.
    volatile char stack[32 << 10];
    for (size_t i = 0; i < sizeof stack; i += 1024) stack[i] = 1;
    if (mlock((const void *)stack, sizeof stack) == 0) granted |= ASOF_PREPARED_MEMORY;
    // Naps of 20 µs would last 70 with the default slack.
    if (prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0) == 0) granted |= ASOF_PREPARED_TIMER;
    if (setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), -20) == 0) granted |= ASOF_PREPARED_NICE;
    struct sched_param parameters = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &parameters) == 0) granted |= ASOF_PREPARED_REALTIME;
    return granted;
}

int asof_thread_exists(int32_t id) { return syscall(SYS_tgkill, getpid(), id, 0) == 0 || errno != ESRCH; }
