// The two engines on a really trained detector: they agree, and times add up to the nodes of the model.
#include <cmath>
#include <set>

#include "graph/model_io.h"
#include "support/expect.h"
#include "targets/target.h"

namespace tarmac {
namespace {

using test::expect_ok;

const std::filesystem::path kDetector =
    std::filesystem::path(TARMAC_SOURCE_DIR) / "../shared/data/fastestdet/FastestDet.onnx";

/// A picture-like input: smooth, between 0 and 1, the same every time.
Tensor gradient(const Shape& shape) {
  Tensor tensor = expect_ok(Tensor::allocate(DType::kFloat32, shape));
  auto values = tensor.mutable_data<float>();
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = 0.5F + 0.5F * std::sin(static_cast<float>(i) * 0.001F);
  return tensor;
}

class AgreementTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kDetector))
      GTEST_SKIP() << "no ../shared/data/fastestdet beside this checkout";
    for (const char* name : {"openvino", "onnxruntime"}) {
      Target* target = expect_ok(find_target(name));
      if (auto status = target->available(); !status) GTEST_SKIP() << status.error().str();
      targets_.push_back(target);
    }
    model_ = expect_ok(load_model(kDetector));
  }

  std::vector<Target*> targets_;
  Model model_;
};

TEST_F(AgreementTest, EnginesGiveTheSameDetections) {
  std::vector<std::vector<Tensor>> results;
  for (Target* target : targets_) {
    for (const NodeVerdict& verdict : expect_ok(target->check(model_, {}, no_progress()))) {
      EXPECT_EQ(verdict.verdict, Verdict::kSupported) << verdict.node << ": " << verdict.reason;
    }
    const auto executable = expect_ok(target->compile(model_, {}, no_progress()));
    const auto context = expect_ok(executable->create_context());
    for (const TensorInfo& input : executable->inputs()) {
      expect_ok(context->set_input(input.name, gradient(input.type.static_shape().value())));
    }
    expect_ok(context->run());
    auto& outputs = results.emplace_back();
    for (const TensorInfo& output : executable->outputs()) {
      outputs.push_back(expect_ok(expect_ok(context->output(output.name)).clone()));
    }
  }
  ASSERT_EQ(results[0].size(), results[1].size());
  for (std::size_t i = 0; i < results[0].size(); ++i) {
    const auto a = results[0][i].data<float>();
    const auto b = results[1][i].data<float>();
    ASSERT_EQ(results[0][i].shape(), results[1][i].shape());
    for (std::size_t k = 0; k < a.size(); ++k)
      ASSERT_NEAR(a[k], b[k], 1e-3F * (1 + std::abs(b[k]))) << "element " << k;
  }
}

TEST_F(AgreementTest, TimesCarryNamesOfTheModelsNodes) {
  std::set<std::string> labels;
  for_each_node(*model_.graph, [&](const Node& node) { labels.insert(node.label()); });
  for (Target* target : targets_) {
    CompileOptions options;
    options.profile = true;
    const auto executable = expect_ok(target->compile(model_, options, no_progress()));
    const auto context = expect_ok(executable->create_context());
    for (const TensorInfo& input : executable->inputs()) {
      expect_ok(context->set_input(input.name, gradient(input.type.static_shape().value())));
    }
    for (int warm_up = 0; warm_up < 3; ++warm_up) expect_ok(context->run());
    std::int64_t total_ns = 0;
    std::int64_t named_ns = 0;
    for (const NodeTime& time : expect_ok(context->profile())) {
      // ONNX Runtime's changes of layout belong to no node of the model.
      if (time.kernel.starts_with("Reorder")) continue;
      total_ns += time.time_ns;
      if (labels.count(time.node.substr(0, time.node.find(" + "))) != 0) named_ns += time.time_ns;
    }
    EXPECT_GT(total_ns, 0) << target->name();
    EXPECT_GT(static_cast<double>(named_ns), 0.95 * static_cast<double>(total_ns)) << target->name();
  }
}

}  // namespace
}  // namespace tarmac
