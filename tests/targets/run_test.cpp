// Every target: compile, bind, run, read, and the errors on the way.
#include <gmock/gmock.h>

#include "graph/model_io.h"
#include "targets/target.h"

namespace tarmac {
namespace {

using ::testing::HasSubstr;

Model parse(const std::string& text) {
  auto model = model_from_text(text);
  EXPECT_TRUE(model.ok()) << model.error().str();
  return *std::move(model);
}

constexpr const char* kRelu =
    R"(<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3] x) => (float[N, 3] y) { y = Relu(x) })";

class EngineTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto found = find_target(GetParam());
    ASSERT_TRUE(found.ok());
    target_ = *found;
    if (auto status = target_->available(); !status) GTEST_SKIP() << status.error().str();
  }

  std::unique_ptr<Executable> compile(const std::string& text, const CompileOptions& options = {}) {
    auto executable = target_->compile(parse(text), options, no_progress());
    EXPECT_TRUE(executable.ok()) << (executable.ok() ? "" : executable.error().str());
    return executable.ok() ? *std::move(executable) : nullptr;
  }

  static std::unique_ptr<Context> context_of(Executable& executable) {
    auto context = executable.create_context();
    EXPECT_TRUE(context.ok());
    return *std::move(context);
  }

  Target* target_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Engines, EngineTest, ::testing::Values("openvino", "onnxruntime"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST_P(EngineTest, ComputesReluAndTakesAnotherBatchSizeNext) {
  const auto executable = compile(kRelu);
  const auto context = context_of(*executable);
  ASSERT_TRUE(context->set_input("x", Tensor::from<float>({1, 3}, std::vector<float>{-1, 0, 2})).ok());
  ASSERT_TRUE(context->run().ok());
  const auto first = context->output("y");
  ASSERT_TRUE(first.ok()) << first.error().str();
  EXPECT_TRUE(identical(*first, Tensor::from<float>({1, 3}, std::vector<float>{0, 0, 2})));

  ASSERT_TRUE(
      context->set_input("x", Tensor::from<float>({2, 3}, std::vector<float>{-1, 5, 2, 3, -4, 6})).ok());
  ASSERT_TRUE(context->run().ok());
  EXPECT_TRUE(
      identical(*context->output("y"), Tensor::from<float>({2, 3}, std::vector<float>{0, 5, 2, 3, 0, 6})));
}

TEST_P(EngineTest, ReadsChangedBytesOfABoundInputWithoutBindingAgain) {
  const auto executable = compile(kRelu);
  const auto context = context_of(*executable);
  Tensor input = *Tensor::allocate(DType::kFloat32, {1, 3});
  std::fill_n(input.mutable_data<float>().begin(), 3, 1.0F);
  ASSERT_TRUE(context->set_input("x", input).ok());
  ASSERT_TRUE(context->run().ok());
  std::fill_n(input.mutable_data<float>().begin(), 3, 7.0F);
  ASSERT_TRUE(context->run().ok());
  EXPECT_FLOAT_EQ(context->output("y")->data<float>()[0], 7.0F);
}

TEST_P(EngineTest, WritesIntoMemoryThatTheCallerProvides) {
  const auto executable = compile(kRelu);
  const auto context = context_of(*executable);
  Tensor result = *Tensor::allocate(DType::kFloat32, {1, 3});
  ASSERT_TRUE(context->set_input("x", Tensor::from<float>({1, 3}, std::vector<float>{-1, 0, 2})).ok());
  ASSERT_TRUE(context->set_output("y", result).ok());
  ASSERT_TRUE(context->run().ok());
  EXPECT_TRUE(identical(result, Tensor::from<float>({1, 3}, std::vector<float>{0, 0, 2})));
  EXPECT_EQ(context->output("y")->bytes().data(), result.bytes().data());
}

TEST_P(EngineTest, KeepsOutputsApartWhenTheCallerProvidesMemoryForSome) {
  const auto executable = compile(R"(<ir_version: 8, opset_import: ["" : 17]>
      g (float[1, 3] x) => (float[1, 3] y, float[1, 3] z) { y = Relu(x) z = Neg(x) })");
  const auto context = context_of(*executable);
  Tensor result = *Tensor::allocate(DType::kFloat32, {1, 3});
  ASSERT_TRUE(context->set_input("x", Tensor::from<float>({1, 3}, std::vector<float>{-1, 0, 2})).ok());
  ASSERT_TRUE(context->set_output("z", result).ok());
  for (int run = 0; run < 2; ++run) {
    ASSERT_TRUE(context->run().ok());
    EXPECT_TRUE(identical(result, Tensor::from<float>({1, 3}, std::vector<float>{1, -0.0F, -2})));
    EXPECT_TRUE(identical(*context->output("y"), Tensor::from<float>({1, 3}, std::vector<float>{0, 0, 2})));
  }
}

TEST_P(EngineTest, SaysWhatIsWrongWithAnInput) {
  const auto executable = compile(kRelu);
  const auto context = context_of(*executable);
  const auto unknown = context->set_input("z", Tensor::from<float>({1, 3}, std::vector<float>{1, 2, 3}));
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(unknown.error().message, HasSubstr("it has: x"));
  const auto dtype = context->set_input("x", Tensor::from<double>({1, 3}, std::vector<double>{1, 2, 3}));
  EXPECT_EQ(dtype.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(dtype.error().message, HasSubstr("float64[1, 3]"));
  EXPECT_THAT(dtype.error().message, HasSubstr("float32[N, 3]"));
  const auto size = context->set_input("x", Tensor::from<float>({1, 2}, std::vector<float>{1, 2}));
  EXPECT_EQ(size.error().code, ErrorCode::kInvalidInput);
  const auto unbound = context->run();
  EXPECT_EQ(unbound.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(unbound.error().message, HasSubstr("'x'"));
}

TEST_P(EngineTest, ReportsTimesByTheModelsNodeNames) {
  CompileOptions options;
  options.profile = true;
  const auto executable = compile(R"(<ir_version: 8, opset_import: ["" : 17]>
      g (float[64, 64] x, float[64, 64] w) => (float[64, 64] y) { h = MatMul(x, w) y = Softmax(h) })",
                                  options);
  const auto context = context_of(*executable);
  for (const char* name : {"x", "w"}) {
    ASSERT_TRUE(context->set_input(name, Tensor::from<float>({64, 64}, std::vector<float>(4096, 0.5F))).ok());
  }
  for (int run = 0; run < 2; ++run) {  // times can be read after every run
    ASSERT_TRUE(context->run().ok());
    const auto times = context->profile();
    ASSERT_TRUE(times.ok()) << times.error().str();
    std::vector<std::string> nodes;
    for (const auto& time : *times) nodes.push_back(time.node);
    EXPECT_THAT(nodes, ::testing::Contains("h"));
    EXPECT_THAT(nodes, ::testing::Contains("y"));
  }
}

TEST_P(EngineTest, RefusesProvidersThatAreNotThere) {
  CompileOptions options;
  options.providers = {"Abacus", "CPU"};
  auto refused = target_->compile(parse(kRelu), options, no_progress());
  ASSERT_FALSE(refused.ok());
  if (std::string(GetParam()) == "openvino") {
    EXPECT_EQ(refused.error().code, ErrorCode::kUsage);
    return;
  }
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("'Abacus'"));
  EXPECT_THAT(refused.error().message, HasSubstr("CPUExecutionProvider"));
  options.allow_fallback = true;
  auto fallen = target_->compile(parse(kRelu), options, no_progress());
  ASSERT_TRUE(fallen.ok()) << fallen.error().str();
  EXPECT_THAT((*fallen)->notes(), ::testing::Contains(HasSubstr("'Abacus'")));
}

TEST_P(EngineTest, CarriesStringsBoolsAndEmptyTensors) {
  const auto executable = compile(R"(<ir_version: 8, opset_import: ["" : 17]>
      g (bool[N] b, float[N, 2] f) => (bool[N] c, float[M, 2] e) { c = Not(b) e = Concat<axis = 0>(f, f) })");
  const auto context = context_of(*executable);
  ASSERT_TRUE(context->set_input("b", *Tensor::allocate(DType::kBool, {0})).ok());
  ASSERT_TRUE(context->set_input("f", *Tensor::allocate(DType::kFloat32, {0, 2})).ok());
  const auto status = context->run();
  ASSERT_TRUE(status.ok()) << status.error().str();
  EXPECT_EQ(context->output("c")->shape(), (Shape{0}));
  EXPECT_EQ(context->output("e")->shape(), (Shape{0, 2}));
}

TEST_P(EngineTest, TellsAnInputThatIsAnOutputFromTheOthers) {
  const auto executable = compile(R"(<ir_version: 8, opset_import: ["" : 17]>
      g (float[2] a, float[2] b, float[2] c) => (float[2] y, float[2] z) { y = Dropout(b) z = Add(a, c) })");
  const auto context = context_of(*executable);
  ASSERT_TRUE(context->set_input("a", Tensor::from<float>({2}, std::vector<float>{1, 2})).ok());
  ASSERT_TRUE(context->set_input("b", Tensor::from<float>({2}, std::vector<float>{3, 4})).ok());
  ASSERT_TRUE(context->set_input("c", Tensor::from<float>({2}, std::vector<float>{5, 6})).ok());
  ASSERT_TRUE(context->run().ok());
  EXPECT_TRUE(identical(*context->output("y"), Tensor::from<float>({2}, std::vector<float>{3, 4})));
  EXPECT_TRUE(identical(*context->output("z"), Tensor::from<float>({2}, std::vector<float>{6, 8})));
}

TEST_P(EngineTest, NeverMixesAnUnusedInputWithOneThatIsAnOutput) {
  auto executable = target_->compile(parse(R"(<ir_version: 8, opset_import: ["" : 17]>
      g (float[2] a, float[2] b) => (float[2] y) { y = Dropout(b) })"),
                                     {}, no_progress());
  if (!executable.ok()) {  // not knowing is fine, guessing is not
    EXPECT_EQ(executable.error().code, ErrorCode::kUnsupported);
    return;
  }
  auto context = (*executable)->create_context();
  ASSERT_TRUE(context.ok());
  ASSERT_TRUE((*context)->set_input("a", Tensor::from<float>({2}, std::vector<float>{1, 2})).ok());
  ASSERT_TRUE((*context)->set_input("b", Tensor::from<float>({2}, std::vector<float>{3, 4})).ok());
  ASSERT_TRUE((*context)->run().ok());
  EXPECT_TRUE(identical(*(*context)->output("y"), Tensor::from<float>({2}, std::vector<float>{3, 4})));
}

TEST(NullTarget, ReturnsZerosOfTheShapeThatTheInputsImply) {
  auto* target = *find_target("null");
  auto executable = target->compile(parse(kRelu), {}, no_progress());
  ASSERT_TRUE(executable.ok());
  auto context = *(*executable)->create_context();
  EXPECT_FALSE(context->run().ok());
  ASSERT_TRUE(context->set_input("x", Tensor::from<float>({2, 3}, std::vector<float>(6, 1.0F))).ok());
  ASSERT_TRUE(context->run().ok());
  EXPECT_TRUE(identical(*context->output("y"), Tensor::from<float>({2, 3}, std::vector<float>(6, 0.0F))));
}

TEST(Registry, NamesTheTargetsThereAre) {
  const auto missing = find_target("tpu");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kUsage);
  EXPECT_THAT(missing.error().message, HasSubstr("openvino, onnxruntime"));
  EXPECT_EQ((*find_target("tensorrt"))->available().error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace tarmac
