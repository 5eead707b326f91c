#define _GNU_SOURCE
#include "CLinux.h"
#include <string.h>

// Eight bytes a step: multiply, rotate, multiply, as MurmurHash does.
static uint64_t step(uint64_t hash, uint64_t word) {
    word *= 0x87c37b91114253d5u;
    word = (word << 31) | (word >> 33);
    hash ^= word * 0x4cf5ad432745937fu;
    return ((hash << 27) | (hash >> 37)) * 5 + 0x52dce729u;
}

uint64_t asof_mix64(uint64_t seed, const void *bytes, size_t length) {
    const unsigned char *p = bytes;
    uint64_t hash = seed ^ (uint64_t)length * 0x9e3779b97f4a7c15u;
    for (; length >= 8; p += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        hash = step(hash, word);
    }
    if (length) {
        uint64_t word = 0;
        memcpy(&word, p, length);
        hash = step(hash, word);
    }
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccdu;
    hash ^= hash >> 33;
    hash *= 0xc4ceb9fe1a85ec53u;
    return hash ^ (hash >> 33);
}
