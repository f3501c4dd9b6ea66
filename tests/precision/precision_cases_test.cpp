// Every generated onnx case with float32 in it, to 16 bits and back: the results are strongly typed ONNX that
// onnx's own strict inference accepts, and agree with the source when every node is rounded.
#include <onnx/shape_inference/implementation.h>

#include <filesystem>
#include <iostream>

#include "graph/model_io.h"
#include "graph/proto.h"
#include "passes/infer_shapes.h"
#include "precision/precision_harness.h"
#include "precision/strong_types.h"
#include "support/cases.h"
#include "tensor/io.h"

namespace tarmac::test {
namespace {

namespace fs = std::filesystem;

/// Empty when onnx's inference finds no fault with types checked in every node; else what it says.
std::string strict_fault(const Model& model) {
  Skeleton skeleton = to_skeleton(model, std::size_t{1} << 40U);
  onnx::ShapeInferenceOptions options;
  options.check_type = true;
  options.error_mode = 1;
  options.enable_data_propagation = true;
  try {
    onnx::shape_inference::InferShapes(skeleton.proto, onnx::OpSchemaRegistry::Instance(), options);
  } catch (const std::exception& failure) {
    return failure.what();
  }
  return {};
}

/// The inputs of the first data set; nullopt where one is no tensor.
std::optional<std::map<std::string, Tensor>> inputs_of(const fs::path& folder, const Model& model) {
  std::map<std::string, Tensor> inputs;
  std::size_t i = 0;
  for (const Value* input : model.graph->inputs()) {
    if (input->initializer() != nullptr) continue;
    const fs::path file = folder / "test_data_set_0" / ("input_" + std::to_string(i++) + ".pb");
    if (!fs::exists(file)) break;
    auto tensor = read_tensor_proto(file);
    if (!tensor) return std::nullopt;
    inputs.emplace(input->name(), *std::move(tensor));
  }
  return inputs;
}

bool has_float32(const Model& model) {
  bool found = false;
  const auto look = [&](const Value* value) { found |= is_float32(value); };
  for (const Value* input : model.graph->inputs()) look(input);
  for_each_node(*model.graph, [&](const Node& node) {
    for (const Value* output : node.outputs()) look(output);
  });
  return found;
}

class PrecisionCases : public WithEngine, public testing::WithParamInterface<const char*> {};

TEST_P(PrecisionCases, BecomeStronglyTypedModelsThatAgree) {
  const auto files = case_models(GetParam());
  if (files.empty()) GTEST_SKIP() << kNoCases;
  std::size_t converted = 0;
  std::size_t with_16_bits = 0;
  std::size_t not_run = 0;
  for (const fs::path& file : files) {
    auto loaded = load_model(file);
    if (!loaded || !infer_shapes(*loaded) || !has_float32(*loaded)) continue;
    const auto inputs = inputs_of(file.parent_path(), *loaded);
    if (!inputs) continue;
    for (const DType type : {DType::kFloat16, DType::kBFloat16}) {
      SCOPED_TRACE(file.parent_path().filename().string() + " in " + to_string(type));
      Model model = clone_model(*loaded);
      PlanOptions options;
      options.type = type;
      const auto report = convert_precision(model, options, engine(), samples({*inputs}), no_progress());
      if (!report) {
        // Only what the engine cannot run at all, has no such type in its opset, or is no strongly typed
        // model itself may stay unconverted.
        RoundingExecutor executor(*loaded, engine());
        const bool old = type == DType::kBFloat16 && loaded->opset() < 13;
        EXPECT_TRUE(old || !executor.run(*inputs) || !check_strong_types(*loaded)) << report.error().str();
        not_run += old ? 0 : 1;
        continue;
      }
      ++converted;
      with_16_bits += report->nodes_16_bit > 0 ? 1 : 0;
      EXPECT_TRUE(verify_model(model).ok()) << verify_model(model).error().str();
      EXPECT_TRUE(check_strong_types(model).ok()) << check_strong_types(model).error().str();
      EXPECT_TRUE(strict_fault(model).empty() || !strict_fault(*loaded).empty()) << strict_fault(model);
      const auto back = convert_to_float32(model, false);
      EXPECT_TRUE(back.ok()) << back.error().str();
      EXPECT_TRUE(check_strong_types(model).ok()) << check_strong_types(model).error().str();
      EXPECT_TRUE(verify_model(model).ok()) << verify_model(model).error().str();
    }
  }
  std::cout << converted << " conversions, " << with_16_bits << " with 16-bit nodes, " << not_run
            << " that ONNX Runtime does not run\n";
  EXPECT_GT(converted, not_run * 4);
  EXPECT_GT(with_16_bits * 4, converted);
}

INSTANTIATE_TEST_SUITE_P(All, PrecisionCases, testing::Values("node", "simple", "light", "pytorch-operator"),
                         [](const auto& kind) {
                           std::string name = kind.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace tarmac::test
