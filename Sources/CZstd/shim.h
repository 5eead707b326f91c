// libzstd: the default compression of frames.
#pragma once
#include <zstd.h>
#include <zstd_errors.h>
