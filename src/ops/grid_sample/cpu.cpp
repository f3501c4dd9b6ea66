// Two ways. Where many positions are sampled, blocks of as many channels as a vector has lanes are laid side
// by side first, so that a neighbour is one load for all of them, and results are turned round in registers;
// the blocks in work at one time fit into the shared cache. Where few are, single elements are gathered from
// the map as it is.
#include "ops/grid_sample/operator.h"
#include "ops/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/grid_sample/cpu.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/floats-inl.h"
#include "ops/grid_sample/taps-inl.h"
#include "ops/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::grid::HWY_NAMESPACE {

/// Channels that are laid side by side.
inline constexpr std::size_t kLanes = hn::MaxLanes(Floats());
/// Memory for the blocks of channels in work at one time, unless one alone takes more.
inline constexpr std::size_t kStagedBytes = 8U << 20;
/// Positions of a map that are laid out by one task.
inline constexpr std::int64_t kStageChunk = 1024;
/// Results of more than this go past the caches, which could not hold them anyway.
inline constexpr std::size_t kStreamedBytes = 16U << 20;

/// Whether gathering single elements costs less than laying channels side by side: the costs of an element
/// that is laid out (1), of one that is gathered (4), and of a position in a staged map, as they were
/// measured.
inline bool gathers(const Geometry& geometry, int taps) {
  const auto map = static_cast<double>(geometry.map_size());
  const auto positions = static_cast<double>(geometry.positions);
  const auto lanes = static_cast<std::int64_t>(kLanes);
  const auto channels = static_cast<double>(geometry.channels);
  const auto vectors = (geometry.channels + lanes - 1) / lanes;
  const auto padded = static_cast<double>(vectors * lanes);
  return map > 0 && channels * positions * 4 * taps < padded * (map + positions * (1 + 0.5 * taps));
}

struct Call {
  const Settings& settings;
  const Geometry geometry;
  const ConstTensorView& x;
  const ConstTensorView& grid;
  const TensorView& y;
  Parallel& parallel;
};

/// The positions [first, first + count) of map n, and harmless ones up to whole vectors.
HWY_NOINLINE void read_coordinates(const Call& call, std::int64_t n, std::int64_t first, std::size_t count,
                                   Coordinates& coordinates) {
  const auto axes = static_cast<std::size_t>(call.geometry.axes);
  const std::int64_t at = (n * call.geometry.positions + first) * call.geometry.axes;
  with_float_type(call.grid.dtype, [&](auto type) HWY_ATTR {
    using Raw = typename decltype(type)::Raw;
    const Floats d;
    const Raw* from = call.grid.as<Raw>() + at;
    alignas(64) float mixed[3 * kBlock];
    const std::size_t numbers = count * axes;
    for (std::size_t i = 0; i < numbers; i += kLanes)
      hn::Store(load_some_floats(d, type, from + i, numbers - i), d, mixed + i);
    for (std::size_t axis = 0; axis < axes; ++axis) {
      for (std::size_t p = 0; p < count; ++p) coordinates.axis[axis][p] = mixed[p * axes + axis];
      for (std::size_t p = count; p % kLanes != 0; ++p) coordinates.axis[axis][p] = 0;
    }
  });
}

/// Lays the channels [first, first + kLanes) of positions [begin, end) of a map side by side; missing ones
/// are 0.
template <class T>
HWY_NOINLINE void stage(const Call& call, T type, std::int64_t n, std::int64_t first, std::int64_t begin,
                        std::int64_t end, float* staged) {
  const std::int64_t map = call.geometry.map_size();
  const auto channels = std::min<std::int64_t>(kLanes, call.geometry.channels - first);
  const auto* from = call.x.as<typename T::Raw>() + (n * call.geometry.channels + first) * map + begin;
  if (channels < static_cast<std::int64_t>(kLanes))
    std::fill(staged + begin * kLanes, staged + end * kLanes, 0.0F);
  transpose(type, from, map, channels, end - begin, Float32(), staged + begin * kLanes, kLanes);
}

/// Elements that a position touches, of kAxisTaps along each axis.
template <int kAxisTaps, int kAxes>
inline constexpr int kTapsOf = kAxisTaps* kAxisTaps*(kAxes == 3 ? kAxisTaps : 1);

