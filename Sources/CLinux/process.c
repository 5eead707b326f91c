#define _GNU_SOURCE
#include "CLinux.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void asof_trim_memory(void) { malloc_trim(0); }

void asof_yield_to_others(void) {
    // Not SCHED_IDLE: the kernel takes a processor that runs such a thread for a free one and wakes others there, where they wait for the end of
    // its system call while another processor has nothing to do.
    struct sched_param none = {0};
    sched_setscheduler(0, SCHED_BATCH, &none);
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 19);
    // IOPRIO_WHO_PROCESS, this thread; IOPRIO_CLASS_IDLE.
    syscall(SYS_ioprio_set, 1, 0, 3 << 13);
}

int asof_set_thread_name(const char *name) {
    char cut[16];
    strncpy(cut, name, sizeof cut - 1);
    cut[sizeof cut - 1] = 0;
    int error = pthread_setname_np(pthread_self(), cut);
    if (error == 0) return 0;
    errno = error;
    return -1;
}

// The calls return the previous value and no error; asking with an impossible value tells what holds now.
int asof_set_thread_fsuid(uint32_t uid) {
    syscall(SYS_setfsuid, uid);
    if ((uint32_t)syscall(SYS_setfsuid, (uint32_t)-1) == uid) return 0;
    errno = EPERM;
    return -1;
}

int asof_set_thread_fsgid(uint32_t gid) {
    syscall(SYS_setfsgid, gid);
    if ((uint32_t)syscall(SYS_setfsgid, (uint32_t)-1) == gid) return 0;
    errno = EPERM;
    return -1;
}

// glibc's wrapper does it for all threads.
int asof_set_thread_groups(const uint32_t *groups, size_t count) { return (int)syscall(SYS_setgroups, count, groups); }

int32_t asof_gettid(void) { return (int32_t)syscall(SYS_gettid); }

int asof_die_with_parent(int signal, int32_t parent) {
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0, 0, 0) != 0) return -1;
    if (getppid() == parent) return 0;
    errno = ESRCH;
    return -1;
}

// Sources are first duplicated above every target, so that no target overwrites a source that is still needed.
static int add_descriptors(
    posix_spawn_file_actions_t *actions, const struct asof_spawn_request *request, int *copies, int highest) {
    for (size_t i = 0; i < request->pair_count; i++) {
        copies[i] = fcntl(request->sources[i], F_DUPFD_CLOEXEC, highest + 1);
        if (copies[i] < 0) return errno;
    }
    for (int target = 0; target <= highest; target++) {
        int source = -1;
        for (size_t i = 0; i < request->pair_count; i++)
            if (request->targets[i] == target) source = copies[i];
        int error = source < 0 ? posix_spawn_file_actions_addclose(actions, target)
                               : posix_spawn_file_actions_adddup2(actions, source, target);
        if (error) return error;
    }
    return posix_spawn_file_actions_addclosefrom_np(actions, highest + 1);
}

int asof_spawn(const struct asof_spawn_request *request, int32_t *child) {
    int highest = 2;
    for (size_t i = 0; i < request->pair_count; i++) {
        if (request->targets[i] < 0 || request->targets[i] > 1023) return EINVAL;
        if (request->targets[i] > highest) highest = request->targets[i];
    }
    int *copies = calloc(request->pair_count + 1, sizeof *copies);
    if (!copies) return ENOMEM;
    for (size_t i = 0; i < request->pair_count; i++) copies[i] = -1;

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (request->new_session) flags |= POSIX_SPAWN_SETSID;
    posix_spawnattr_setflags(&attributes, flags);

    int error = 0;
    if (request->directory) error = posix_spawn_file_actions_addchdir_np(&actions, request->directory);
    if (!error) error = add_descriptors(&actions, request, copies, highest);
    pid_t pid = 0;
    if (!error)
        error = posix_spawn(&pid, request->executable, &actions, &attributes, request->arguments, request->environment);
    if (!error) *child = pid;

    for (size_t i = 0; i < request->pair_count; i++)
        if (copies[i] >= 0) close(copies[i]);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    free(copies);
    return error;
}

int asof_error_text(int error, char *buffer, size_t length) {
    const char *text = strerrordesc_np(error);
    if (!text || length == 0) return -1;
    strncpy(buffer, text, length - 1);
    buffer[length - 1] = 0;
    return 0;
}
