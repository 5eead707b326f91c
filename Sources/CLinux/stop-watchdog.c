#include "stop-internal.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

// The page that follower and watchdog share. `state` alone decides who lets the process go: the number of the stop, and below it
// one of these. Once armed it changes by compare and exchange only, so that a watchdog that wakes late can never undo the next stop.
enum watch_state { WATCH_IDLE, WATCH_ARMED, WATCH_RELEASING, WATCH_RELEASED };
#define WATCH_STATES 4

struct asof_watch {
    uint64_t state;
    uint64_t deadline;  // CLOCK_MONOTONIC, nanoseconds
    uint64_t seen;      // The newest state that the watchdog has taken note of.
    uint64_t known;     // `seen`, when the follower looked last.
    uint64_t unseen;    // Since when it is behind and has not moved, as far as the follower knows; 0: it is not.
    uint64_t owed;      // The armed state in which the follower was woken though somebody had stopped it; 0: none.
};

int asof_watch_make(struct asof_watch **watch) {
    int file = memfd_create("asof-watch", MFD_CLOEXEC);
    if (file < 0) return -1;
    void *page = MAP_FAILED;
    if (ftruncate(file, 4096) == 0)
        page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
    if (page == MAP_FAILED) {
        int error = errno;
        close(file);
        errno = error;
        return -1;
    }
    mlock(page, 4096);
    *watch = page;
    return file;
}

void asof_watch_free(struct asof_watch *watch) { munmap(watch, 4096); }

// A watchdog that has not run for so long, in nanoseconds, is stopped itself, or starved: it would not let go in time.
#define WATCH_PATIENCE 1000000000ull

