// A model beyond protobuf's 2 GiB, its weights in a file beside it, through the whole optimiser.
#include <cstring>

#include "base/file.h"
#include "graph/model_io.h"
#include "passes/pass_manager.h"
#include "support/graph_checks.h"
#include "support/temporary_folder.h"

namespace tarmac::test {
namespace {

constexpr std::int64_t kWidth = 16384;
constexpr int kLayers = 3;  // of 1 GiB each

/// y = (x·W0ᵀᵀ·W1ᵀᵀ·W2ᵀᵀ) with identities between; the weights are holes in a sparse file but for their first
/// numbers.
Model layers(const std::shared_ptr<const MappedFile>& weights) {
  Model result = model(
      "<ir_version: 8, opset_import: [\"\" : 17]> g (float[1,16384] x) => (float[1,16384] y) { y = Neg (x) "
      "}");
  Graph& graph = *result.graph;
  Node& last = *graph.nodes().front();
  Value* value = graph.inputs()[0];
  for (int i = 0; i < kLayers; ++i) {
    const std::size_t bytes = sizeof(float) * kWidth * kWidth;
    const auto part = weights->bytes().subspan(static_cast<std::size_t>(i) * bytes, bytes);
    Value& weight = graph.add_initializer(
        "w" + std::to_string(i), expect_ok(Tensor::view(DType::kFloat32, {kWidth, kWidth}, part, weights)));
    Value& same = graph.add_op("Identity", {&weight}, "same", &last);
    value = &graph.add_op("MatMul", {value, &same}, "product", &last);
    value = &graph.add_op("Identity", {value}, "passed", &last);
  }
  last.set_input(0, value);
  return result;
}

TEST(LargeModel, AboveTwoGigabytesIsOptimised) {
  const TemporaryFolder folder;
  constexpr std::uint64_t kBytes = sizeof(float) * kWidth * kWidth * kLayers;
  ASSERT_GT(kBytes, std::uint64_t{2} << 30U);
  std::string start(sizeof(float) * 4, '\1');
  std::filesystem::resize_file(folder.write("weights", start), kBytes);
  const auto weights = expect_ok(MappedFile::open(folder / "weights"));
  expect_ok(save_model(layers(weights), folder / "large.onnx"));

  Model loaded = expect_ok(load_model(folder / "large.onnx"));
  const OptimizeReport report = expect_ok(optimize(loaded, {}));
  EXPECT_EQ(report.nodes_before, 10U);
  EXPECT_EQ(report.nodes_after, 4U);
  expect_ok(save_model(loaded, folder / "optimized.onnx"));

  const Model optimized = expect_ok(load_model(folder / "optimized.onnx"));
  EXPECT_EQ(structural_difference(loaded, optimized), "");
  std::vector<const Tensor*> found;
  for (const auto& node : optimized.graph->nodes()) {
    if (node->is("MatMul")) found.push_back(constant_of(node->input(1)));
  }
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(std::memcmp(found[0]->bytes().data(), start.data(), start.size()), 0);
}

}  // namespace
}  // namespace tarmac::test
