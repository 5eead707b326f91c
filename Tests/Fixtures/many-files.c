// A tree of many small quiet files, made quickly.
//
//   many-files ROOT DIRECTORIES FILES      DIRECTORIES in two levels; the FILES spread over them, 40 to 150 bytes each
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc != 4 || chdir(argv[1]) != 0) return 2;
    long directories = atol(argv[2]), files = atol(argv[3]), made = 0;
    char name[96], bytes[160];
    memset(bytes, 'q', sizeof bytes);
    for (long d = 0; d < directories; d++) {
        if (d % 300 == 0) {
            snprintf(name, sizeof name, "class%ld", d / 300);
            if (mkdir(name, 0755) != 0) return 3;
        }
        snprintf(name, sizeof name, "class%ld/tenant%ld", d / 300, d);
        if (mkdir(name, 0755) != 0) return 3;
        int folder = open(name, O_RDONLY | O_DIRECTORY);
        for (long until = files * (d + 1) / directories; made < until; made++) {
            snprintf(name, sizeof name, "segment-%ld.db", made);
            int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
            size_t size = 40 + made % 110;
            if (fd < 0 || write(fd, bytes, size) != (ssize_t)size) return 4;
            close(fd);
        }
        close(folder);
    }
    return 0;
}
