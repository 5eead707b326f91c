#include "stop-internal.h"
#include <errno.h>
#include <signal.h>

static int note(struct attempt *attempt, uint32_t process, int32_t id) {
    if (table_find(attempt->table, id)) return ASOF_STOP_DONE;
    if (!table_add(attempt->table, id, process))
        return stop_fail(attempt, ASOF_STOP_FULL, 0, attempt->processes[process].pid);
    attempt->result->fresh = 1;
    return ASOF_STOP_DONE;
}

/// One look at every thread not seen stopped yet; the number of those that still run, or -1 with errno.
static long look(struct attempt *attempt, bool with_blocked) {
    struct asof_stop_table *table = attempt->table;
    long pending = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        struct thread_entry *entry = &table->threads[i];
        if (entry->state != THREAD_PENDING) continue;
        const struct asof_stop_process *process = &attempt->processes[entry->process];
        int letter = thread_letter(process, entry->id);
        if (letter < 0) return -1;
        if (letter == 0 || letter == 'Z') entry->state = THREAD_GONE;
        else if (letter == 'T') entry->state = THREAD_STOPPED;
        else if (letter == 'D' && with_blocked && is_blocked_harmlessly(process, entry->id)) entry->state = THREAD_BLOCKED;
        else pending++;
    }
    return pending;
}

/// Whether a thread of every process has stopped. Until one took the signal, the others do not know of it, and one that sits in
/// an uninterruptible call may be the one that shall take it.
static bool begun_everywhere(struct attempt *attempt) {
    for (size_t process = 0; process < attempt->process_count; process++) {
        bool begun = false;
        for (uint32_t i = 0; i < attempt->table->count && !begun; i++)
            begun = attempt->table->threads[i].process == process && attempt->table->threads[i].state == THREAD_STOPPED;
        if (!begun) return false;
    }
    return true;
}

static int settle(struct attempt *attempt) {
    uint64_t step = 20000, begun = stop_clock(CLOCK_MONOTONIC);
    for (;;) {
        uint64_t now = stop_clock(CLOCK_MONOTONIC);
        long pending = look(attempt, now - begun > 300000 && begun_everywhere(attempt));
        if (pending < 0) return stop_fail(attempt, ASOF_STOP_SYSTEM, errno, 0);
        for (size_t i = 0; i < attempt->process_count; i++)
            if (has_exited(&attempt->processes[i]))
                return stop_fail(attempt, ASOF_STOP_EXITED, 0, attempt->processes[i].pid);
        if (pending == 0) return ASOF_STOP_DONE;
        if (now >= attempt->deadline) return stop_fail(attempt, ASOF_STOP_TIMEOUT, 0, 0);
        stop_nap(&step);
    }
}

int asof_stop_signal(
    struct asof_stop_table *table, const struct asof_stop_process *processes, size_t count, uint64_t cap,
    struct asof_stop_result *result) {
    struct attempt attempt = {.table = table, .processes = processes, .process_count = count, .result = result};
    stop_begin(&attempt, cap);
    table_clear(table);
    // Every process before the first signal: what somebody else has stopped must not get our SIGCONT.
    for (uint32_t i = 0; i < count; i++) {
        if (has_exited(&processes[i])) return stop_fail(&attempt, ASOF_STOP_EXITED, 0, processes[i].pid);
        if (first_letter(&attempt, i) == 'T') return stop_fail(&attempt, ASOF_STOP_ALREADY, 0, processes[i].pid);
    }
    for (size_t i = 0; i < count; i++) {
        if (asof_pidfd_send_signal(processes[i].pidfd, SIGSTOP) == 0) continue;
        int code = errno == ESRCH ? ASOF_STOP_EXITED : errno == EPERM ? ASOF_STOP_DENIED : ASOF_STOP_SYSTEM;
        return stop_fail(&attempt, code, errno, processes[i].pid);
    }
    // A stop that is reached as the cap passes gets a few readings to prove itself.
    int late = 0;
    for (;;) {
        result->fresh = 0;
        for (uint32_t i = 0; i < count; i++) {
            int code = each_thread(&attempt, i, note);
            if (code == -1) return stop_fail(&attempt, ASOF_STOP_SYSTEM, errno, processes[i].pid);
            if (code) return code;
        }
        if (!result->fresh && result->stopped_at) return stop_finish(&attempt);
        int code = settle(&attempt);
        if (code) return code;
        stop_stamp(&attempt);
        if (stop_clock(CLOCK_MONOTONIC) >= attempt.deadline && result->fresh && ++late > 3)
            return stop_fail(&attempt, ASOF_STOP_TIMEOUT, 0, 0);
    }
}

int asof_stop_signal_release(const struct asof_stop_process *processes, size_t count) {
    int failed = 0;
    for (size_t i = 0; i < count; i++)
        if (asof_pidfd_send_signal(processes[i].pidfd, SIGCONT) != 0 && errno != ESRCH) failed = errno;
    return failed;
}
