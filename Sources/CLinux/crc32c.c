#define _GNU_SOURCE
#include "CLinux.h"
#include <string.h>

enum { lane = 256 };

static uint32_t table[256];
// What each byte of a sum has become `lane` zero bytes later.
static uint32_t later[4][256];

static uint32_t by_table(uint32_t c, const unsigned char *p, size_t n) {
    while (n--) c = table[(c ^ *p++) & 0xff] ^ (c >> 8);
    return c;
}

__attribute__((constructor)) static void fill_tables(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? (c >> 1) ^ 0x82f63b78u : c >> 1;
        table[i] = c;
    }
    static const unsigned char zeroes[lane];
    for (uint32_t i = 0; i < 256; i++) {
        for (int k = 0; k < 4; k++) later[k][i] = by_table(i << 8 * k, zeroes, lane);
    }
}

#if defined(__x86_64__)
static uint64_t word(const unsigned char *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static uint32_t lane_later(uint32_t c) { return later[0][c & 0xff] ^ later[1][c >> 8 & 0xff] ^ later[2][c >> 16 & 0xff] ^ later[3][c >> 24]; }

__attribute__((target("sse4.2"))) static uint32_t by_hardware(uint32_t crc, const unsigned char *p, size_t n) {
    uint64_t c = crc;
    // Each instruction waits three cycles for the one before in its lane, so there are three lanes; sums are linear, and so can be put together.
    for (; n >= 3 * lane; p += 3 * lane, n -= 3 * lane) {
        uint64_t second = 0, third = 0;
        for (int i = 0; i < lane; i += 8) {
            c = __builtin_ia32_crc32di(c, word(p + i));
            second = __builtin_ia32_crc32di(second, word(p + lane + i));
            third = __builtin_ia32_crc32di(third, word(p + 2 * lane + i));
        }
        c = lane_later(lane_later((uint32_t)c) ^ (uint32_t)second) ^ (uint32_t)third;
    }
    for (; n >= 8; p += 8, n -= 8) c = __builtin_ia32_crc32di(c, word(p));
    while (n--) c = __builtin_ia32_crc32qi((uint32_t)c, *p++);
    return (uint32_t)c;
}
#endif

uint32_t asof_crc32c(uint32_t seed, const void *bytes, size_t length) {
    uint32_t c = ~seed;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~by_hardware(c, bytes, length);
#endif
    return ~by_table(c, bytes, length);
}
