#define _GNU_SOURCE
#include "CLinux.h"
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

int asof_fanotify_init(unsigned int flags) { return fanotify_init(flags, O_RDONLY | O_LARGEFILE); }

int asof_fanotify_mark(int group, unsigned int flags, uint64_t mask, int directory, const char *name) {
    return fanotify_mark(group, flags, mask, directory, name);
}

int asof_inotify_init(void) { return inotify_init1(IN_NONBLOCK | IN_CLOEXEC); }

int asof_inotify_add(int queue, const char *path, uint32_t mask) { return inotify_add_watch(queue, path, mask); }

int asof_inotify_remove(int queue, int watch) { return inotify_rm_watch(queue, watch); }

int asof_queued_bytes(int queue) {
    int count = 0;
    return ioctl(queue, FIONREAD, &count) == 0 ? count : -1;
}

int asof_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
