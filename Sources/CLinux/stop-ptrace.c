#include "stop-internal.h"
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

/// Attaches to a thread that the table does not have, and tells it to stop. ASOF_STOP_DONE goes on with the next.
static int seize(struct attempt *attempt, uint32_t process, int32_t id) {
    struct thread_entry *entry = table_find(attempt->table, id);
    // A number that had been given back may be in use again; one that has ended while attached has not been given back.
    if (entry && entry->state != THREAD_GONE) return ASOF_STOP_DONE;
    if (!entry) entry = table_add(attempt->table, id, process);
    if (!entry) return stop_fail(attempt, ASOF_STOP_FULL, 0, attempt->processes[process].pid);
    entry->state = THREAD_GONE;
    entry->signal = 0;
    // No options, and never PTRACE_O_EXITKILL: when the calling thread ends, the kernel detaches and lets the thread go on.
    if (ptrace(PTRACE_SEIZE, id, NULL, NULL) != 0) {
        int error = errno;
        if (error == ESRCH) return ASOF_STOP_DONE;
        int letter = thread_letter(&attempt->processes[process], id);
        if (letter == 0 || letter == 'Z') return ASOF_STOP_DONE;
        return stop_fail(attempt, ASOF_STOP_DENIED, error, attempt->processes[process].pid);
    }
    entry->state = THREAD_PENDING;
    attempt->result->fresh = 1;
    // Fails only where the thread is ending, which the wait will tell.
    ptrace(PTRACE_INTERRUPT, id, NULL, NULL);
    return ASOF_STOP_DONE;
}

enum news { NEWS_NONE, NEWS_SETTLED, NEWS_STOPPED_BY_OTHERS };

/// Takes in what has become of a thread, without waiting.
static enum news look(struct attempt *attempt, struct thread_entry *entry) {
    // Only a look: a process that is also our own child belongs to whoever waits for it as a child.
    siginfo_t information = {0};
    if (waitid(P_PID, (id_t)entry->id, &information, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) != 0) {
        if (errno != ECHILD) return NEWS_NONE;
        entry->state = THREAD_GONE;
        return NEWS_SETTLED;
    }
    if (information.si_pid != entry->id) return NEWS_NONE;
    if (information.si_code == CLD_TRAPPED || information.si_code == CLD_STOPPED) {
        int event = information.si_status >> 8, signal = information.si_status & 0x7F;
        entry->state = THREAD_STOPPED;
        if (event == PTRACE_EVENT_STOP) return signal == SIGTRAP ? NEWS_SETTLED : NEWS_STOPPED_BY_OTHERS;
        // On its way to a signal, which it gets when we let go.
        if (event == 0) entry->signal = signal;
        return NEWS_SETTLED;
    }
    entry->state = THREAD_ENDED;
    // Other threads than the first are nobody's children: unless we reap them, they and their process stay zombies.
    if (entry->id != attempt->processes[entry->process].pid && waitpid(entry->id, NULL, __WALL | WNOHANG) == entry->id)
        entry->state = THREAD_GONE;
    return NEWS_SETTLED;
}

/// Waits until every thread in the table has stopped, is blocked or has ended.
static int settle(struct attempt *attempt) {
    struct asof_stop_table *table = attempt->table;
    uint64_t step = 20000, next_look = 300000, begun = stop_clock(CLOCK_MONOTONIC);
    for (;;) {
        uint32_t pending = 0;
        for (uint32_t i = 0; i < table->count; i++) {
            struct thread_entry *entry = &table->threads[i];
            if (entry->state != THREAD_PENDING && entry->state != THREAD_BLOCKED) continue;
            enum news news = look(attempt, entry);
            if (news == NEWS_STOPPED_BY_OTHERS)
                return stop_fail(attempt, ASOF_STOP_ALREADY, 0, attempt->processes[entry->process].pid);
            if (news == NEWS_NONE && entry->state == THREAD_PENDING) pending++;
        }
        for (size_t i = 0; i < attempt->process_count; i++)
            if (has_exited(&attempt->processes[i]))
                return stop_fail(attempt, ASOF_STOP_EXITED, 0, attempt->processes[i].pid);
        if (pending == 0) return ASOF_STOP_DONE;
        uint64_t now = stop_clock(CLOCK_MONOTONIC);
        if (now - begun >= next_look) {
            // Costs a few microseconds a thread, so seldom. The interrupt is pending: blocked once is blocked until it stops.
            next_look *= 2;
            for (uint32_t i = 0; i < table->count; i++) {
                struct thread_entry *entry = &table->threads[i];
                if (entry->state != THREAD_PENDING) continue;
                const struct asof_stop_process *process = &attempt->processes[entry->process];
                int letter = thread_letter(process, entry->id);
                // A first thread that ends before the others is not told of until they have ended, too.
                if (letter == 0 || letter == 'Z') entry->state = THREAD_ENDED;
                else if (letter == 'D' && is_blocked_harmlessly(process, entry->id)) entry->state = THREAD_BLOCKED;
                if (entry->state != THREAD_PENDING) pending--;
            }
            if (pending == 0) return ASOF_STOP_DONE;
        }
        if (now >= attempt->deadline) return stop_fail(attempt, ASOF_STOP_TIMEOUT, 0, 0);
        stop_nap(&step);
    }
}

int asof_stop_ptrace(
    struct asof_stop_table *table, const struct asof_stop_process *processes, size_t count, uint64_t cap,
    struct asof_stop_result *result) {
    struct attempt attempt = {.table = table, .processes = processes, .process_count = count, .result = result};
    stop_begin(&attempt, cap);
    table_clear(table);
    for (uint32_t i = 0; i < count; i++) {
        if (has_exited(&processes[i])) return stop_fail(&attempt, ASOF_STOP_EXITED, 0, processes[i].pid);
        if (first_letter(&attempt, i) == 'T') return stop_fail(&attempt, ASOF_STOP_ALREADY, 0, processes[i].pid);
    }
    // A stop that is reached as the cap passes gets a few readings to prove itself.
    int late = 0;
    for (;;) {
        result->fresh = 0;
        for (uint32_t i = 0; i < count; i++) {
            int code = each_thread(&attempt, i, seize);
            if (code == -1) return stop_fail(&attempt, ASOF_STOP_SYSTEM, errno, processes[i].pid);
            if (code) return code;
        }
        // Nobody who could make a thread was running while this list was read, and it held no new one: it is complete.
        if (!result->fresh && result->stopped_at) return stop_finish(&attempt);
        int code = settle(&attempt);
        if (code) return code;
        stop_stamp(&attempt);
        if (stop_clock(CLOCK_MONOTONIC) >= attempt.deadline && result->fresh && ++late > 3)
            return stop_fail(&attempt, ASOF_STOP_TIMEOUT, 0, 0);
    }
}

uint32_t asof_stop_ptrace_release(
    struct asof_stop_table *table, const struct asof_stop_process *processes, size_t count) {
    struct attempt attempt = {.table = table, .processes = processes, .process_count = count};
    uint32_t left = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        struct thread_entry *entry = &table->threads[i];
        if (entry->state == THREAD_PENDING || entry->state == THREAD_BLOCKED || entry->state == THREAD_ENDED) look(&attempt, entry);
        if (entry->state == THREAD_STOPPED) {
            if (ptrace(PTRACE_DETACH, entry->id, NULL, (void *)(long)entry->signal) == 0) continue;
            // Killed meanwhile.
            look(&attempt, entry);
        }
        if (entry->state != THREAD_GONE) left++;
    }
    table_clear(table);
    return left;
}

int asof_stop_ptrace_try(int32_t pid) { return ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0 ? 0 : errno; }
