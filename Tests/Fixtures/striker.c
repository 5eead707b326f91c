// Waits for the moment at which a server is inside a stop, and strikes within microseconds.
//
//   striker STATE kill PID SIGNAL       STATE: /proc/<pid>/task/<tid>/stat of the server (letters t and T), or a cgroup.events
//   striker STATE write FILE TEXT       file ("frozen 1"). Gives up after five seconds.
//
// Prints "inside" when the server was still stopped right after the strike, "after" when not, "never".
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int state;

static int is_stopped(void) {
    char text[1024];
    ssize_t n = pread(state, text, sizeof text - 1, 0);
    if (n <= 0) return 0;
    text[n] = 0;
    if (strstr(text, "frozen ")) return strstr(text, "frozen 1") != NULL;
    char *end = strrchr(text, ')');
    return end && (end[2] == 't' || end[2] == 'T');
}

int main(int argc, char **argv) {
    if (argc != 5 || (state = open(argv[1], O_RDONLY)) < 0) return 2;
    int kills = strcmp(argv[2], "kill") == 0, target = kills ? -1 : open(argv[3], O_WRONLY);
    if (!kills && target < 0) return 3;
    struct timespec begun, now;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    do {
        if (is_stopped()) {
            if (kills ? kill(atoi(argv[3]), atoi(argv[4])) : write(target, argv[4], strlen(argv[4])) < 0) return 4;
            int inside = is_stopped();
            puts(inside ? "inside" : "after");
            return 0;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - begun.tv_sec < 5);
    puts("never");
    return 0;
}
