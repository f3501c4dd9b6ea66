#include "sequence/state_carrier.h"

#include <cmath>

#include "support/graph_checks.h"
#include "support/temporary_folder.h"
#include "tensor/io.h"

namespace tarmac::test {
namespace {

/// after = tanh(frame + before), and a state of its own that counts frames.
constexpr const char* kModel = R"(<ir_version: 7, opset_import: ["" : 13]>
g (float[1, 3] frame, float[N, 3] before, float[1] count) => (float[1, 3] scores, float[M, 3] after, float[1] counted)
<float[1] one = {1}> {
  sum = Add (frame, before)
  after = Tanh (sum)
  scores = Mul (after, frame)
  counted = Add (count, one)
})";

class Carried : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!engine().available()) GTEST_SKIP() << GetParam() << " is not built in";
    executable_ = expect_ok(engine().compile(model(kModel), {}, no_progress()));
    context_ = expect_ok(executable_->create_context());
  }
  static Target& engine() { return *expect_ok(find_target(GetParam())); }

  StateCarrier open(const std::vector<StateSpec>& states) {
    return expect_ok(StateCarrier::open(states, executable_->inputs(), executable_->outputs()));
  }
  /// One frame; the scores.
  std::vector<float> run(StateCarrier& carrier, const std::vector<float>& frame) {
    expect_ok(context_->set_input("frame", Tensor::from<float>({1, 3}, frame)));
    expect_ok(carrier.bind(*context_));
    expect_ok(context_->run());
    expect_ok(carrier.after_run(*context_));
    const Tensor scores = expect_ok(context_->output("scores"));
    return {scores.data<float>().begin(), scores.data<float>().end()};
  }

  std::unique_ptr<Executable> executable_;
  std::unique_ptr<Context> context_;
};

TEST_P(Carried, GivesWhatALoopByHandGivesAndBeginsAnewWithAScene) {
  StateCarrier carrier = open({{"after", "before", {}}, {"counted", "count", {}}});
  const std::vector<float> frame = {0.5F, -1, 2};
  for (int scene = 0; scene < 3; ++scene) {
    carrier.reset();
    std::vector<float> state(3);
    for (int i = 0; i < 5; ++i) {
      const auto scores = run(carrier, frame);
      EXPECT_EQ(carrier.value("count")->data<float>()[0], static_cast<float>(i));
      for (std::size_t c = 0; c < 3; ++c) {
        EXPECT_EQ(carrier.value("before")->data<float>()[c], state[c]);
        const float expected = std::tanh(frame[c] + state[c]);
        EXPECT_NEAR(scores[c], expected * frame[c], 1e-5);
        state[c] = scores[c] / frame[c];
      }
      const Tensor after = expect_ok(context_->output("after"));
      for (std::size_t c = 0; c < 3; ++c) state[c] = after.data<float>()[c];
    }
  }
  EXPECT_EQ(carrier.value("frame"), nullptr);
}

TEST_P(Carried, BeginsWithTheFirstValueOfAFile) {
  const TemporaryFolder folder;
  expect_ok(write_npy(folder / "first.npy", Tensor::from<float>({1}, {7})));
  StateCarrier carrier = open({{"after", "before", {}}, {"counted", "count", folder / "first.npy"}});
  run(carrier, {1, 1, 1});
  run(carrier, {1, 1, 1});
  EXPECT_EQ(carrier.value("count")->data<float>()[0], 8);
  carrier.reset();
  run(carrier, {1, 1, 1});
  EXPECT_EQ(carrier.value("count")->data<float>()[0], 7);
}

INSTANTIATE_TEST_SUITE_P(Engines, Carried, testing::Values("onnxruntime", "openvino"));

TEST(StateCarrier, RefusesWhatDoesNotFitAndSaysWhy) {
  const std::vector<Dim> three = {Dim::of(1), Dim::of(3)};
  const std::vector<TensorInfo> inputs = {{"h", Type::tensor(DType::kFloat32, three)},
                                          {"open", Type::tensor(DType::kFloat32)}};
  const std::vector<TensorInfo> outputs = {
      {"h_out", Type::tensor(DType::kFloat32, three)},
      {"wide", Type::tensor(DType::kFloat32, std::vector<Dim>{Dim::of(1), Dim::of(4)})},
      {"whole", Type::tensor(DType::kInt64, three)}};
  const auto refused = [&](const std::vector<StateSpec>& states, const std::string& text) {
    expect_error(StateCarrier::open(states, inputs, outputs), ErrorCode::kInvalidInput, text);
  };
  refused({{"h_out", "nothing", {}}}, "names the input 'nothing', but the model has h, open");
  refused({{"nothing", "h", {}}}, "names the output 'nothing', but the model has h_out, wide, whole");
  refused({{"wide", "h", {}}}, "the output 'wide' is float32[1, 4]");
  refused({{"whole", "h", {}}}, "the output 'whole' is int64[1, 3]");
  refused({{"h_out", "open", {}}}, "name a .npy file as its first value");
  refused({{"h_out", "h", {}}, {"wide", "h", {}}}, "twice");
  const TemporaryFolder folder;
  expect_ok(write_npy(folder / "first.npy", Tensor::from<float>({2}, {1, 2})));
  refused({{"h_out", "h", folder / "first.npy"}}, "is float32 [2]; expected float32[1, 3]");
}

}  // namespace
}  // namespace tarmac::test
