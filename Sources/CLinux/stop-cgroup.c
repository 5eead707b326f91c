#include "stop-internal.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/// 1: every task of the cgroup is frozen; 0: not; -1 with errno. Reading also arms the next poll.
static int is_frozen(int events) {
    char text[256];
    long length = pread(events, text, sizeof text - 1, 0);
    if (length < 0) return -1;
    text[length] = 0;
    return strstr(text, "frozen 1") != NULL;
}

int asof_stop_cgroup(
    int freeze, int events, const struct asof_stop_process *processes, size_t count, uint64_t cap,
    struct asof_stop_result *result) {
    struct attempt attempt = {.processes = processes, .process_count = count, .result = result};
    stop_begin(&attempt, cap);
    for (size_t i = 0; i < count; i++)
        if (has_exited(&processes[i])) return stop_fail(&attempt, ASOF_STOP_EXITED, 0, processes[i].pid);
    char set = '0';
    if (pread(freeze, &set, 1, 0) != 1) return stop_fail(&attempt, ASOF_STOP_SYSTEM, errno, 0);
    int frozen = is_frozen(events);
    if (frozen < 0) return stop_fail(&attempt, ASOF_STOP_SYSTEM, errno, 0);
    // Frozen by somebody else, here or in a cgroup above.
    if (set != '0' || frozen) return stop_fail(&attempt, ASOF_STOP_ALREADY, 0, count ? processes[0].pid : 0);
    if (pwrite(freeze, "1", 1, 0) != 1) return stop_fail(&attempt, ASOF_STOP_SYSTEM, errno, 0);
    uint64_t step = 50000;
    for (;;) {
        frozen = is_frozen(events);
        if (frozen < 0) return stop_fail(&attempt, ASOF_STOP_SYSTEM, errno, 0);
        for (size_t i = 0; i < count; i++)
            if (has_exited(&processes[i])) return stop_fail(&attempt, ASOF_STOP_EXITED, 0, processes[i].pid);
        if (frozen) break;
        uint64_t now = stop_clock(CLOCK_MONOTONIC);
        if (now >= attempt.deadline) return stop_fail(&attempt, ASOF_STOP_TIMEOUT, 0, 0);
        // The kernel tells at most one change in 10 ms, and the end of a process not at all while others live there: so look
        // without being told, too.
        struct timespec time = {0, (long)step};
        struct pollfd request = {.fd = events, .events = POLLPRI};
        ppoll(&request, 1, &time, NULL);
        step = step < 800000 ? step + step / 2 : 1000000;
    }
    stop_stamp(&attempt);
    for (size_t i = 0; i < count; i++) {
        // A task directory has a link for each thread, beside its own two.
        struct stat status;
        if (fstat(processes[i].tasks, &status) == 0 && status.st_nlink > 2) result->threads += (uint32_t)(status.st_nlink - 2);
    }
    return ASOF_STOP_DONE;
}

int asof_stop_cgroup_release(int freeze) { return pwrite(freeze, "0", 1, 0) == 1 ? 0 : errno; }
