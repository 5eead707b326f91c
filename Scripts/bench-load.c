// The load of Scripts/bench: small enough that what is measured is the file system, not the writer. Prints seconds.
//
//   bench-load append FILE DATA SIZE COUNT SYNC     COUNT writes of SIZE bytes; fdatasync every SYNC bytes (0: never, -1: once at the end)
//   bench-load read FILE                            the whole file in pieces of 128 KiB
//   bench-load replay ROOT DATA OPERATIONS          a trace translated by trace_replay.py, at its own speed where it has times; descriptors are slots
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void need(int holds, const char *what) {
    if (!holds) { fprintf(stderr, "%s: %s\n", what, strerror(errno)); exit(1); }
}

static const char *mapped(const char *path, size_t *size) {
    int fd = open(path, O_RDONLY);
    struct stat st;
    need(fd >= 0 && fstat(fd, &st) == 0, path);
    *size = st.st_size;
    const char *data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    need(data != MAP_FAILED, path);
    close(fd);
    return data;
}

static int append(char **a) {
    size_t have, size = strtoull(a[2], NULL, 10), count = strtoull(a[3], NULL, 10);
    long long sync = atoll(a[4]);
    const char *data = mapped(a[1], &have);
    need(have >= size, "DATA is too short");
    size_t at = 0, since = 0;
    int fd = open(a[0], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
    need(fd >= 0, a[0]);
    double began = now();
    for (size_t i = 0; i < count; i++) {
        if (at + size > have) at = 0;
        need(write(fd, data + at, size) == (ssize_t)size, "write");
        at += size;
        since += size;
        if (sync > 0 && since >= (size_t)sync) { need(fdatasync(fd) == 0, "fdatasync"); since = 0; }
    }
    if (sync) need(fdatasync(fd) == 0, "fdatasync");
    double ended = now();
    need(close(fd) == 0, "close");
    printf("%.6f\n", ended - began);
    return 0;
}

static int read_all(char **a) {
    static char buffer[128 << 10];
    double began = now();
    int fd = open(a[0], O_RDONLY);
    need(fd >= 0, a[0]);
    ssize_t n;
    size_t total = 0;
    while ((n = read(fd, buffer, sizeof buffer)) > 0) total += n;
    need(n == 0, "read");
    double ended = now();
    struct stat st;
    need(fstat(fd, &st) == 0 && (size_t)st.st_size == total, "the file is shorter than it says");
    printf("%.6f\n", ended - began);
    return 0;
}

static void wait_until(double moment) {
    struct timespec at = {(time_t)moment, (long)((moment - (time_t)moment) * 1e9)};
    // Whoever is late, or nearly so, goes on at once.
    if (moment > now() + 50e-6) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static int slots[4096];

static int replay(char **a) {
    need(chdir(a[0]) == 0, a[0]);
    size_t size;
    const char *data = mapped(a[1], &size);
    FILE *operations = fopen(a[2], "r");
    need(operations != NULL, a[2]);
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    double began = now();
    umask(0);
    while ((length = getline(&line, &room, operations)) > 0) {
        line[length - 1] = 0;
        char *rest = line, *word[5] = {0};
        for (int i = 0; i < 5 && rest; i++) word[i] = strsep(&rest, "\t");
        int holds = 1, slot = word[1] ? atoi(word[1]) & 4095 : 0;
        switch (line[0]) {
        case '@': wait_until(began + strtod(word[1], NULL) / 1e9); break;
        case 'o': holds = (slots[slot] = open(word[2], O_RDWR)) >= 0; break;
        case 'c': holds = (slots[slot] = open(word[2], O_RDWR | O_CREAT | O_EXCL, strtol(word[3], NULL, 10))) >= 0; break;
        case 'x': holds = close(slots[slot]) == 0; break;
        case 'w': {
            size_t n = strtoull(word[3], NULL, 10);
            holds = pwrite(slots[slot], data + strtoull(word[4], NULL, 10), n, strtoll(word[2], NULL, 10)) == (ssize_t)n;
            break;
        }
        case 't': holds = ftruncate(slots[slot], strtoll(word[2], NULL, 10)) == 0; break;
        case 's': holds = fsync(slots[slot]) == 0; break;
        case 'm': holds = mkdir(word[1], strtol(word[2], NULL, 10)) == 0; break;
        case 'u': holds = unlink(word[1]) == 0; break;
        case 'd': holds = rmdir(word[1]) == 0; break;
        case 'r': holds = rename(word[1], word[2]) == 0; break;
        default: errno = EINVAL; holds = 0;
        }
        if (!holds) { fprintf(stderr, "%c %s: %s\n", line[0], word[2] ? word[2] : word[1], strerror(errno)); return 1; }
    }
    printf("%.6f\n", now() - began);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 7 && !strcmp(argv[1], "append")) return append(argv + 2);
    if (argc == 3 && !strcmp(argv[1], "read")) return read_all(argv + 2);
    if (argc == 5 && !strcmp(argv[1], "replay")) return replay(argv + 2);
    fprintf(stderr, "usage: see the head of bench-load.c\n");
    return 2;
}
