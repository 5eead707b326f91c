// libfuse 3, low-level interface. 312: the newest interface of Debian 12's libfuse 3.14.
// _FILE_OFFSET_BITS stays undefined: on 64-bit glibc it would make struct statvfs differ from Swift's Glibc module.
#pragma once
#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>
