// Calls and macros that Swift's Glibc module hides or cannot express. C only; errno convention throughout: -1 and errno.
// This header includes no system header beside these two and defines no _GNU_SOURCE: either would give Swift a second, different
// definition of types such as fd_set. The .c files do both.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// CRC32C (Castagnoli) of `length` bytes continued from `seed`; hardware where there is some, a table elsewhere.
uint32_t asof_crc32c(uint32_t seed, const void *bytes, size_t length);
/// A 64-bit hash of `length` bytes: finds accidents, not forgeries. Not stored: it may change between releases.
uint64_t asof_mix64(uint64_t seed, const void *bytes, size_t length);

// Files (files.c): GNU extensions that Swift's Glibc module may not show.
int asof_renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned int flags);
long asof_getdents64(int descriptor, void *buffer, size_t length);
long asof_copy_file_range(int from, int64_t *from_offset, int to, int64_t *to_offset, size_t length);
int asof_fallocate(int descriptor, int mode, int64_t offset, int64_t length);
long asof_readlinkat(int directory, const char *name, void *buffer, size_t length);
long asof_getxattr(const char *path, const char *name, void *buffer, size_t length);
long asof_listxattr(const char *path, void *buffer, size_t length);
int asof_setxattr(const char *path, const char *name, const void *value, size_t length, int flags);
int asof_removexattr(const char *path, const char *name);
int asof_syncfs(int descriptor);
int asof_sync_file_range(int descriptor, int64_t offset, int64_t length, unsigned int flags);
/// The magic number of the file system that holds the open file (`f_type` of fstatfs), through `type`.
int asof_fstatfs_type(int descriptor, uint64_t *type);

/// From now on this thread does in file systems what it does there as this user and group (setfsuid(2), setfsgid(2)). Where it may not, nothing changes.
void asof_act_as(uint32_t user, uint32_t group);

/// Makes the pages present and writable (MADV_POPULATE_WRITE, Linux 5.14; EINVAL before).
int asof_populate_write(void *start, size_t length);
void asof_start_writing(int descriptor);
/// Gives memory that the allocator keeps for later back to the kernel (malloc_trim).
void asof_trim_memory(void);
/// Lets the calling thread, and those that it makes from now on, use what processor and disk others leave (the lowest priority; the idle class of I/O).
void asof_yield_to_others(void);

// A file handle as bytes: its type, then the file system's part. MAX_HANDLE_SZ and 4.
#define ASOF_HANDLE_MAX 132
// Bytes used, or -1 with errno.
int asof_handle_of(int descriptor, void *buffer, unsigned int capacity);
int asof_open_handle(int anchor, const void *bytes, unsigned int length, int flags);

// Watching (watch.c): the constants are in AsofSystem/Watching.
int asof_fanotify_init(unsigned int flags);
int asof_fanotify_mark(int group, unsigned int flags, uint64_t mask, int directory, const char *name);
/// Never blocks on reads, closed in children.
int asof_inotify_init(void);
int asof_inotify_add(int queue, const char *path, uint32_t mask);
int asof_inotify_remove(int queue, int watch);
/// FIONREAD: of an inotify queue the bytes waiting in it, of a fanotify group 24 for each event.
int asof_queued_bytes(int queue);
int asof_eventfd(void);

// Threads and processes (process.c).
/// Names the calling thread; names longer than 15 bytes are cut.
int asof_set_thread_name(const char *name);
/// setfsuid and setfsgid of the calling thread only; -1 and EPERM where the kernel did not take the value.
int asof_set_thread_fsuid(uint32_t uid);
int asof_set_thread_fsgid(uint32_t gid);
/// setgroups of the calling thread only.
int asof_set_thread_groups(const uint32_t *groups, size_t count);
/// The kernel's id of the calling thread.
int32_t asof_gettid(void);
/// The kernel sends `signal` to the calling process when the thread that started it ends. -1 with ESRCH where that has happened
/// already.
int asof_die_with_parent(int signal, int32_t parent);

/// What asof_spawn needs beside argv and envp. `sources[i]` becomes descriptor `targets[i]`; every other descriptor is closed.
struct asof_spawn_request {
    const char *executable;
    char *const *arguments;
    char *const *environment;
    const int *sources;
    const int *targets;
    size_t pair_count;
    /// The child's working directory; NULL: inherited.
    const char *directory;
    int new_session;
};
/// posix_spawn with no signal blocked and every disposition at its default. Returns 0 or an error number (not errno).
int asof_spawn(const struct asof_spawn_request *request, int32_t *child);

/// The text of an error number, in English whatever the locale.
int asof_error_text(int error, char *buffer, size_t length);

// Crash points (crash.c).
/// Nonzero when a crash point is armed. Written by the constructor and by asof_crash_arm only.
extern int asof_crash_armed_flag;
static inline int asof_crash_armed(void) { return __atomic_load_n(&asof_crash_armed_flag, __ATOMIC_RELAXED); }
/// Arms the point `specification`: "name" or "name:N". NULL or "" disarms.
void asof_crash_arm(const char *specification);
/// Kills the process with SIGKILL if `name` is the armed point and this is the N-th time it is reached.
void asof_crash_reach(const char *name, size_t length);

// Stopping other processes (stop*.c). Nothing in here allocates, apart from the functions called make.
/// pidfd_open(2); close-on-exec.
int asof_pidfd_open(int32_t pid);
int asof_pidfd_send_signal(int pidfd, int signal);

/// A process to stop: `tasks` is its open /proc/<pid>/task.
struct asof_stop_process {
    int32_t pid;
    int pidfd;
    int tasks;
};

