// What the ways of stopping share (stop.c). Nothing below allocates: all of it runs between "some threads have stopped" and "all
// have", when the process that waits may be the one that serves our memory's file system.
#pragma once
#define _GNU_SOURCE
#include "CLinux.h"
#include <stdbool.h>
#include <time.h>

enum thread_state {
    /// Told to stop, not seen stopped yet.
    THREAD_PENDING,
    THREAD_STOPPED,
    /// In an uninterruptible call that changes no file, with the stop pending behind it.
    THREAD_BLOCKED,
    /// Ended, or never ours.
    THREAD_GONE,
    /// The first thread of its process, ended while attached: only the end of the tracer gives it back to its parent.
    THREAD_ENDED,
};

struct thread_entry {
    int32_t id;
    uint32_t process;
    enum thread_state state;
    /// The signal on whose way to the thread it was stopped (ptrace); 0: none.
    int32_t signal;
};

struct asof_stop_table {
    size_t mapped;
    uint32_t capacity;
    uint32_t count;
    /// A power of two, at least twice the capacity: open addressing, index + 1 into `threads`, 0 is free.
    uint32_t slot_count;
    uint32_t *slots;
    struct thread_entry *threads;
    char *buffer;
    size_t buffer_size;
};

/// One attempt to stop, so that the inner loops need one argument.
struct attempt {
    struct asof_stop_table *table;
    const struct asof_stop_process *processes;
    size_t process_count;
    struct asof_stop_result *result;
    uint64_t started;
    uint64_t deadline;
};

void stop_begin(struct attempt *attempt, uint64_t cap);
/// Records the failure and returns its code.
int stop_fail(struct attempt *attempt, int code, int error, int32_t pid);
/// Notes that everything known has stopped by now.
void stop_stamp(struct attempt *attempt);
/// Counts the threads by state. ASOF_STOP_DONE, or ASOF_STOP_EXITED where a process has no thread left.
int stop_finish(struct attempt *attempt);

uint64_t stop_clock(clockid_t clock);
/// Sleeps `*step` nanoseconds and makes it longer, up to 200 µs.
void stop_nap(uint64_t *step);

void table_clear(struct asof_stop_table *table);
struct thread_entry *table_find(struct asof_stop_table *table, int32_t id);
/// NULL when the table is full.
struct thread_entry *table_add(struct asof_stop_table *table, int32_t id, uint32_t process);

/// Calls `visit` for every thread of the process; stops at the first nonzero answer and returns it. -1 with errno when the list
/// cannot be read.
int each_thread(struct attempt *attempt, uint32_t process, int (*visit)(struct attempt *, uint32_t process, int32_t id));
/// The state letter of one thread; 0 when it is gone; -1 with errno.
int thread_letter(const struct asof_stop_process *process, int32_t id);
/// Whether a thread in state D is in a call, or a page fault, that changes no file and makes no thread of its process.
bool is_blocked_harmlessly(const struct asof_stop_process *process, int32_t id);
bool has_exited(const struct asof_stop_process *process);
/// Whether the process is stopped by somebody else (T) or traced (t), judged by its first thread that lives.
int first_letter(struct attempt *attempt, uint32_t process);
