// Before <hwy/foreach_target.h>: the instruction sets that kernels are compiled for are AVX-512 and AVX2, and
// whatever the compiler makes of plain code for processors without either.
#pragma once

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
