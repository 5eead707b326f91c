// A server that is hard to stop: threads that count in a shared page without ever making a call, threads that append to a file,
// and a thread that does nothing but start threads that end at once. For the tests of stopping, which compile it.
//
//   busy-server DIRECTORY THREADS SECONDS [churn] [vfork] [fork] [headless]
//
// SIGUSR1 is counted; SIGUSR2 makes 400 more threads, which rest.
// DIRECTORY/page: 64-bit counters (see the indices below). DIRECTORY/log: what the appending threads write. It ends after SECONDS.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { READY, SIGNALS, CHURNED, VFORKED, CHILD, RESTING, FIRST_COUNTER = 8, PAGE = 1 << 16 };

static volatile uint64_t *page;
static int log_file;
static volatile sig_atomic_t wanted;

static void on_signal(int signal) {
    (void)signal;
    __atomic_add_fetch(&page[SIGNALS], 1, __ATOMIC_SEQ_CST);
}

static void on_want(int signal) {
    (void)signal;
    wanted = 1;
}

static void *rest(void *argument) {
    for (;;) pause();
    return argument;
}

static void *count(void *argument) {
    uint64_t index = (uintptr_t)argument;
    for (uint64_t turn = 1;; turn++) {
        page[FIRST_COUNTER + index]++;
        // Every other thread never makes a call.
        if (index % 2 == 1 && turn % 512 == 0 && write(log_file, "abcdefg\n", 8) != 8) abort();
    }
    return NULL;
}

static void *once(void *argument) {
    (void)argument;
    __atomic_add_fetch(&page[CHURNED], 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void *churn(void *argument) {
    (void)argument;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    for (;;) {
        pthread_t threads[4];
        for (int i = 0; i < 4; i++) if (pthread_create(&threads[i], &attributes, once, NULL) != 0) abort();
        for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    }
    return NULL;
}

// Sits in an uninterruptible wait for as long as the child lives.
static void *wait_long(void *argument) {
    (void)argument;
    for (;;) {
        pid_t child = vfork();
        if (child == 0) {
            usleep(300000);
            _exit(0);
        }
        __atomic_add_fetch(&page[VFORKED], 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

int main(int count_of_arguments, char **arguments) {
    if (count_of_arguments < 4) return 2;
    alarm((unsigned)atoi(arguments[3]));
    // The children of vfork need no waiting for.
    signal(SIGCHLD, SIG_IGN);
    int threads = atoi(arguments[2]);
    if (chdir(arguments[1]) != 0 || threads < 1 || threads > 4096) return 2;
    int file = open("page", O_RDWR | O_CREAT, 0600);
    log_file = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file < 0 || log_file < 0 || ftruncate(file, PAGE) != 0) return 3;
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (page == MAP_FAILED) return 4;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    action.sa_handler = on_want;
    sigaction(SIGUSR2, &action, NULL);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    pthread_t thread;
    for (int i = 0; i < threads; i++)
        if (pthread_create(&thread, &attributes, count, (void *)(uintptr_t)i) != 0) return 5;
    for (int i = 4; i < count_of_arguments; i++) {
        if (strcmp(arguments[i], "churn") == 0) pthread_create(&thread, &attributes, churn, NULL);
        if (strcmp(arguments[i], "vfork") == 0) pthread_create(&thread, &attributes, wait_long, NULL);
        if (strcmp(arguments[i], "fork") == 0) {
            // A child with the same files, which counts as well.
            pid_t parent = getpid(), child = fork();
            if (child == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() != parent) _exit(0);
                for (;;) page[CHILD]++;
            }
        }
    }
    page[READY] = 1;
    // The others go on without the first thread.
    if (strcmp(arguments[count_of_arguments - 1], "headless") == 0) pthread_exit(NULL);
    for (;;) {
        // Not pause(): a signal that came just before it would be slept through.
        usleep(1000);
        if (!wanted) continue;
        wanted = 0;
        for (int i = 0; i < 400; i++)
            if (pthread_create(&thread, &attributes, rest, NULL) == 0) page[RESTING]++;
    }
}