/// What an attempt to stop came to. All of them but ASOF_STOP_DONE leave to the caller to release what has stopped so far.
enum asof_stop_code {
    ASOF_STOP_DONE = 0,
    /// The cap passed.
    ASOF_STOP_TIMEOUT,
    /// `pid` has been stopped by somebody else.
    ASOF_STOP_ALREADY,
    /// `pid` has ended.
    ASOF_STOP_EXITED,
    /// More threads than the table holds: make a larger one.
    ASOF_STOP_FULL,
    /// The kernel refused, with `error`.
    ASOF_STOP_DENIED,
    /// A call failed with `error`.
    ASOF_STOP_SYSTEM,
};

struct asof_stop_result {
    /// When the last thread had stopped: CLOCK_REALTIME, nanoseconds.
    int64_t stopped_at;
    /// From the call until then, nanoseconds.
    uint64_t took;
    uint32_t threads;
    /// Of those: in an uninterruptible call, with the stop pending behind it.
    uint32_t blocked;
    int32_t pid;
    int error;
    /// Whether the last reading of the list of threads found a new one, or was cut short. For the stop itself.
    int fresh;
};

/// Threads under way to a stop, in locked memory.
struct asof_stop_table;
/// NULL with errno.
struct asof_stop_table *asof_stop_table_make(uint32_t capacity);
void asof_stop_table_free(struct asof_stop_table *table);
uint32_t asof_stop_table_capacity(const struct asof_stop_table *table);

/// Each of the three stops every thread and returns an asof_stop_code. `cap` in nanoseconds.
/// By ptrace: the calling thread becomes the tracer, and it alone can release.
int asof_stop_ptrace(
    struct asof_stop_table *table, const struct asof_stop_process *processes, size_t count, uint64_t cap,
    struct asof_stop_result *result);
/// Detaches from every thread in the table and empties it. Returns how many are still attached because they have not stopped
/// yet: only the end of the calling thread detaches from those.
uint32_t asof_stop_ptrace_release(
    struct asof_stop_table *table, const struct asof_stop_process *processes, size_t count);
/// Attaches without stopping, to see whether that is allowed: 0 or an error number. Only the end of the calling thread detaches.
int asof_stop_ptrace_try(int32_t pid);
/// By SIGSTOP.
int asof_stop_signal(
    struct asof_stop_table *table, const struct asof_stop_process *processes, size_t count, uint64_t cap,
    struct asof_stop_result *result);
/// SIGCONT; 0 or an error number. A process that has ended is none.
int asof_stop_signal_release(const struct asof_stop_process *processes, size_t count);
/// By the freezer: open cgroup.freeze (for reading and writing) and cgroup.events.
int asof_stop_cgroup(
    int freeze, int events, const struct asof_stop_process *processes, size_t count, uint64_t cap,
    struct asof_stop_result *result);
/// 0 or an error number.
int asof_stop_cgroup_release(int freeze);

/// Makes the calling thread fit to stop others, best effort: stack locked, exact timers, raised priority. Returns what was granted.
int asof_stop_prepare_thread(void);
#define ASOF_PREPARED_MEMORY 1
#define ASOF_PREPARED_TIMER 2
#define ASOF_PREPARED_NICE 4
#define ASOF_PREPARED_REALTIME 8
/// Whether this process still has the thread, for the kernel's eyes: joined threads may have work left there.
int asof_thread_exists(int32_t id);

/// 1: the clock is kept right by somebody, 0: it is not, -1: that cannot be told.
int asof_clock_is_synchronized(void);

// The watchdog (stop-watchdog.c): a page shared with a child process that lets go when we cannot.
struct asof_watch;
/// A descriptor of the page, and the page through `watch`; -1 with errno.
int asof_watch_make(struct asof_watch **watch);
void asof_watch_free(struct asof_watch *watch);
/// Before a stop: from now on the watchdog lets go after `hold` nanoseconds, or when `socket` closes. -1: it is gone, or has not run for a second, do not stop.
int asof_watch_arm(struct asof_watch *watch, int socket, uint64_t hold);
/// After letting go. 1: the watchdog had not acted; 0: it had let go before; -1: it is about to and does not get there.
int asof_watch_disarm(struct asof_watch *watch, int socket);
/// The watchdog's whole life: until the other end of `socket` closes. `targets` are pidfds, or descriptors of cgroup.freeze.
int asof_watchdog_run(int socket, int page, int mode, const int *targets, size_t count);

// Namespaces (namespaces.c): of the calling thread, and so of the children that it starts.
#define ASOF_NEW_MOUNTS 0x00020000
#define ASOF_NEW_HOST_NAME 0x04000000
#define ASOF_NEW_USERS 0x10000000
#define ASOF_NEW_PROCESSES 0x20000000
#define ASOF_NEW_NETWORK 0x40000000
/// unshare(2).
int asof_unshare(int kinds);
/// setns(2).
int asof_enter_namespace(int descriptor, int kind);
/// What is mounted from now on is seen in this mount namespace alone; what others mount and unmount still arrives (MS_SLAVE).
int asof_keep_mounts_to_ourselves(void);
/// A /proc of the calling process's process namespace, over the one that is there.
int asof_mount_proc(void);
/// A small empty file system in memory at `path`.
int asof_mount_memory(const char *path);
/// The file `source` appears at `target` as well (MS_BIND).
int asof_mount_over(const char *source, const char *target);
/// Brings `lo` up in this network namespace.
int asof_raise_loopback(void);
/// Lets the programs that this thread starts keep its capabilities, whoever runs them (ambient capabilities); and ends that.
int asof_hand_capabilities_on(void);
int asof_drop_handed_capabilities(void);

// The command line (arguments.c). Swift's own list of it is made from /proc, and is empty where that is not mounted.
int asof_argument_count(void);
/// NULL beyond the last.
const char *asof_argument(int index);
