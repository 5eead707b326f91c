// The processes that Scripts/bench lets `asof follow` follow. Each prints `ready`, then works until its standard input ends, and prints one
// line of figures. A line on standard input begins the figures anew: what came before was warming up.
//
//   bench-follow-load calibrate NS                          rounds of the computing loop that take so long, and ends
//   bench-follow-load make ROOT FILES BYTES DATA            files of BYTES bytes that rest, 20 a directory, and ends
//   bench-follow-load hold FILE                             nothing, with FILE open for writing
//   bench-follow-load busy ROOT FILES DATA RATE WRITERS BURNERS
//                                                           RATE appends a second by all WRITERS together; BURNERS threads compute meanwhile.
//                                                           STAMPS gets the wall clock (ns, 20 bytes) each 10 ms or so
//   bench-follow-load dirty ROOT FILES DATA spread|burst    an append to each of FILES a second: evenly, or all at once and then a pause of
//                                                           0.7 to 1.3 s
//   bench-follow-load work ROOT FILES DATA THREADS ROUNDS   THREADS threads that compute ROUNDS and append, again and again
//
// Figures: `seconds appends` and then, but for work, the longest pauses (µs) of a thread that wakes each 250 µs ahead of everything else: what
// the process felt. Appends are 100 to 1,000 bytes of DATA.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STAMPS "bench/segment-1.wal"

enum { SECOND = 1000000000, BEAT = 250000, PAUSES = 1 << 16 };

static const char *root;
static int *files, count;
static const char *data;
static size_t have;
static atomic_ullong appends, sink;
static atomic_int generation;
static int rate, writers;
static uint64_t work_rounds;
static uint32_t pauses[PAUSES];
static int pause_count;

static uint64_t clock_ns(clockid_t which) {
    struct timespec t;
    clock_gettime(which, &t);
    return t.tv_sec * (uint64_t)SECOND + t.tv_nsec;
}

static uint64_t now(void) { return clock_ns(CLOCK_MONOTONIC); }

static void sleep_ns(uint64_t ns) {
    struct timespec t = {ns / SECOND, ns % SECOND};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR) {}
}

static void need(int holds, const char *what) {
    if (!holds) { fprintf(stderr, "%s: %s\n", what, strerror(errno)); _exit(1); }
}

static uint64_t next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static void compute(uint64_t rounds, uint64_t *state) {
    while (rounds--) next(state);
}

static void map_data(const char *path) {
    int fd = open(path, O_RDONLY);
    struct stat st;
    need(fd >= 0 && fstat(fd, &st) == 0, path);
    have = st.st_size;
    data = mmap(NULL, have, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    need(data != MAP_FAILED && have > 1 << 20, path);
    close(fd);
}

// `size` bytes of DATA to a file.
static void put(int fd, size_t size, uint64_t *state) {
    need(write(fd, data + next(state) % (have - size), size) == (ssize_t)size, "write");
}

static int make_file(const char *path, int flags) {
    int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);
    need(fd >= 0, path);
    return fd;
}

// One of FILES: logs of LSM buckets, 20 a directory.
static int log_file(int file) {
    char path[4096];
    snprintf(path, sizeof path, "%s/bench/shard/lsm/bucket%d/segment-17000000000%08d.wal", root, file / 20, file);
    return make_file(path, O_APPEND);
}

static void append(int file, uint64_t *state) {
    int fd = files[file] >= 0 ? files[file] : log_file(file);
    put(fd, 100 + next(state) % 900, state);
    if (fd != files[file]) close(fd);
    atomic_fetch_add_explicit(&appends, 1, memory_order_relaxed);
}

static void make_directory(const char *path) { need(mkdir(path, 0755) == 0 || errno == EEXIST, path); }

// Each with a page in it, and open as far as that is allowed.
static void open_files(const char *number, const char *data_path) {
    static const char *const parts[] = {"bench", "bench/shard", "bench/shard/lsm"};
    struct rlimit limit;
    char path[4096];
    uint64_t state = 88172645463325252ull;
    map_data(data_path);
    count = atoi(number);
    files = calloc(count, sizeof *files);
    need(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < 3; i++) snprintf(path, sizeof path, "%s/%s", root, parts[i]), make_directory(path);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/bench/shard/lsm/bucket%d", root, i / 20);
        if (i % 20 == 0) make_directory(path);
        int fd = log_file(i);
        put(fd, 4096, &state);
        files[i] = (rlim_t)i + 64 < limit.rlim_max ? fd : -1;
        if (files[i] < 0) close(fd);
    }
}

static void *beat(void *unused __attribute__((unused))) {
    struct sched_param first = {1};
    // Where that is not allowed, pauses are of the scheduler, too.
    pthread_setschedparam(pthread_self(), SCHED_FIFO, &first);
    int mine = -1;
    for (uint64_t before = now(), at;; before = at) {
        sleep_ns(BEAT);
        at = now();
        if (mine != generation) mine = generation, pause_count = 0;
        uint64_t pause = at - before - BEAT;
        if (pause > 100000 && pause_count < PAUSES) pauses[pause_count++] = pause / 1000;
    }
    return NULL;
}

static void *burner(void *seed) {
    uint64_t state = (uintptr_t)seed * 2654435761u + 1;
    for (;;) {
        compute(100000, &state);
        atomic_fetch_add_explicit(&sink, state, memory_order_relaxed);
    }
    return NULL;
}

