// Fusions before and after, by structure and by what ONNX Runtime computes from both.
#pragma once

#include <cmath>
#include <optional>
#include <random>
#include <set>

#include "passes/pass_harness.h"
#include "targets/evaluator.h"
#include "tensor/codec.h"

namespace tarmac::test {

/// Targets that run these operators ("Gelu", "com.microsoft:BiasGelu") in any version, and no others.
class Runs final : public OperatorSupport {
 public:
  Runs(std::initializer_list<std::string> operators) : operators_(operators) {}
  [[nodiscard]] bool accepts(std::string_view domain, std::string_view op_type,
                             std::int64_t /*opset_version*/) const override {
    return operators_.contains(domain.empty() ? std::string(op_type)
                                              : std::string(domain) + ":" + std::string(op_type));
  }

 private:
  std::set<std::string> operators_;
};

/// A model of this opset around a graph's text.
inline std::string opset(int version, const std::string& graph) {
  return "<ir_version: 10, opset_import: [\"\" : " + std::to_string(version) + "]>\n" + graph;
}

/// As opset(), with ONNX Runtime's operators.
inline std::string vendor_opset(int version, const std::string& graph) {
  return "<ir_version: 10, opset_import: [\"\" : " + std::to_string(version) + ", \"com.microsoft\" : 1]>\n" +
         graph;
}

/// float16 numbers in ONNX text, which wants their bits.
inline std::string halves(const std::vector<float>& values) {
  std::string text;
  for (const float value : values) text += (text.empty() ? "{" : ", ") + std::to_string(float_to_half(value));
  return text + "}";
}

class FusionTest : public testing::Test {
 protected:
  void SetUp() override {
    auto target = find_target("onnxruntime");
    if (!target || !(*target)->available()) GTEST_SKIP() << "ONNX Runtime is not built in";
    evaluator_.emplace(**target);
  }

  static OptimizeReport apply(Model& model, const std::string& pass, const OperatorSupport* support) {
    OptimizeOptions options;
    options.only = {pass, "infer_shapes", "eliminate_dead_code"};
    options.support = support;
    OptimizeReport report = expect_ok(optimize(model, options));
    std::erase_if(report.changes, [&](const Change& change) { return change.pass != pass; });
    return report;
  }

  /// `pass` turns `before` into `after`, leaves that as it is, and both compute the same.
  void expect_fused(const std::string& pass, const std::string& before, const std::string& after,
                    const OperatorSupport* support = nullptr, double tolerance = 1e-5,
                    Location where = Location::current()) {
    const testing::ScopedTrace trace(where.file, where.line, "expect_fused");
    Model original = model(before);
    Model found = model(before);
    EXPECT_FALSE(apply(found, pass, support).changes.empty());
    expect_consistent(found);
    expect_same_model(found, model(after));
    EXPECT_TRUE(apply(found, pass, support).changes.empty()) << "a second run changed something";
    give_inputs(original);
    give_inputs(found);
    const auto expected = expect_ok(evaluator_->evaluate(original));
    const auto results = expect_ok(evaluator_->evaluate(found));
    ASSERT_EQ(results.size(), expected.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
      EXPECT_EQ(results[i].dtype(), expected[i].dtype());
      EXPECT_EQ(results[i].shape(), expected[i].shape());
      expect_close(expect_ok(to_doubles(results[i])), expect_ok(to_doubles(expected[i])), tolerance);
    }
  }

  /// `pass` leaves the model alone; the reason that it gives contains `why`, if it gives one.
  static void expect_left(const std::string& pass, const std::string& text,
                          const OperatorSupport* support = nullptr, const std::string& why = {},
                          Location where = Location::current()) {
    const testing::ScopedTrace trace(where.file, where.line, "expect_left");
    Model found = model(text);
    const OptimizeReport report = apply(found, pass, support);
    for (const Change& change : report.changes) ADD_FAILURE() << change.node << ": " << change.what;
    Model expected = model(text);
    apply(expected, "eliminate_dead_code", nullptr);
    expect_same_model(found, expected);
    EXPECT_EQ(report.declined.empty(), why.empty());
    if (!why.empty() && !report.declined.empty()) {
      EXPECT_THAT(report.declined[0].what, testing::HasSubstr(why));
    }
  }

 private:
  static void expect_close(const std::vector<double>& found, const std::vector<double>& expected,
                           double tolerance) {
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_NEAR(found[i], expected[i], tolerance * (1 + std::abs(expected[i]))) << "element " << i;
    }
  }

  /// Makes numbers of the inputs: the same for the same inputs. Symbols become 2, 3, 4, …
  static void give_inputs(Model& model) {
    std::mt19937 random(7);
    std::map<std::string, std::int64_t> sizes;
    const std::vector<Value*> inputs = model.graph->inputs();
    for (Value* input : inputs) {
      Shape shape;
      for (const Dim& dim : *input->type.shape) {
        const auto next = static_cast<std::int64_t>(sizes.size()) + 2;
        shape.push_back(dim.known() ? *dim.size : sizes.try_emplace(dim.symbol, next).first->second);
      }
      std::vector<double> values(static_cast<std::size_t>(expect_ok(element_count(shape))));
      std::normal_distribution<double> normal(0.3, 3);
      const bool integers = is_integer(input->type.dtype);
      for (double& value : values) value = integers ? static_cast<double>(random() % 4) : normal(random);
      model.graph->set_initializer(*input, expect_ok(from_doubles(input->type.dtype, shape, values)));
      model.graph->drop_input(*input);
    }
  }

  std::optional<TargetEvaluator> evaluator_;
};

}  // namespace tarmac::test
