// The map is laid out with channels innermost, so that a corner of a position is a few vectors for all
// channels, and the weights in the order in which the product reads them. Then, tile by tile of output
// positions and part by part of the sum: values are sampled into a small matrix, which is multiplied with
// that part of the weights while it is in the cache.
#include "ops/deform_conv2d/operator.h"
#include "ops/deform_conv2d/plan.h"
#include "ops/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/deform_conv2d/cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/floats-inl.h"
#include "ops/matrix-inl.h"
#include "ops/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::deform::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using namespace ops::HWY_NAMESPACE;  // NOLINT(google-build-using-namespace): loads, stores, products of this
                                     // target

using Floats = hn::ScalableTag<float>;
using Integers = hn::RebindToSigned<Floats>;
using V = hn::Vec<Floats>;
using VI = hn::Vec<Integers>;

inline constexpr std::size_t kLanes = hn::MaxLanes(Floats());
/// Positions of a tile, filled up to whole rows of the product and whole vectors.
inline constexpr std::size_t kMostRows = (kTile + kMatrixRows + kLanes) / kLanes * kLanes;
/// Elements of the map that one task lays out at least.
inline constexpr std::int64_t kStageChunk = 256;

/// A call's sizes, its inputs, and the memory that all of its tasks share.
struct Call {
  const Settings& settings;
  const Geometry geometry;
  const Plan plan;
  std::span<const ConstTensorView> inputs;
  const TensorView& y;
  float* weights;
  float* bias;
  float* map;

  [[nodiscard]] bool has(std::size_t input) const { return inputs.size() > input && inputs[input].present(); }
};

/// Four elements of the map for each position of a tile, their weights, and the mask.
struct Corners {
  alignas(64) std::int32_t element[4][kMostRows];
  alignas(64) float weight[4][kMostRows];
  alignas(64) float mask[kMostRows];
};

/// A tile: its map, its positions, and where their rows and columns begin, in elements of the map. What is
/// beyond the last position lies outside.
struct Tile {
  std::int64_t n = 0;
  std::int64_t first = 0;
  std::size_t count = 0;
  std::size_t rows = 0;  ///< whole micro-kernels
  alignas(64) float y[kMostRows];
  alignas(64) float x[kMostRows];
};

/// W [O, C / group, kH, kW] as multiply() wants it: for each group and part of the depth, panels with rows
/// (tap, channel). Vectors [begin, end) of the output channels of all groups.
template <class T>
HWY_INLINE void pack_weights(const Call& call, T type, std::int64_t begin, std::int64_t end) {
  const Geometry& g = call.geometry;
  const Plan& plan = call.plan;
  const auto taps = static_cast<std::size_t>(g.taps());
  const auto channels = static_cast<std::size_t>(g.group_channels);
  const Floats d;
  for (std::int64_t i = begin; i < end; ++i) {
    const auto vectors = static_cast<std::int64_t>(plan.vectors);
    const std::int64_t group = i / vectors;
    const auto vector = static_cast<std::size_t>(i % vectors);
    const std::int64_t first = static_cast<std::int64_t>(vector * kLanes);
    const auto rows = static_cast<std::size_t>(std::min<std::int64_t>(kLanes, g.group_out_channels - first));
    const auto* from = call.inputs[kW].as<typename T::Raw>() +
                       (group * g.group_out_channels + first) * static_cast<std::int64_t>(plan.depth);
    float* to = call.weights + static_cast<std::size_t>(group) * plan.depth * plan.c_stride;
    const std::size_t panel = vector / kMatrixVectors * kMatrixVectors;
    const std::size_t width = panel_vectors(panel, plan.vectors) * kLanes;
    for (std::size_t r = 0; r < plan.depth; r += kLanes) {  // r = (channel, tap)
      V values[kLanes];
      const std::size_t some = std::min(kLanes, plan.depth - r);
      for (std::size_t o = 0; o < kLanes; ++o)
        values[o] = o < rows ? load_some_floats(d, type, from + o * plan.depth + r, some) : hn::Zero(d);
      transpose_lanes(d, values);
      for (std::size_t k = 0; k < some; ++k) {
        const std::size_t row = (r + k) % taps * channels + (r + k) / taps;
        const std::size_t start = row / plan.part_rows * plan.part_rows;
        const std::size_t size = std::min(plan.part_rows, plan.depth - start);
        hn::Store(values[k], d,
                  to + start * plan.c_stride + panel * kLanes * size + (row - start) * width +
                      (vector - panel) * kLanes);
      }
    }
  }
}

