#define _GNU_SOURCE
#include "CLinux.h"
#include <sys/timex.h>

int asof_clock_is_synchronized(void) {
    struct timex state = {.modes = 0};
    int code = adjtimex(&state);
    if (code < 0) return -1;
    return code == TIME_ERROR || (state.status & STA_UNSYNC) ? 0 : 1;
}
