#define _GNU_SOURCE
#include "CLinux.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

int asof_renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned int flags) {
    return renameat2(from_directory, from, to_directory, to, flags);
}

long asof_getdents64(int descriptor, void *buffer, size_t length) {
    return syscall(SYS_getdents64, descriptor, buffer, length);
}

long asof_copy_file_range(int from, int64_t *from_offset, int to, int64_t *to_offset, size_t length) {
    return copy_file_range(from, (off64_t *)from_offset, to, (off64_t *)to_offset, length, 0);
}

int asof_fallocate(int descriptor, int mode, int64_t offset, int64_t length) {
    return fallocate(descriptor, mode, offset, length);
}

long asof_readlinkat(int directory, const char *name, void *buffer, size_t length) {
    return readlinkat(directory, name, buffer, length);
}

long asof_getxattr(const char *path, const char *name, void *buffer, size_t length) {
    return getxattr(path, name, buffer, length);
}

long asof_listxattr(const char *path, void *buffer, size_t length) { return listxattr(path, buffer, length); }

int asof_setxattr(const char *path, const char *name, const void *value, size_t length, int flags) {
    return setxattr(path, name, value, length, flags);
}

int asof_removexattr(const char *path, const char *name) { return removexattr(path, name); }

int asof_syncfs(int descriptor) { return syncfs(descriptor); }

int asof_sync_file_range(int descriptor, int64_t offset, int64_t length, unsigned int flags) {
    return sync_file_range(descriptor, offset, length, flags);
}

int asof_fstatfs_type(int descriptor, uint64_t *type) {
    struct statfs status;
    if (fstatfs(descriptor, &status) != 0) return -1;
    *type = (uint64_t)status.f_type;
    return 0;
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
int asof_populate_write(void *start, size_t length) { return madvise(start, length, MADV_POPULATE_WRITE); }