template <class T>
HWY_INLINE void spread_bias(const Call& call, T type) {
  const Geometry& g = call.geometry;
  const auto* from = call.inputs[kBias].as<typename T::Raw>();
  const Floats d;
  const auto outputs = static_cast<std::size_t>(g.group_out_channels);
  for (std::int64_t group = 0; group < call.settings.groups; ++group) {
    for (std::size_t o = 0; o < outputs; o += kLanes) {
      hn::Store(load_some_floats(d, type, from + static_cast<std::size_t>(group) * outputs + o, outputs - o),
                d, call.bias + static_cast<std::size_t>(group) * call.plan.c_stride + o);
    }
  }
}

/// Map n, elements [begin, end), channels innermost.
template <class T>
HWY_INLINE void stage(const Call& call, T type, std::int64_t n, std::int64_t begin, std::int64_t end) {
  const std::int64_t map = call.geometry.map_size();
  const std::size_t stride = call.plan.map_stride;
  const auto* from = call.inputs[kX].as<typename T::Raw>() + n * call.geometry.channels * map + begin;
  transpose(type, from, map, call.geometry.channels, end - begin, Float32(), call.map + begin * stride,
            stride);
}

HWY_INLINE void begin_tile(const Call& call, std::int64_t n, std::int64_t index, Tile& tile) {
  const Geometry& g = call.geometry;
  tile.n = n;
  tile.first = index * static_cast<std::int64_t>(call.plan.tile);
  tile.count = static_cast<std::size_t>(
      std::min<std::int64_t>(static_cast<std::int64_t>(call.plan.tile), g.positions() - tile.first));
  tile.rows = (tile.count + kMatrixRows - 1) / kMatrixRows * kMatrixRows;
  std::fill_n(tile.y, kMostRows, -kFarthest);
  std::fill_n(tile.x, kMostRows, -kFarthest);
  std::int64_t i = tile.first / g.out_width;
  std::int64_t j = tile.first % g.out_width;
  for (std::size_t p = 0; p < tile.count; ++p) {
    tile.y[p] = static_cast<float>(i * call.settings.stride_y - call.settings.pad_top);
    tile.x[p] = static_cast<float>(j * call.settings.stride_x - call.settings.pad_left);
    if (++j < g.out_width) continue;
    j = 0;
    ++i;
  }
}

/// A coordinate's neighbours along an axis: index of the first one, which of them are inside, weight of the
/// second one.
struct Neighbours {
  VI first;
  hn::Mask<Integers> first_inside;
  hn::Mask<Integers> second_inside;
  V rest;
};

HWY_INLINE Neighbours neighbours(V coordinate, std::int64_t elements) {
  const Floats d;
  const Integers di;
  const V lowest = hn::Set(d, -kFarthest);
  const V number = hn::IfThenElse(hn::Eq(coordinate, coordinate), coordinate, lowest);
  const V x = hn::Min(hn::Max(number, lowest), hn::Set(d, kFarthest));
  const V first = hn::Floor(x);
  const VI i = hn::ConvertTo(di, first);
  const VI size = hn::Set(di, static_cast<std::int32_t>(elements));
  const VI next = hn::Add(i, hn::Set(di, 1));
  return {i, hn::AndNot(hn::Lt(i, hn::Zero(di)), hn::Lt(i, size)),
          hn::AndNot(hn::Lt(next, hn::Zero(di)), hn::Lt(next, size)), hn::Sub(x, first)};
}

/// `count` numbers of an input, and 0 up to whole vectors.
HWY_INLINE void read_floats(const ConstTensorView& tensor, std::int64_t at, std::size_t count, float* to) {
  with_float_type(tensor.dtype, [&](auto type) HWY_ATTR {
    const auto* from = tensor.as<typename decltype(type)::Raw>() + at;
    for (std::size_t p = 0; p < count; p += kLanes)
      hn::Store(load_some_floats(Floats(), type, from + p, count - p), Floats(), to + p);
  });
}