/// Up to kLanes channels of `count` positions from a staged map.
template <int kTaps, class T>
HWY_INLINE void sample_staged(T type, const float* staged, const Taps& taps, std::size_t count,
                              std::size_t channels, typename T::Raw* y, std::size_t stride, bool stream) {
  const Floats d;
  for (std::size_t p = 0; p < count; p += kLanes) {
    V values[kLanes];
    HWY_UNROLL(16)
    for (std::size_t i = 0; i < kLanes; ++i) {
      const auto tap = [&](int k) HWY_ATTR {
        return hn::Load(d, staged + static_cast<std::size_t>(taps.offset[k][p + i]) * kLanes);
      };
      V sum = hn::Mul(hn::Set(d, taps.weight[0][p + i]), tap(0));
      for (int k = 1; k < kTaps; ++k) sum = hn::MulAdd(hn::Set(d, taps.weight[k][p + i]), tap(k), sum);
      values[i] = sum;
    }
    transpose_lanes(d, values);
    if constexpr (std::is_same_v<T, Float32>) {
      if (stream && channels == kLanes) {
        HWY_UNROLL(16)
        for (std::size_t c = 0; c < kLanes; ++c) hn::Stream(values[c], d, y + c * stride + p);
        continue;
      }
    }
    for (std::size_t c = 0; c < channels; ++c)
      store_some_floats(d, type, values[c], y + c * stride + p, count - p);
  }
}

HWY_INLINE V gather(Float32 /*type*/, const float* from, VI index) {
  return hn::GatherIndex(Floats(), from, index);
}

template <class T>
HWY_INLINE V gather(T type, const std::uint16_t* from, VI index) {
  alignas(64) std::int32_t indices[kLanes];
  alignas(64) std::uint16_t lanes[kLanes];
  hn::Store(index, Integers(), indices);
  for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = from[indices[i]];
  return load_floats(Floats(), type, lanes);
}

/// One channel of `count` positions from a map as it is.
template <int kTaps, class T>
HWY_INLINE void sample_direct(T type, const typename T::Raw* map, std::int64_t map_size, const Taps& taps,
                              std::size_t count, typename T::Raw* y) {
  const Floats d;
  const Integers di;
  const VI outside = hn::Set(di, static_cast<std::int32_t>(map_size));
  for (std::size_t p = 0; p < count; p += kLanes) {
    V sum = hn::Zero(d);
    for (int k = 0; k < kTaps; ++k) {
      const VI offset = hn::Load(di, taps.offset[k] + p);
      const auto within = hn::Lt(offset, outside);
      const V value = gather(type, map, hn::IfThenElseZero(within, offset));
      sum = hn::MulAdd(hn::Load(d, taps.weight[k] + p), hn::IfThenElseZero(hn::RebindMask(d, within), value),
                       sum);
    }
    store_some_floats(d, type, sum, y + p, count - p);
  }
}

/// Calls `body(n, first position, count, taps, i)` for all maps [n0, n0 + maps), blocks of positions and i <
/// parts, in parallel.
template <int kAxisTaps, int kAxes, class Body>
HWY_INLINE void for_blocks(const Call& call, std::int64_t n0, std::int64_t maps, std::int64_t parts,
                           std::int64_t grain, const Body& body) {
  const std::int64_t positions = call.geometry.positions;
  const std::int64_t blocks = (positions + kBlock - 1) / kBlock;
  call.parallel.for_ranges(maps * blocks * parts, grain, [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
    Taps taps;
    Coordinates coordinates;
    std::int64_t known = -1;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t block = i / parts;
      const std::int64_t n = n0 + block / blocks;
      const std::int64_t first = block % blocks * static_cast<std::int64_t>(kBlock);
      const auto count = static_cast<std::size_t>(std::min<std::int64_t>(kBlock, positions - first));
      if (block != known) {
        read_coordinates(call, n, first, count, coordinates);
        find_taps<kAxisTaps, kAxes>(call.geometry, call.settings, coordinates, count, taps);
        known = block;
      }
      body(n, first, count, taps, i % parts);
    }
    hwy::FlushStream();  // what went past the caches is there before others are told so
  });
}

template <int kAxisTaps, int kAxes, class T>
HWY_INLINE void run_direct(const Call& call, T type) {
  const Geometry& geometry = call.geometry;
  const std::int64_t map = geometry.map_size();
  for_blocks<kAxisTaps, kAxes>(
      call, 0, geometry.batch, geometry.channels, 16,
      [&](std::int64_t n, std::int64_t first, std::size_t count, const Taps& taps, std::int64_t c) HWY_ATTR {
        using Raw = typename T::Raw;
        const std::int64_t plane = n * geometry.channels + c;
        sample_direct<kTapsOf<kAxisTaps, kAxes>>(type, call.x.as<Raw>() + plane * map, map, taps, count,
                                                 call.y.as<Raw>() + plane * geometry.positions + first);
      });
}

