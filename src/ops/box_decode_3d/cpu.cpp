// Scores are looked at once, as logits, a vector at a time, beside the lowest that can still be among the
// best: the threshold's logit first, later the worst of max_boxes found. Only what is taken is decoded.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/box_decode_3d/operator.h"
#include "ops/sort_by_key.h"
#include "ops/widened.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/box_decode_3d/cpu.cpp"
#include "ops/simd.h"

#include <hwy/foreach_target.h>  // after simd.h, before highway.h

#include <hwy/highway.h>

#ifndef TARMAC_OPS_BOX_DECODE_3D_CPU
#define TARMAC_OPS_BOX_DECODE_3D_CPU
namespace tarmac::ops::box_decode_kernels {

/// The best of a stream of scores that comes in the order of places.
class Best {
 public:
  /// Room that add() never goes beyond.
  static std::size_t room(std::size_t most) { return most + std::max<std::size_t>(most, kSpare); }

  Best(std::uint64_t* keys, std::size_t most, float bound) : keys_(keys), most_(most), bound_(bound) {}

  /// Only greater values can be among the best.
  [[nodiscard]] float bound() const { return bound_; }

  void add(float value, std::uint32_t place) {
    keys_[count_++] = falling_key(value, place);
    if (count_ < room(most_)) return;
    std::nth_element(keys_, keys_ + most_ - 1, keys_ + count_);
    count_ = most_;
    const auto key = static_cast<std::uint32_t>(keys_[most_ - 1] >> 32);
    constexpr std::uint32_t kSign = 0x80000000U;
    bound_ = std::bit_cast<float>((key & kSign) != 0 ? key : ~key & ~kSign);
  }

  /// How many there are, at most `most`; the first of the keys, in no order.
  std::size_t finish() {
    if (count_ > most_) std::nth_element(keys_, keys_ + most_ - 1, keys_ + count_);
    return std::min(count_, most_);
  }

 private:
  static constexpr std::size_t kSpare = 1024;
  std::uint64_t* keys_;
  std::size_t most_;
  std::size_t count_ = 0;
  float bound_;
};

/// What the threshold means for a logit: not above `low` fails, above `high` passes, between them score()
/// says.
struct Limits {
  float low, high;
};

}  // namespace tarmac::ops::box_decode_kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::box_decode_kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void scan(const Decoder& decoder, bool peaks_only, const Limits& limits, const float* HWY_RESTRICT values,
          std::int64_t begin, std::int64_t end, Best& best) {
  const hn::ScalableTag<float> df;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(df));
  const auto consider = [&](std::int64_t place) {
    const float value = values[place];
    if (!(value > best.bound())) return;
    if (!(value > limits.high) && !decoder.passes(value)) return;
    if (peaks_only && !decoder.is_peak(values, place)) return;
    best.add(value, static_cast<std::uint32_t>(place));
  };
  std::int64_t place = begin;
  for (; place + lanes <= end; place += lanes) {
    if (hn::AllFalse(df, hn::Gt(hn::LoadU(df, values + place), hn::Set(df, best.bound())))) continue;
    for (std::int64_t lane = 0; lane < lanes; ++lane) consider(place + lane);
  }
  for (; place < end; ++place) consider(place);
}

}  // namespace tarmac::ops::box_decode_kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tarmac::ops::box_decode_kernels {
namespace {

HWY_EXPORT(scan);

constexpr float kInfinity = std::numeric_limits<float>::infinity();

Limits limits_of(const Settings& settings) {
  const double threshold = settings.score_threshold;
  if (!settings.sigmoid) return {settings.score_threshold, settings.score_threshold};
  // The rounding of score() is far below.
  constexpr double kSlack = 1e-5;
  // The logit below which score() may underflow.
  constexpr double kLowest = -80;
  const auto logit = [](double p) {
    return p <= 0 ? -kInfinity : p >= 1 ? kInfinity : std::log(p / (1 - p));
  };
  return {static_cast<float>(logit(threshold * (1 - kSlack)) - kSlack),
          static_cast<float>(std::max(logit(threshold * (1 + kSlack)) + kSlack, kLowest))};
}

class Cpu final : public Kernel {
 public:
  explicit Cpu(const Settings& settings) : settings_(settings), limits_(limits_of(settings)) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& parallel) const override {
    const Decoder decoder(settings_, inputs);
    const std::int64_t places = decoder.places();
    const float* const values = widened(decoder.scores(), 2);
    for (std::int64_t b = 0; b < decoder.batches(); ++b) {
      const float* const entry = values + b * places;
      decoder.emit(b, entry, select(decoder, entry, places, parallel), outputs);
    }
    return {};
  }

 private:
  /// Places of the best scores, best first, in scratch memory.
  std::span<const std::uint64_t> select(const Decoder& decoder, const float* values, std::int64_t places,
                                        Parallel& parallel) const {
    if (places == 0 || settings_.max_boxes == 0) return {};
    // Of so many scores; a part gives its best, those of all parts are compared again.
    constexpr std::int64_t kPart = 32768;
    const std::int64_t parts = (places + kPart - 1) / kPart;
    const auto most = static_cast<std::size_t>(std::min(settings_.max_boxes, places));
    const std::size_t most_of_part = std::min(most, static_cast<std::size_t>(kPart));
    const std::size_t stride = Best::room(most_of_part);
    // Keys of each part, then how many they are.
    const std::size_t total = static_cast<std::size_t>(parts) * stride;
    auto* const keys = reinterpret_cast<std::uint64_t*>(
        scratch((total + static_cast<std::size_t>(parts)) * sizeof(std::uint64_t)));
    std::uint64_t* const counts = keys + total;
    parallel.for_ranges(parts, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t part = first; part < last; ++part) {
        const auto index = static_cast<std::size_t>(part);
        Best best(keys + index * stride, most_of_part, limits_.low);
        HWY_DYNAMIC_DISPATCH(scan)
        (decoder, settings_.peaks_only, limits_, values, part * kPart, std::min((part + 1) * kPart, places),
         best);
        counts[index] = best.finish();
      }
    });
    std::size_t found = counts[0];
    for (std::size_t part = 1; part < static_cast<std::size_t>(parts); ++part) {
      std::copy_n(keys + part * stride, counts[part], keys + found);
      found += counts[part];
    }
    const std::size_t taken = std::min(found, most);
    std::partial_sort(keys, keys + taken, keys + found);
    for (std::size_t i = 0; i < taken; ++i) keys[i] &= 0xFFFFFFFFU;
    return {keys, taken};
  }

  Settings settings_;
  Limits limits_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes) {
  TARMAC_TRY(const Settings settings, read_settings(attributes));
  return std::unique_ptr<Kernel>(std::make_unique<Cpu>(settings));
}

}  // namespace tarmac::ops::box_decode_kernels
#endif  // HWY_ONCE
