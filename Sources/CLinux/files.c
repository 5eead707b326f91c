#define _GNU_SOURCE
#include "CLinux.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
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

void asof_act_as(uint32_t user, uint32_t group) {
    setfsgid(group);
    setfsuid(user);
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
int asof_populate_write(void *start, size_t length) { return madvise(start, length, MADV_POPULATE_WRITE); }

void asof_start_writing(int descriptor) { sync_file_range(descriptor, 0, 0, SYNC_FILE_RANGE_WRITE); }

int asof_handle_of(int descriptor, void *buffer, unsigned int capacity) {
    union { struct file_handle handle; char space[sizeof(struct file_handle) + MAX_HANDLE_SZ]; } u;
    int mount;
    u.handle.handle_bytes = MAX_HANDLE_SZ;
    if (name_to_handle_at(descriptor, "", &u.handle, &mount, AT_EMPTY_PATH) != 0) return -1;
    if (u.handle.handle_bytes + 4 > capacity) { errno = EOVERFLOW; return -1; }
    memcpy(buffer, &u.handle.handle_type, 4);
    memcpy((char *)buffer + 4, u.handle.f_handle, u.handle.handle_bytes);
    return 4 + (int)u.handle.handle_bytes;
}

int asof_open_handle(int anchor, const void *bytes, unsigned int length, int flags) {
    union { struct file_handle handle; char space[sizeof(struct file_handle) + MAX_HANDLE_SZ]; } u;
    if (length < 4 || length > ASOF_HANDLE_MAX) { errno = EINVAL; return -1; }
    memcpy(&u.handle.handle_type, bytes, 4);
    u.handle.handle_bytes = length - 4;
    memcpy(u.handle.f_handle, (const char *)bytes + 4, length - 4);
    return open_by_handle_at(anchor, &u.handle, flags);
}