int asof_watch_arm(struct asof_watch *watch, int socket, uint64_t hold) {
    uint64_t seen = __atomic_load_n(&watch->seen, __ATOMIC_SEQ_CST), now = stop_clock(CLOCK_MONOTONIC);
    if (seen != watch->known || seen / WATCH_STATES == __atomic_load_n(&watch->state, __ATOMIC_SEQ_CST) / WATCH_STATES) watch->unseen = 0;
    else if (watch->unseen == 0) watch->unseen = now;
    watch->known = seen;
    if (watch->unseen != 0 && now - watch->unseen > WATCH_PATIENCE) {
        errno = ETIMEDOUT;
        return -1;
    }
    uint64_t next = __atomic_load_n(&watch->state, __ATOMIC_SEQ_CST) / WATCH_STATES * WATCH_STATES + WATCH_STATES;
    __atomic_store_n(&watch->deadline, now + hold, __ATOMIC_SEQ_CST);
    __atomic_store_n(&watch->state, next + WATCH_ARMED, __ATOMIC_SEQ_CST);
    // Wakes the watchdog, and proves that it lives: a dead one gives EPIPE, and then nothing may be stopped.
    if (send(socket, "s", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1) return 0;
    int error = errno;
    __atomic_store_n(&watch->state, next + WATCH_IDLE, __ATOMIC_SEQ_CST);
    errno = error;
    return -1;
}

static bool change(struct asof_watch *watch, uint64_t from, enum watch_state to) {
    return __atomic_compare_exchange_n(
        &watch->state, &from, from / WATCH_STATES * WATCH_STATES + to, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

int asof_watch_disarm(struct asof_watch *watch, int socket) {
    uint64_t state = __atomic_load_n(&watch->state, __ATOMIC_SEQ_CST);
    bool held = state % WATCH_STATES == WATCH_ARMED && change(watch, state, WATCH_IDLE);
    // Only so that it may sleep without a deadline; it wakes in vain otherwise.
    if (held) {
        send(socket, "r", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        // Whoever stopped us wanted us stopped, but not inside a stop. We do it ourselves, here: a signal of the watchdog could come as late
        // as inside the next one. This very thread takes it, at once; another one could be slow to.
        uint64_t owed = state;
        if (__atomic_compare_exchange_n(&watch->owed, &owed, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) raise(SIGSTOP);
        return 1;
    }
    // It is letting go at this moment. Its signal must not meet the next stop, so wait until it has sent it.
    uint64_t step = 20000, limit = stop_clock(CLOCK_MONOTONIC) + 1000000000;
    while (__atomic_load_n(&watch->state, __ATOMIC_SEQ_CST) % WATCH_STATES == WATCH_RELEASING) {
        if (stop_clock(CLOCK_MONOTONIC) > limit) return -1;
        stop_nap(&step);
    }
    return 0;
}

static void protect(void) {
    // The follower's end must be told by the socket, not by a signal that its terminal or service manager sends to both.
    const int ignored[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGPIPE, SIGTSTP, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) signal(ignored[i], SIG_IGN);
    // Only what has been touched: the libraries of the program are large.
    mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file >= 0) {
        // Refused without CAP_SYS_RESOURCE; then the kernel may end us when memory runs out.
        long ignored_result = write(file, "-1000", 5);
        (void)ignored_result;
        close(file);
    }
    // Not a name of ours: who kills all that is called asof must not kill this one, too.
    asof_set_thread_name("stop-watchdog");
    asof_stop_prepare_thread();
}

static void let_go(struct asof_watch *watch, uint64_t state, int by_cgroup, const int *targets, size_t count) {
    if (state % WATCH_STATES != WATCH_ARMED || !change(watch, state, WATCH_RELEASING)) return;
    for (size_t i = 0; i < count; i++) {
        if (by_cgroup) asof_stop_cgroup_release(targets[i]);
        else asof_pidfd_send_signal(targets[i], SIGCONT);
    }
    __atomic_store_n(&watch->state, state / WATCH_STATES * WATCH_STATES + WATCH_RELEASED, __ATOMIC_SEQ_CST);
}

static bool is_stopped(pid_t process) {
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    long length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0) return false;
    text[length] = 0;
    const char *end = strrchr(text, ')');
    return end && end[1] == ' ' && end[2] == 'T';
}

// The follower traces and does not let go: somebody has stopped it. It is woken; if that does not help, it is killed, and the kernel lets go.
static void wake(struct asof_watch *watch, uint64_t state, int follower, pid_t parent) {
    if (is_stopped(parent)) __atomic_store_n(&watch->owed, state, __ATOMIC_SEQ_CST);
    asof_pidfd_send_signal(follower, SIGCONT);
    uint64_t step = 20000, limit = stop_clock(CLOCK_MONOTONIC) + 200000000;
    while (__atomic_load_n(&watch->state, __ATOMIC_SEQ_CST) == state) {
        if (stop_clock(CLOCK_MONOTONIC) > limit) {
            asof_pidfd_send_signal(follower, SIGKILL);
            return;
        }
        stop_nap(&step);
    }
}

int asof_watchdog_run(int socket, int page, int mode, const int *targets, size_t count) {
    const int by_cgroup = mode == 1;
    const bool by_waking = mode == 2;
    const pid_t parent = getppid();
    struct asof_watch *watch = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, page, 0);
    if (watch == MAP_FAILED) return 1;
    protect();
    if (send(socket, "k", 1, MSG_NOSIGNAL) != 1) return 1;
    for (;;) {
        struct timespec wait = {0}, *timeout = NULL;
        uint64_t state = __atomic_load_n(&watch->state, __ATOMIC_SEQ_CST);
        __atomic_store_n(&watch->seen, state, __ATOMIC_SEQ_CST);
        if (state % WATCH_STATES == WATCH_ARMED) {
            uint64_t now = stop_clock(CLOCK_MONOTONIC), deadline = __atomic_load_n(&watch->deadline, __ATOMIC_SEQ_CST);
            if (now >= deadline) {
                if (by_waking) wake(watch, state, targets[0], parent);
                else let_go(watch, state, by_cgroup, targets, count);
                if (by_waking && __atomic_load_n(&watch->state, __ATOMIC_SEQ_CST) == state) return 0;
                continue;
            }
            wait.tv_sec = (time_t)((deadline - now) / 1000000000);
            wait.tv_nsec = (long)((deadline - now) % 1000000000);
            timeout = &wait;
        }
        struct pollfd request = {.fd = socket, .events = POLLIN};
        int ready = ppoll(&request, 1, timeout, NULL);
        if (ready < 0 && errno != EINTR) break;
        if (ready <= 0) continue;
        char bytes[64];
        long length = recv(socket, bytes, sizeof bytes, MSG_DONTWAIT);
        if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) break;
    }
    // The follower is gone, and nobody else changes the state.
    if (!by_waking) let_go(watch, __atomic_load_n(&watch->state, __ATOMIC_SEQ_CST), by_cgroup, targets, count);
    return 0;
}
