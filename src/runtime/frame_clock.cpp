#include "runtime/frame_clock.h"

#include <algorithm>
#include <cmath>

namespace tarmac {

FrameClock::Time FrameClock::due(std::int64_t frame) const {
  // From the start each time, so that rounding does not add up.
  return Time(std::llround(static_cast<double>(frame) * period_ns_));
}

std::optional<std::int64_t> FrameClock::take(Time now) {
  const auto newest = static_cast<std::int64_t>(std::floor(static_cast<double>(now.count()) / period_ns_));
  std::int64_t next = next_;
  while (next < count_) {
    std::int64_t frame = std::max(next, std::min(newest, count_ - 1));
    if (late(frame, now)) ++frame;
    if (!next_.compare_exchange_weak(next, frame + 1)) continue;
    dropped_ += frame - next;
    if (frame < count_) return frame;
  }
  return std::nullopt;
}

}  // namespace tarmac
