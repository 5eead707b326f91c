// libcrypto: SHA-256, HMAC, HKDF, AES-256-GCM and random bytes.
#pragma once
// No _GNU_SOURCE: with it <sys/select.h> differs from what Swift's Glibc module read, and Swift refuses the two together.
// SHA256_Init, _Update and _Final carry a deprecation in OpenSSL 3, but they neither allocate nor fail, and their state is a plain
// struct: a hash becomes a value that cannot throw.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