/// What tap t of an offset group sees from each position.
HWY_INLINE void find_corners(const Call& call, const Tile& tile, std::int64_t offset_group, std::int64_t t,
                             Corners& corners) {
  const Geometry& g = call.geometry;
  const Floats d;
  const Integers di;
  const std::int64_t map = (tile.n * call.settings.offset_groups + offset_group) * g.taps() + t;
  alignas(64) float dy[kMostRows] = {};
  alignas(64) float dx[kMostRows] = {};
  read_floats(call.inputs[kOffset], 2 * map * g.positions() + tile.first, tile.count, dy);
  read_floats(call.inputs[kOffset], (2 * map + 1) * g.positions() + tile.first, tile.count, dx);
  std::fill_n(corners.mask, kMostRows, 1.0F);
  if (call.has(kMask))
    read_floats(call.inputs[kMask], map * g.positions() + tile.first, tile.count, corners.mask);
  const std::int64_t tap_row = t / g.kernel_width;
  const std::int64_t tap_column = t % g.kernel_width;
  const V tap_y = hn::Set(d, static_cast<float>(tap_row * call.settings.dilation_y));
  const V tap_x = hn::Set(d, static_cast<float>(tap_column * call.settings.dilation_x));
  const VI width = hn::Set(di, static_cast<std::int32_t>(g.width));
  const VI outside = hn::Set(di, static_cast<std::int32_t>(g.map_size()));
  const V one = hn::Set(d, 1);
  for (std::size_t p = 0; p < tile.rows; p += kLanes) {
    const V y = hn::Add(hn::Add(hn::Load(d, tile.y + p), tap_y), hn::Load(d, dy + p));
    const V x = hn::Add(hn::Add(hn::Load(d, tile.x + p), tap_x), hn::Load(d, dx + p));
    const Neighbours rows = neighbours(y, g.height);
    const Neighbours columns = neighbours(x, g.width);
    const VI corner = hn::Add(hn::Mul(rows.first, width), columns.first);
    const V weight_y[2] = {hn::Sub(one, rows.rest), rows.rest};
    const V weight_x[2] = {hn::Sub(one, columns.rest), columns.rest};
    for (int k = 0; k < 4; ++k) {
      const auto inside = hn::And(k / 2 == 0 ? rows.first_inside : rows.second_inside,
                                  k % 2 == 0 ? columns.first_inside : columns.second_inside);
      const VI element = hn::Add(corner, hn::Set(di, static_cast<std::int32_t>(k / 2 * g.width + k % 2)));
      hn::Store(hn::IfThenElse(inside, element, outside), di, corners.element[k] + p);
      hn::Store(hn::Mul(weight_y[k / 2], weight_x[k % 2]), d, corners.weight[k] + p);
    }
  }
}

/// Values of channels [begin, end) at each position of a tile, into columns that begin at `to`. Writes whole
/// vectors.
HWY_INLINE void sample(const Call& call, const Tile& tile, const Corners& corners, std::int64_t begin,
                       std::int64_t end, float* to) {
  const Floats d;
  const std::size_t stride = call.plan.map_stride;
  const auto channels = static_cast<std::size_t>(end - begin);
  for (std::size_t p = 0; p < tile.rows; ++p) {
    const float* corner[4];
    V weight[4];
    for (int k = 0; k < 4; ++k) {
      corner[k] = call.map + static_cast<std::size_t>(corners.element[k][p]) * stride + begin;
      weight[k] = hn::Set(d, corners.weight[k][p]);
    }
    const V mask = hn::Set(d, corners.mask[p]);
    float* row = to + p * call.plan.a_stride;
    for (std::size_t c = 0; c < channels; c += kLanes) {
      V value = hn::Mul(weight[0], hn::LoadU(d, corner[0] + c));
      value = hn::MulAdd(weight[1], hn::LoadU(d, corner[1] + c), value);
      value = hn::MulAdd(weight[2], hn::LoadU(d, corner[2] + c), value);
      value = hn::MulAdd(weight[3], hn::LoadU(d, corner[3] + c), value);
      hn::StoreU(hn::Mul(mask, value), d, row + c);
    }
  }
}

/// Rows [begin, end) of a group's sum for each position: the matrix A of one product.
HWY_INLINE void sample_part(const Call& call, const Tile& tile, std::int64_t group, std::int64_t begin,
                            std::int64_t end, Corners& corners, float* a) {
  const Geometry& g = call.geometry;
  for (std::int64_t row = begin; row < end;) {
    const std::int64_t t = row / g.group_channels;
    const std::int64_t c = group * g.group_channels + row % g.group_channels;
    const std::int64_t offset_group = c / g.offset_group_channels;
    // Up to the end of the part, of the tap, or of the channels with the same offsets.
    const std::int64_t some = std::min(
        {end - row, (group + 1) * g.group_channels - c, (offset_group + 1) * g.offset_group_channels - c});
    find_corners(call, tile, offset_group, t, corners);
    sample(call, tile, corners, c, c + some, a + (row - begin));
    row += some;
  }
}

