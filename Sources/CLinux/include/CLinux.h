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

/// Makes the pages present and writable (MADV_POPULATE_WRITE, Linux 5.14; EINVAL before).
int asof_populate_write(void *start, size_t length);
void asof_start_writing(int descriptor);

// A file handle as bytes: its type, then the file system's part. MAX_HANDLE_SZ and 4.
#define ASOF_HANDLE_MAX 132
// Bytes used, or -1 with errno.
int asof_handle_of(int descriptor, void *buffer, unsigned int capacity);
int asof_open_handle(int anchor, const void *bytes, unsigned int length, int flags);

// Threads and processes (process.c).
/// Names the calling thread; names longer than 15 bytes are cut.
int asof_set_thread_name(const char *name);
/// setfsuid and setfsgid of the calling thread only; -1 and EPERM where the kernel did not take the value.
int asof_set_thread_fsuid(uint32_t uid);
int asof_set_thread_fsgid(uint32_t gid);
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
