// What this machine can do at most on kThreads threads, measured.
#pragma once

#include "ops/case.h"

namespace tarmac::bench {

struct Limits {
  double bytes_per_s = 0;    ///< streaming from and to memory
  double flops_per_s = 0;    ///< float32 fused multiply-adds, two each
  double gathers_per_s = 0;  ///< cache lines at random addresses of a buffer that fits the second-level cache
};

Limits measure_limits();

/// Seconds that the work takes at least: the largest of its three bounds.
struct Bound {
  double seconds = 0;
  const char* by = "";  ///< "bytes", "flops", "gathers"
};
Bound bound_of(const Work& work, const Limits& limits);

}  // namespace tarmac::bench