template <int kAxisTaps, int kAxes, class T>
HWY_INLINE void run_staged(const Call& call, T type) {
  using Raw = typename T::Raw;
  const Geometry& geometry = call.geometry;
  const std::int64_t map = geometry.map_size();
  const auto lanes = static_cast<std::int64_t>(kLanes);
  const std::int64_t blocks = (geometry.channels + lanes - 1) / lanes;  // of channels, in a map
  const std::size_t block_floats = static_cast<std::size_t>(map + 1) * kLanes;
  const auto at_once =
      std::max<std::int64_t>(1, static_cast<std::int64_t>(kStagedBytes / (block_floats * sizeof(float))));
  const std::int64_t maps_at_once = std::clamp<std::int64_t>(at_once / blocks, 1, geometry.batch);
  const std::int64_t groups = (blocks + at_once - 1) / at_once;
  const std::int64_t blocks_at_once = (blocks + groups - 1) / groups;
  auto* staged = reinterpret_cast<float*>(
      scratch(static_cast<std::size_t>(maps_at_once * blocks_at_once) * block_floats * sizeof(float)));
  const std::int64_t chunks = map / kStageChunk + 1;
  const bool aligned =
      reinterpret_cast<std::uintptr_t>(call.y.data) % 64 == 0 && geometry.positions % lanes == 0;
  const bool stream = aligned && static_cast<std::size_t>(call.y.count()) * sizeof(Raw) > kStreamedBytes;
  for (std::int64_t n0 = 0; n0 < geometry.batch; n0 += maps_at_once) {
    const std::int64_t maps = std::min(maps_at_once, geometry.batch - n0);
    for (std::int64_t b0 = 0; b0 < blocks; b0 += blocks_at_once) {
      const std::int64_t parts = std::min(blocks_at_once, blocks - b0);
      call.parallel.for_ranges(maps * parts * chunks, 4, [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t block = i / chunks;
          const std::int64_t from = i % chunks * kStageChunk;
          float* to = staged + static_cast<std::size_t>(block) * block_floats;
          stage(call, type, n0 + block / parts, (b0 + block % parts) * lanes, from,
                std::min(map, from + kStageChunk), to);
          if (i % chunks + 1 == chunks) std::fill_n(to + map * lanes, kLanes, 0.0F);
        }
      });
      for_blocks<kAxisTaps, kAxes>(
          call, n0, maps, parts, 4,
          [&](std::int64_t n, std::int64_t first, std::size_t count, const Taps& taps, std::int64_t part)
              HWY_ATTR {
                const std::int64_t c = (b0 + part) * lanes;
                const std::int64_t plane = n * geometry.channels + c;
                sample_staged<kTapsOf<kAxisTaps, kAxes>>(
                    type, staged + static_cast<std::size_t>((n - n0) * parts + part) * block_floats, taps,
                    count, std::min(lanes, geometry.channels - c),
                    call.y.as<Raw>() + plane * geometry.positions + first, geometry.positions, stream);
              });
    }
  }
}

template <int kAxisTaps, int kAxes>
HWY_INLINE void run_taps(const Call& call) {
  with_float_type(call.x.dtype, [&](auto type) HWY_ATTR {
    if (gathers(call.geometry, kTapsOf<kAxisTaps, kAxes>)) {
      run_direct<kAxisTaps, kAxes>(call, type);
    } else {
      run_staged<kAxisTaps, kAxes>(call, type);
    }
  });
}

void run(const Settings& settings, const ConstTensorView& x, const ConstTensorView& grid, const TensorView& y,
         Parallel& parallel) {
  const Call call = {settings, geometry_of(x, grid), x, grid, y, parallel};
  if (y.count() == 0) return;
  const bool flat = call.geometry.axes == 2;
  switch (settings.mode) {
    case Mode::kNearest:
      return flat ? run_taps<1, 2>(call) : run_taps<1, 3>(call);
    case Mode::kLinear:
      return flat ? run_taps<2, 2>(call) : run_taps<2, 3>(call);
    case Mode::kCubic:
      return run_taps<4, 2>(call);
  }
}

}  // namespace tarmac::ops::grid::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tarmac::ops::grid {
namespace {

HWY_EXPORT(run);

class Cpu final : public Kernel {
 public:
  explicit Cpu(Settings settings) : settings_(settings) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& parallel) const override {
    HWY_DYNAMIC_DISPATCH(run)(settings_, inputs[0], inputs[1], outputs[0], parallel);
    return {};
  }

 private:
  Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes) {
  TARMAC_TRY(const auto settings, read_settings(attributes));
  return std::unique_ptr<Kernel>(std::make_unique<Cpu>(settings));
}

}  // namespace tarmac::ops::grid
#endif
