// When a result is written past the caches.
#pragma once

#include <cstdint>

namespace tarmac::ops {

/// Results of at least this size: what reads them next finds little of them in the caches anyway.
inline constexpr std::int64_t kStreamedBytes = 8 << 20;

}  // namespace tarmac::ops
