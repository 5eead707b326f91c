// A server that performs a given list of operations with many threads, as fast as their dependencies allow, and notes when each
// began and ended. For the campaigns of following, which compile it; performing.py makes the list and reads the notes.
//
//   performer ROOT DATA OPERATIONS NOTES RATE IDLE [nosync]
//
// RATE: operations a second at most (0: no limit). IDLE: threads more that only sleep. NOTES is made when it is not there; when it
// is there, it is gone on with: what had begun and not ended is made again, in a way that accepts that it was.
// Standard input: "go N" lets it go up to operation N. Standard output: "ready", "at N" when all up to N are done. It ends at the
// end of its input. A heartbeat thread notes where it did not run for more than 20 ms.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAGIC = 0x3150464f, GAPS = 4096 };
enum { CREATE, MKDIR, WRITE, TRUNCATE, RENAME, LINK, SYMLINK, UNLINK, RMDIR, CHMOD, FSYNC, CLOSE, FALLOCATE, NOTHING };

struct head { uint32_t magic, count, threads, files, causes, strings, reserved[2]; };
struct operation {
    uint8_t kind, flags;
    uint16_t thread;
    uint32_t file, mode, path, to, first_cause, causes;
    // Everything up to this number must have ended.
    uint32_t after;
    uint64_t offset, length, blob;
};
struct note { uint64_t begun, ended; };
struct gap { uint64_t begun, ended; };
struct notes {
    uint64_t count, wall_at_start, monotonic_at_start, gaps, beats, latest_beat, reserved[2];
    struct gap gap[GAPS];
    struct note note[];
};

static const struct head *head;
static const struct operation *operations;
static const uint32_t *causes;
static const char *strings;
static const uint8_t *data;
static struct notes *notes;
static uint32_t *done, prefix, allowed;
static int *descriptors, syncs = 1;
static double rate;
static uint64_t started;