HWY_INLINE void run_tile(const Call& call, const Tile& tile, Corners& corners) {
  const Geometry& g = call.geometry;
  const Plan& plan = call.plan;
  const std::size_t rows = plan.tile + kMatrixRows;
  auto* a = reinterpret_cast<float*>(scratch(rows * (plan.a_stride + plan.c_stride) * sizeof(float), 1));
  float* c = a + rows * plan.a_stride;
  for (std::int64_t group = 0; group < call.settings.groups; ++group) {
    for (std::size_t p = 0; p < tile.rows; ++p)
      std::copy_n(call.bias + static_cast<std::size_t>(group) * plan.c_stride, plan.c_stride,
                  c + p * plan.c_stride);
    for (std::size_t begin = 0; begin < plan.depth; begin += plan.part_rows) {
      const std::size_t end = std::min(plan.depth, begin + plan.part_rows);
      sample_part(call, tile, group, static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end),
                  corners, a);
      const float* weights =
          call.weights + (static_cast<std::size_t>(group) * plan.depth + begin) * plan.c_stride;
      multiply(a, plan.a_stride, tile.rows, weights, end - begin, c, plan.c_stride, plan.vectors);
    }
    const std::int64_t o = tile.n * g.out_channels + group * g.group_out_channels;
    with_float_type(call.y.dtype, [&](auto type) HWY_ATTR {
      auto* y = call.y.as<typename decltype(type)::Raw>() + o * g.positions() + tile.first;
      transpose(Float32(), c, plan.c_stride, tile.count, g.group_out_channels, type, y, g.positions());
    });
  }
}

void run(const Settings& settings, std::span<const ConstTensorView> inputs, const TensorView& y,
         Parallel& parallel) {
  if (y.count() == 0) return;
  const Geometry geometry = geometry_of(settings, inputs[kX], inputs[kW], y);
  const Plan plan(geometry, settings, kLanes, kMatrixRows, parallel.workers());
  auto* memory =
      reinterpret_cast<float*>(scratch((plan.weights_size + plan.bias_size + plan.map_size) * sizeof(float)));
  const Call call = {settings,
                     geometry,
                     plan,
                     inputs,
                     y,
                     memory,
                     memory + plan.weights_size,
                     memory + plan.weights_size + plan.bias_size};
  std::fill_n(call.bias, plan.bias_size, 0.0F);
  if (call.has(kBias))
    with_float_type(inputs[kBias].dtype, [&](auto type) HWY_ATTR { spread_bias(call, type); });
  const std::int64_t all_vectors = settings.groups * static_cast<std::int64_t>(plan.vectors);
  parallel.for_ranges(all_vectors, 1, [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
    with_float_type(inputs[kW].dtype, [&](auto type) HWY_ATTR { pack_weights(call, type, begin, end); });
  });
  const std::int64_t map = geometry.map_size();
  std::fill(call.map + map * geometry.channels, call.map + plan.map_size, 0.0F);  // what is outside
  for (std::int64_t n = 0; n < geometry.batch; ++n) {
    parallel.for_ranges((map + kStageChunk - 1) / kStageChunk, 1,
                        [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
                          with_float_type(inputs[kX].dtype, [&](auto type) HWY_ATTR {
                            stage(call, type, n, begin * kStageChunk, std::min(map, end * kStageChunk));
                          });
                        });
    parallel.for_ranges(static_cast<std::int64_t>(plan.tiles), 1,
                        [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
                          Tile tile;
                          Corners corners;
                          for (std::int64_t i = begin; i < end; ++i) {
                            begin_tile(call, n, i, tile);
                            run_tile(call, tile, corners);
                          }
                        });
  }
}

}  // namespace tarmac::ops::deform::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tarmac::ops::deform {
namespace {

HWY_EXPORT(run);

class Cpu final : public Kernel {
 public:
  explicit Cpu(Settings settings) : settings_(std::move(settings)) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& parallel) const override {
    HWY_DYNAMIC_DISPATCH(run)(settings_, inputs, outputs[0], parallel);
    return {};
  }

 private:
  Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes) {
  TARMAC_TRY(auto settings, read_settings(attributes));
  return std::unique_ptr<Kernel>(std::make_unique<Cpu>(std::move(settings)));
}

}  // namespace tarmac::ops::deform
#endif
