// What the files of this shim share.
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>

// The convention of the public header: a failed call's errno, negated.
static inline int result_of(int value) { return value < 0 ? -errno : value; }
