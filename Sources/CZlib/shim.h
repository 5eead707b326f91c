// zlib: gzip as an alternative compression of frames.
#pragma once
// No _GNU_SOURCE: with it <sys/select.h> differs from what Swift's Glibc module read, and Swift refuses the two together.
#include <zlib.h>
// deflateInit2 and inflateInit2 are macros, which Swift cannot call.
static inline int asof_deflate_init(z_stream *stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}
static inline int asof_inflate_init(z_stream *stream) { return inflateInit2(stream, 15 + 16); }