static void *writer(void *number) {
    uint64_t state = ((uintptr_t)number + 1) * 0x9e3779b97f4a7c15ull, began = now(), done = 0;
    double mine = rate / (double)writers / SECOND;
    uint64_t period = mine * 2000000 >= 1 ? 2000000 : (uint64_t)(1 / mine);
    // Not all at the same moment.
    sleep_ns(next(&state) % period);
    for (;; sleep_ns(period))
        for (uint64_t due = (now() - began) * mine; done < due; done++) append(next(&state) % count, &state);
    return NULL;
}

static void *stamper(void *descriptor) {
    char stamp[32];
    for (uint64_t state = 4101842887655102017ull;; sleep_ns(5000000 + next(&state) % 10000000)) {
        int length = snprintf(stamp, sizeof stamp, "%019llu\n", (unsigned long long)clock_ns(CLOCK_REALTIME));
        need(write((int)(intptr_t)descriptor, stamp, length) == 20, "stamps");
    }
    return NULL;
}

static void *evenly(void *unused __attribute__((unused))) {
    uint64_t state = 88172645463325252ull, began = now(), done = 0;
    for (;; sleep_ns(2000000))
        for (uint64_t due = (double)(now() - began) * count / SECOND; done < due; done++) append(done % count, &state);
    return NULL;
}

static void *in_bursts(void *unused __attribute__((unused))) {
    uint64_t state = 88172645463325252ull;
    for (;; sleep_ns(700000000 + next(&state) % 600000000))
        for (int i = 0; i < count; i++) append(i, &state);
    return NULL;
}

static void *worker(void *number) {
    for (uint64_t state = ((uintptr_t)number + 1) * 0x9e3779b97f4a7c15ull;;) {
        compute(work_rounds, &state);
        append(next(&state) % count, &state);
    }
    return NULL;
}

static void start(int how_many, void *(*body)(void *), intptr_t first) {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 128 << 10);
    for (int i = 0; i < how_many; i++) {
        pthread_t thread;
        errno = pthread_create(&thread, &small, body, (void *)(first + i));
        need(errno == 0, "pthread_create");
    }
}

static int descending(const void *a, const void *b) { return (*(uint32_t *)a < *(uint32_t *)b) - (*(uint32_t *)a > *(uint32_t *)b); }

// Until standard input ends.
static int serve(void) {
    uint64_t began = now();
    puts("ready");
    fflush(stdout);
    for (char line[64]; fgets(line, sizeof line, stdin);) {
        began = now();
        atomic_store(&appends, 0);
        atomic_fetch_add(&generation, 1);
    }
    printf("%.6f %llu", (now() - began) / 1e9, (unsigned long long)appends);
    qsort(pauses, pause_count, sizeof *pauses, descending);
    for (int i = 0; i < pause_count && i < 4096; i++) printf(" %u", pauses[i]);
    puts("");
    fflush(stdout);
    _exit(0);
}

static int calibrate(const char *ns) {
    uint64_t state = 1, rounds = 1 << 20, best = UINT64_MAX;
    for (int i = 0; i < 50; i++) {
        uint64_t began = now();
        compute(rounds, &state);
        uint64_t took = now() - began;
        if (took < best) best = took;
    }
    sink = state;
    printf("%llu\n", (unsigned long long)(rounds * (double)atoll(ns) / best));
    return 0;
}

static int make_tree(const char *top, const char *number, const char *bytes) {
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/", top);
    uint64_t state = 88172645463325252ull;
    for (int i = 0, all = atoi(number), size = atoi(bytes); i < all; i++) {
        // A thousand directories each, so that none is large.
        int at = length + snprintf(path + length, 64, "c%d", i / 20000);
        if (i % 20000 == 0) make_directory(path);
        at += snprintf(path + at, 64, "/b%d", i / 20);
        if (i % 20 == 0) make_directory(path);
        snprintf(path + at, 64, "/segment-17000000%06d.db", i);
        int fd = make_file(path, O_EXCL);
        put(fd, size, &state);
        close(fd);
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    // ^C reaches everybody in the terminal: whoever started this ends it, in his order.
    signal(SIGINT, SIG_IGN);
    const char *what = argv[1];
    if (argc == 3 && !strcmp(what, "calibrate")) return calibrate(argv[2]);
    if (argc == 6 && !strcmp(what, "make")) return map_data(argv[5]), make_tree(argv[2], argv[3], argv[4]);
    if (argc == 3 && !strcmp(what, "hold")) return make_file(argv[2], 0), serve();
    if (argc >= 6 && (!strcmp(what, "busy") || !strcmp(what, "dirty") || !strcmp(what, "work"))) root = argv[2], open_files(argv[3], argv[4]);
    if (argc == 8 && !strcmp(what, "busy")) {
        char path[4096];
        snprintf(path, sizeof path, "%s/" STAMPS, argv[2]);
        rate = atoi(argv[5]), writers = atoi(argv[6]);
        start(writers, writer, 0);
        start(atoi(argv[7]), burner, 1);
        start(1, stamper, make_file(path, O_APPEND));
        start(1, beat, 0);
        return serve();
    }
    if (argc == 6 && !strcmp(what, "dirty")) {
        start(1, strcmp(argv[5], "burst") ? evenly : in_bursts, 0);
        start(1, beat, 0);
        return serve();
    }
    if (argc == 7 && !strcmp(what, "work")) {
        work_rounds = strtoull(argv[6], NULL, 10);
        start(atoi(argv[5]), worker, 0);
        return serve();
    }
    fprintf(stderr, "usage: see the head of bench-follow-load.c\n");
    return 2;
}
