// Beside the form that exporters write: grid_sample for each level, as mmcv's
// multi_scale_deformable_attn_pytorch.
#include <fmt/format.h>

#include <cmath>
#include <numeric>
#include <random>

#include "graph/model_io.h"
#include "ops/python_peer.h"
#include "ops/registry.h"
#include "ops/sides.h"
#include "tensor/codec.h"

namespace tarmac::bench {
namespace {

using Levels = std::vector<std::pair<std::int64_t, std::int64_t>>;

constexpr std::int64_t kHeads = 8;
constexpr std::int64_t kDepth = 32;
constexpr std::int64_t kPoints = 8;
constexpr double kVisible = 0.2;

struct Size {
  const char* name;
  const char* what;
  std::int64_t batch;
  std::int64_t queries;
  Levels levels;

  [[nodiscard]] std::int64_t cells() const {
    return std::accumulate(
        levels.begin(), levels.end(), std::int64_t{0},
        [](std::int64_t sum, const auto& level) { return sum + level.first * level.second; });
  }
  [[nodiscard]] std::int64_t level_count() const { return static_cast<std::int64_t>(levels.size()); }
};

const Size kTiny = {
    "tiny", "BEVFormer-tiny, 6 cameras, 2,500 queries, 1 level of 15×25", 6, 2500, {{15, 25}}};
const Size kBase = {"base",
                    "BEVFormer-base, 1 camera, 40,000 queries, 4 levels from 116×200 to 15×25",
                    1,
                    40000,
                    {{116, 200}, {58, 100}, {29, 50}, {15, 25}}};

enum Input : std::uint8_t {
  kValue,
  kShapes,
  kStarts,
  kSampling,
  kWeights,
  kReference,
  kScale,
  kMask,
  kInputs
};

/// The operator's inputs: locations anywhere in the maps, which is hard on caches.
std::vector<Tensor> inputs_of(const Size& size) {
  std::vector<Tensor> inputs(kInputs);
  std::vector<std::int64_t> shapes;
  for (const auto& [height, width] : size.levels) shapes.insert(shapes.end(), {height, width});
  const auto points = static_cast<float>(size.level_count() * kPoints);
  inputs[kValue] = random_floats({size.batch, size.cells(), kHeads, kDepth}, -1, 1, 1);
  inputs[kShapes] = Tensor::from({size.level_count(), 2}, shapes);
  inputs[kSampling] =
      random_floats({size.batch, size.queries, kHeads, size.level_count(), kPoints, 2}, 0, 1, 2);
  inputs[kWeights] =
      random_floats({size.batch, size.queries, kHeads, size.level_count(), kPoints}, 0, 2 / points, 3);
  return inputs;
}

/// Each camera sees one stretch of the queries.
Tensor mask_of(const Size& size) {
  Tensor mask = value_of(Tensor::allocate(DType::kBool, {size.batch, size.queries}));
  const auto cells = mask.mutable_data<bool>();
  const auto seen = static_cast<std::int64_t>(kVisible * static_cast<double>(size.queries));
  for (std::int64_t b = 0; b < size.batch; ++b) {
    for (std::int64_t q = 0; q < size.queries; ++q) {
      const std::int64_t place = (q + size.queries - b * size.queries / size.batch) % size.queries;
      cells[static_cast<std::size_t>(b * size.queries + q)] = place < seen;
    }
  }
  return mask;
}

/// The decomposed form as ONNX text.
std::string decomposed_text(const Size& size) {
  const std::int64_t maps = size.batch * kHeads;
  const std::int64_t levels = size.level_count();
  std::string splits;
  std::string parts;
  std::string nodes;
  std::string stacked;
  for (std::size_t l = 0; l < size.levels.size(); ++l) {
    const auto [height, width] = size.levels[l];
    splits += fmt::format("{}{}", l == 0 ? "" : ", ", height * width);
    parts += fmt::format("{}value_{}", l == 0 ? "" : ", ", l);
    stacked += fmt::format("{}sampled_{}", l == 0 ? "" : ", ", l);
    nodes += fmt::format(R"(
      flat_shape_{0} = Constant<value_ints = [{1}, {2}, {3}]>()
      flat_{0} = Reshape(value_{0}, flat_shape_{0})
      turned_{0} = Transpose<perm = [0, 2, 1]>(flat_{0})
      map_shape_{0} = Constant<value_ints = [{4}, {5}, {6}, {7}]>()
      map_{0} = Reshape(turned_{0}, map_shape_{0})
      index_{0} = Constant<value_int = {0}>()
      locations_{0} = Gather<axis = 3>(grids, index_{0})
      by_head_{0} = Transpose<perm = [0, 2, 1, 3, 4]>(locations_{0})
      grid_shape_{0} = Constant<value_ints = [{4}, {8}, {9}, 2]>()
      grid_{0} = Reshape(by_head_{0}, grid_shape_{0})
      found_{0} = GridSample<mode = "bilinear", padding_mode = "zeros", align_corners = 0>(map_{0}, grid_{0})
      stack_axis_{0} = Constant<value_ints = [3]>()
      sampled_{0} = Unsqueeze(found_{0}, stack_axis_{0}))",
                         l, size.batch, height * width, kHeads * kDepth, maps, kDepth, height, width,
                         size.queries, kPoints);
  }
  return fmt::format(R"(<ir_version: 8, opset_import: ["" : 17]>
    decomposed (float[{0},{1},{2},{3}] value, float[{0},{4},{2},{5},{6},2] sampling,
                float[{0},{4},{2},{5},{6}] attention_weights) => (float[{0},{4},{7}] y) {{
      two = Constant<value_float = 2.0>()
      one = Constant<value_float = 1.0>()
      doubled = Mul(sampling, two)
      grids = Sub(doubled, one)
      splits = Constant<value_ints = [{8}]>()
      {9} = Split<axis = 1>(value, splits){10}
      stacked = Concat<axis = 3>({11})
      all_shape = Constant<value_ints = [{12}, {3}, {4}, {13}]>()
      all = Reshape(stacked, all_shape)
      weights_by_head = Transpose<perm = [0, 2, 1, 3, 4]>(attention_weights)
      weights_shape = Constant<value_ints = [{12}, 1, {4}, {13}]>()
      weights = Reshape(weights_by_head, weights_shape)
      weighted = Mul(all, weights)
      last = Constant<value_ints = [-1]>()
      summed = ReduceSum<keepdims = 0>(weighted, last)
      joined_shape = Constant<value_ints = [{0}, {7}, {4}]>()
      joined = Reshape(summed, joined_shape)
      y = Transpose<perm = [0, 2, 1]>(joined)
    }})",
                     size.batch, size.cells(), kHeads, kDepth, size.queries, levels, kPoints, kHeads * kDepth,
                     splits, parts, nodes, stacked, maps, levels * kPoints);
}