static uint64_t clock_now(clockid_t which) {
    struct timespec t;
    clock_gettime(which, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void futex(uint32_t *word, int what, uint32_t value) { syscall(SYS_futex, word, what | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0); }

static void need(int holds, const char *what, const char *which) {
    if (holds) return;
    fprintf(stderr, "performer: %s %s: %s\n", what, which, strerror(errno));
    _exit(4);
}

static const void *mapped(const char *path, size_t *size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    need(fd >= 0 && fstat(fd, &st) == 0, "open", path);
    void *memory = mmap(NULL, st.st_size ? st.st_size : 1, PROT_READ, MAP_PRIVATE, fd, 0);
    need(memory != MAP_FAILED, "mmap", path);
    close(fd);
    if (size) *size = st.st_size;
    return memory;
}

static void await_at_least(uint32_t *word, uint32_t value) {
    uint32_t have;
    while ((have = __atomic_load_n(word, __ATOMIC_ACQUIRE)) < value) futex(word, FUTEX_WAIT, have);
}

static void finish(uint32_t number) {
    __atomic_store_n(&done[number], 1, __ATOMIC_RELEASE);
    futex(&done[number], FUTEX_WAKE, INT_MAX);
    uint32_t at = __atomic_load_n(&prefix, __ATOMIC_ACQUIRE), from = at;
    while (at < head->count && __atomic_load_n(&done[at + 1], __ATOMIC_ACQUIRE)) {
        if (__atomic_compare_exchange_n(&prefix, &at, at + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) at++;
    }
    if (at != from) futex(&prefix, FUTEX_WAKE, INT_MAX);
}

static int descriptor(const struct operation *o, const char *path) {
    if (descriptors[o->file] < 0) descriptors[o->file] = open(path, O_RDWR | O_CLOEXEC);
    return descriptors[o->file];
}

static int write_all(int fd, const uint8_t *bytes, size_t count, off_t offset) {
    while (count) {
        ssize_t n = pwrite(fd, bytes, count, offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return -1;
        bytes += n, count -= n, offset += n;
    }
    return 0;
}

static void let_go(uint32_t file) {
    if (descriptors[file] >= 0) close(descriptors[file]);
    descriptors[file] = -1;
}

// `again`: it may have been made already.
static int perform(const struct operation *o, int again) {
    const char *path = strings + o->path, *to = strings + o->to;
    int result = 0;
    switch (o->kind) {
    case CREATE:
        let_go(o->file);
        result = descriptors[o->file] = open(path, O_RDWR | O_CREAT | O_CLOEXEC | (again ? 0 : O_EXCL), o->mode);
        break;
    case MKDIR: result = mkdir(path, o->mode); break;
    case WRITE: result = descriptor(o, path) < 0 ? -1 : write_all(descriptors[o->file], data + o->blob, o->length, o->offset); break;
    case TRUNCATE: result = descriptor(o, path) < 0 ? -1 : ftruncate(descriptors[o->file], o->offset); break;
    case FALLOCATE: result = descriptor(o, path) < 0 ? -1 : fallocate(descriptors[o->file], o->mode, o->offset, o->length); break;
    case RENAME: result = rename(path, to); break;
    case LINK: result = link(path, to); break;
    case SYMLINK: result = symlink(to, path); break;
    case UNLINK: result = unlink(path); let_go(o->file); break;
    case RMDIR: result = rmdir(path); break;
    case CHMOD: result = chmod(path, o->mode); break;
    case FSYNC: if (syncs && descriptors[o->file] >= 0) result = fsync(descriptors[o->file]); break;
    case CLOSE: let_go(o->file); break;
    }
    if (result < 0 && again && (errno == EEXIST || errno == ENOENT)) {
        // Only what leaves its own trace may say that it was made.
        struct stat st;
        switch (o->kind) {
        case MKDIR: case SYMLINK: return lstat(path, &st);
        case UNLINK: case RMDIR: return lstat(path, &st) == 0 ? -1 : 0;
        case RENAME: case LINK: return lstat(to, &st);
        }
    }
    return result < 0 ? -1 : 0;
}

static void *run(void *argument) {
    uint32_t mine = (uintptr_t)argument;
    for (uint32_t number = 1; number <= head->count; number++) {
        const struct operation *o = &operations[number - 1];
        if (o->thread != mine || __atomic_load_n(&done[number], __ATOMIC_ACQUIRE)) continue;
        await_at_least(&allowed, number);
        await_at_least(&prefix, o->after);
        for (uint32_t i = 0; i < o->causes; i++) await_at_least(&done[causes[o->first_cause + i]], 1);
        if (rate > 0) {
            uint64_t due = started + (uint64_t)(number * 1e9 / rate);
            struct timespec until = {due / 1000000000ull, due % 1000000000ull};
            while (clock_now(CLOCK_MONOTONIC) < due) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        }
        struct note *note = &notes->note[number];
        int again = note->begun != 0;
        if (!again) __atomic_store_n(&note->begun, clock_now(CLOCK_REALTIME), __ATOMIC_RELEASE);
        if (perform(o, again) != 0) {
            fprintf(stderr, "performer: operation %u, kind %u, %s: %s\n", number, o->kind, strings + o->path, strerror(errno));
            _exit(5);
        }
        __atomic_store_n(&note->ended, clock_now(CLOCK_REALTIME), __ATOMIC_RELEASE);
        finish(number);
    }
    return NULL;
}

static void *beat(void *argument) {
    (void)argument;
    uint64_t last = clock_now(CLOCK_MONOTONIC);
    for (;;) {
        struct timespec pause = {0, 1000000};
        nanosleep(&pause, NULL);
        uint64_t now = clock_now(CLOCK_MONOTONIC);
        __atomic_add_fetch(&notes->beats, 1, __ATOMIC_RELAXED);
        __atomic_store_n(&notes->latest_beat, now, __ATOMIC_RELAXED);
        if (now - last > 20000000) {
            uint64_t at = __atomic_load_n(&notes->gaps, __ATOMIC_RELAXED);
            notes->gap[at % GAPS] = (struct gap){last, now};
            __atomic_store_n(&notes->gaps, at + 1, __ATOMIC_RELEASE);
        }
        last = now;
    }
    return NULL;
}

static void *idle(void *argument) {
    for (;;) sleep(3600);
    return argument;
}

static void *tell(void *argument) {
    (void)argument;
    for (uint32_t told = 0;;) {
        uint32_t goal = __atomic_load_n(&allowed, __ATOMIC_ACQUIRE);
        if (goal == told) { futex(&allowed, FUTEX_WAIT, goal); continue; }
        await_at_least(&prefix, goal);
        printf("at %u\n", goal);
        fflush(stdout);
        told = goal;
    }
    return NULL;
}

static void start(void *(*body)(void *), void *argument) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 128 << 10);
    need(pthread_create(&thread, &attributes, body, argument) == 0, "pthread_create", "");
    pthread_detach(thread);
}

static void open_notes(const char *path) {
    size_t size = sizeof(struct notes) + (head->count + 1) * sizeof(struct note);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    need(fd >= 0 && ftruncate(fd, size) == 0, "open", path);
    notes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    need(notes != MAP_FAILED, "mmap", path);
    close(fd);
    if (!notes->count) {
        notes->wall_at_start = clock_now(CLOCK_REALTIME);
        notes->monotonic_at_start = clock_now(CLOCK_MONOTONIC);
        notes->count = head->count;
    }
}

int main(int argc, char **argv) {
    if (argc < 7) return 2;
    syncs = !(argc > 7 && strcmp(argv[7], "nosync") == 0);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) { limit.rlim_cur = limit.rlim_max; setrlimit(RLIMIT_NOFILE, &limit); }
    head = mapped(argv[3], NULL);
    need(head->magic == MAGIC, "operations", argv[3]);
    operations = (const void *)(head + 1);
    causes = (const void *)(operations + head->count);
    strings = (const char *)(causes + head->causes);
    data = mapped(argv[2], NULL);
    open_notes(argv[4]);
    rate = atof(argv[5]);
    done = calloc(head->count + 2, sizeof *done);
    descriptors = malloc((head->files + 1) * sizeof *descriptors);
    memset(descriptors, 0xff, (head->files + 1) * sizeof *descriptors);
    for (uint32_t number = 1; number <= head->count; number++) done[number] = notes->note[number].ended != 0;
    while (prefix < head->count && done[prefix + 1]) prefix++;
    need(chdir(argv[1]) == 0, "chdir", argv[1]);
    umask(0);
    int held = open("held-open", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    need(held >= 0, "open", "held-open");
    for (int i = atoi(argv[6]); i > 0; i--) start(idle, NULL);
    for (uint32_t i = 0; i < head->threads; i++) start(run, (void *)(uintptr_t)i);
    start(beat, NULL);
    start(tell, NULL);
    printf("ready\n");
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        unsigned long goal;
        if (sscanf(line, "go %lu", &goal) != 1) continue;
        // The pace counts from where it goes on, less the time that what is done would have taken.
        started = clock_now(CLOCK_MONOTONIC) - (rate > 0 ? (uint64_t)(prefix * 1e9 / rate) : 0);
        __atomic_store_n(&allowed, goal < head->count ? goal : head->count, __ATOMIC_RELEASE);
        futex(&allowed, FUTEX_WAKE, INT_MAX);
    }
    _exit(0);
}
