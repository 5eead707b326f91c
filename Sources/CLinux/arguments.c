#include "CLinux.h"

static int count;
static char **words;

// glibc hands them to everything in .init_array, before main and without /proc.
__attribute__((constructor)) static void remember(int argc, char **argv) {
    count = argc;
    words = argv;
}

int asof_argument_count(void) { return count; }

const char *asof_argument(int index) { return index >= 0 && index < count ? words[index] : 0; }