const ops::Operator& op() { return *ops::find_operator(ops::kDomain, "MultiScaleDeformableAttention"); }

Work work_of(const Size& size, double visible, double value_bytes) {
  const double heads = visible * static_cast<double>(size.batch * size.queries * kHeads);
  const double samples = heads * static_cast<double>(size.level_count() * kPoints);
  const double lines = std::max(1.0, kDepth * value_bytes / 64);
  return {.bytes = static_cast<double>(size.batch * size.cells() * kHeads * kDepth) * value_bytes +
                   samples * 12 + 4 * static_cast<double>(size.batch * size.queries * kHeads * kDepth),
          .flops = samples * kDepth * 8,
          .gathers = samples * 4 * lines};
}

void add_peers(const Size& size, const std::vector<Tensor>& inputs, std::vector<Side>& sides) {
  const Model model = value_of(model_from_text(decomposed_text(size)));
  const std::map<std::string, Tensor> named = {
      {"value", inputs[kValue]}, {"sampling", inputs[kSampling]}, {"attention_weights", inputs[kWeights]}};
  sides.push_back(compiled("openvino decomposed", model, "openvino", named));
  sides.push_back(compiled("onnxruntime decomposed", model, "onnxruntime", named));
  if (auto torch = torch_peer(fmt::format("multi_scale_deformable_attention/{}", size.name)))
    sides.push_back(*std::move(torch));
}

Case begin_case(const Size& size, const std::string& name, const std::string& what, double ratio,
                double visible, double value_bytes) {
  return {fmt::format("multi_scale_deformable_attention/{}{}", size.name, name),
          fmt::format("{}; 8 heads of 32 channels, 8 points; {}", size.what, what),
          work_of(size, visible, value_bytes),
          ratio,
          {}};
}

Case bare(const Size& size) {
  const auto inputs = inputs_of(size);
  Case result = begin_case(size, "", "float32, the kernel by itself", 7, 1, 4);
  result.sides.push_back(bare_kernel(op(), {}, inputs));
  add_peers(size, inputs, result.sides);
  return result;
}

Case in_model(const Size& size, const std::string& target) {
  const auto inputs = inputs_of(size);
  Case result = begin_case(size, "_in_" + target, "float32, inside a model compiled by " + target, 6, 1, 4);
  result.sides.push_back(compiled("tarmac in " + target, single_node_model(op(), {}, inputs), target,
                                  named_inputs(op(), inputs)));
  add_peers(size, inputs, result.sides);
  return result;
}

Case some_visible(const Size& size) {
  auto inputs = inputs_of(size);
  inputs[kMask] = mask_of(size);
  Case result =
      begin_case(size, "_20_percent",
                 "float32, a mask lets 20 % of the queries through; the peers compute all", 14, kVisible, 4);
  result.sides.push_back(bare_kernel(op(), {}, inputs));
  add_peers(size, inputs, result.sides);
  return result;
}

/// Values stored in fewer bytes, beside float32.
Case stored_as(const Size& size, DType dtype) {
  auto inputs = inputs_of(size);
  const Side float32 = bare_kernel(op(), {}, inputs);
  auto values = value_of(to_doubles(inputs[kValue]));
  if (dtype == DType::kInt8) {
    for (double& value : values) value = std::nearbyint(value * 127);
    inputs[kScale] = Tensor::from({}, std::vector<float>{1.0F / 127});
  }
  inputs[kValue] = value_of(from_doubles(dtype, inputs[kValue].shape(), values));
  const std::string name = to_string(dtype);
  Case result = begin_case(size, "_" + name, "values stored as " + name, 0, 1, bit_width(dtype) / 8.0);
  result.sides = {bare_kernel(op(), {}, inputs), float32};
  result.sides.back().name = "tarmac float32";
  return result;
}

}  // namespace

std::vector<CaseMaker> multi_scale_deformable_attention_cases() {
  std::vector<CaseMaker> cases;
  const auto add = [&](const Size& size, const std::string& name, std::function<Case()> make) {
    cases.push_back({fmt::format("multi_scale_deformable_attention/{}{}", size.name, name), std::move(make)});
  };
  for (const Size* size : {&kTiny, &kBase}) {
    add(*size, "", [size] { return bare(*size); });
    for (const std::string target : {"openvino", "onnxruntime"})
      add(*size, "_in_" + target, [size, target] { return in_model(*size, target); });
    add(*size, "_20_percent", [size] { return some_visible(*size); });
    for (const DType dtype : {DType::kBFloat16, DType::kInt8})
      add(*size, std::string("_") + to_string(dtype), [size, dtype] { return stored_as(*size, dtype); });
  }
  return cases;
}

}  // namespace tarmac::bench
