// Exported networks, lifted: which nodes come out, and that ONNX Runtime computes the same from the
// definition.
#pragma once

#include <filesystem>
#include <random>

#include "passes/fusion_harness.h"
#include "passes/passes.h"

namespace tarmac::test {

/// What tests/models/export_driving.py wrote.
inline Model exported(const std::string& name) {
  return expect_ok(
      load_model(std::filesystem::path(TARMAC_SOURCE_DIR) / "tests/passes/data" / (name + ".onnx")));
}

class LiftTest : public testing::Test {
 protected:
  void SetUp() override {
    auto target = find_target("onnxruntime");
    if (!target || !(*target)->available()) GTEST_SKIP() << "ONNX Runtime is not built in";
    evaluator_.emplace(**target);
  }

  /// All passes for targets that run `operators` and nothing else that a pass would ask about.
  OptimizeReport optimized(Model& model, std::initializer_list<std::string> operators) {
    const Runs support(operators);
    OptimizeOptions options;
    options.support = &support;
    options.evaluator = &*evaluator_;
    return expect_ok(optimize(model, options));
  }

  static std::vector<Node*> calls(const Model& model, const std::string& op_type) {
    std::vector<Node*> nodes;
    for_each_node(*model.graph, [&](Node& node) {
      if (node.is(op_type, "tarmac")) nodes.push_back(&node);
    });
    return nodes;
  }

  /// Both models, with the same made-up inputs; local functions are opened.
  void expect_same_numbers(const Model& one, const Model& other, double tolerance = 2e-5,
                           Location where = Location::current()) {
    const testing::ScopedTrace trace(where.file, where.line, "expect_same_numbers");
    for (const std::uint32_t seed : {1U, 2U}) {
      const auto expected = outputs_of(one, seed);
      const auto found = outputs_of(other, seed);
      ASSERT_EQ(found.size(), expected.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        ASSERT_EQ(found[i].dtype(), expected[i].dtype());
        ASSERT_EQ(found[i].shape(), expected[i].shape());
        const auto a = expect_ok(to_doubles(found[i]));
        const auto b = expect_ok(to_doubles(expected[i]));
        for (std::size_t k = 0; k < a.size(); ++k)
          ASSERT_NEAR(a[k], b[k], tolerance * (1 + std::abs(b[k]))) << "element " << k << " of output " << i;
      }
    }
  }

  std::vector<Tensor> outputs_of(const Model& source, std::uint32_t seed) {
    Model model = clone_model(source);
    PassContext context;
    expect_ok(inline_functions(model, context));
    const auto tensors = made_inputs(source, seed);
    const std::vector<Value*> inputs = model.graph->inputs();
    for (Value* input : inputs) {
      model.graph->set_initializer(*input, tensors.at(input->name()));
      model.graph->drop_input(*input);
    }
    return expect_ok(evaluator_->evaluate(model));
  }

  /// The same for the same inputs and seed. Symbols become 2, 3, 4, …
  std::map<std::string, Tensor> made_inputs(const Model& model, std::uint32_t seed) {
    std::mt19937 random(seed);
    std::map<std::string, std::int64_t> sizes;
    std::map<std::string, Tensor> tensors;
    for (const Value* input : model.graph->inputs()) {
      Shape shape;
      for (const Dim& dim : *input->type.shape) {
        const auto next = static_cast<std::int64_t>(sizes.size()) + 2;
        shape.push_back(dim.known() ? *dim.size : sizes.try_emplace(dim.symbol, next).first->second);
      }
      std::vector<double> values(static_cast<std::size_t>(expect_ok(element_count(shape))));
      fill(*input, shape, random, values);
      tensors.emplace(input->name(), expect_ok(from_doubles(input->type.dtype, shape, values)));
    }
    return tensors;
  }

  /// Numbers for an input; those around 0.5 ± 0.6 leave pictures on all sides.
  virtual void fill(const Value& input, const Shape& /*shape*/, std::mt19937& random,
                    std::vector<double>& values) {
    std::normal_distribution<double> normal(0.5, 0.6);
    for (double& value : values) {
      if (is_floating_point(input.type.dtype)) {
        value = normal(random);
      } else {
        value = static_cast<double>(random() % (input.type.dtype == DType::kBool ? 2 : 4));
      }
    }
  }

  std::optional<TargetEvaluator> evaluator_;
};

}  // namespace tarmac::test
