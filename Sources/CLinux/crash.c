#define _GNU_SOURCE
#include "CLinux.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int asof_crash_armed_flag;

static char armed_name[256];
static size_t armed_length;
static long remaining;

void asof_crash_arm(const char *specification) {
    __atomic_store_n(&asof_crash_armed_flag, 0, __ATOMIC_SEQ_CST);
    if (!specification || !*specification) return;
    const char *colon = strrchr(specification, ':');
    size_t length = colon ? (size_t)(colon - specification) : strlen(specification);
    long count = colon ? strtol(colon + 1, NULL, 10) : 1;
    if (length == 0 || length > sizeof armed_name || count < 1) return;
    memcpy(armed_name, specification, length);
    armed_length = length;
    __atomic_store_n(&remaining, count, __ATOMIC_SEQ_CST);
    __atomic_store_n(&asof_crash_armed_flag, 1, __ATOMIC_SEQ_CST);
}

__attribute__((constructor)) static void arm_from_environment(void) { asof_crash_arm(getenv("ASOF_CRASH_AT")); }

void asof_crash_reach(const char *name, size_t length) {
    if (length != armed_length || memcmp(name, armed_name, length) != 0) return;
    if (__atomic_sub_fetch(&remaining, 1, __ATOMIC_SEQ_CST) != 0) return;
    kill(getpid(), SIGKILL);
    for (;;) pause();
}
