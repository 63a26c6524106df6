// Counts this process's heap allocations, so that a benchmark can say "none" and be believed.
//
// The functions that allocate are replaced by ones that add to a counter of the calling thread and
// go on to the C library's own. Owns nothing. In a sanitizer's build nothing is replaced and the
// count stays zero.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Allocations and reallocations of the calling thread since it began.
uint64_t cmartlet_allocations(void);
// Whether this build counts at all.
bool cmartlet_counts_allocations(void);
