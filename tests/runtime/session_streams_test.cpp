// Contexts at once on one model: their results, and the memory that they share.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <thread>

#include "runtime/example_models.h"
#include "support/temporary_folder.h"
#include "tarmac/tarmac.h"

namespace tarmac {
namespace {

/// Resident memory of this process.
std::uint64_t resident_bytes() {
  std::uint64_t pages = 0;
  std::ifstream statm("/proc/self/statm");
  statm >> pages >> pages;
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

constexpr std::int64_t kWidth = 2048;
constexpr int kLayers = 6;
constexpr std::uint64_t kWeightBytes = std::uint64_t{kLayers} * kWidth * kWidth * sizeof(float);

/// y = Relu(x · W0 · W1 …), 100 MB of weights.
Model large_model() {
  Model model = test::model_of(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[1, 2048] x) => (float[1, 2048] y) { y = Relu(x) })");
  Node& last = *model.graph->nodes().front();
  Value* value = model.graph->find("x");
  for (int i = 0; i < kLayers; ++i) {
    Tensor weights = *Tensor::allocate(DType::kFloat32, {kWidth, kWidth});
    std::fill_n(weights.mutable_data<float>().data(), weights.count(), 1e-4F * static_cast<float>(i + 1));
    Value& weight = model.graph->add_initializer("w" + std::to_string(i), std::move(weights));
    value = &model.graph->add_op("MatMul", {value, &weight}, "h", &last);
  }
  last.set_input(0, value);
  return model;
}

class SessionStreamsTest : public testing::TestWithParam<std::string> {
 protected:
  Result<Session> open(const Model& model, int streams) {
    const auto path = folder / "model.onnx";
    EXPECT_TRUE(save_model(model, path).ok());
    SessionOptions options;
    options.target = GetParam();
    options.streams = streams;
    return Session::open(path, options);
  }
  test::TemporaryFolder folder;
};

TEST_P(SessionStreamsTest, GivesEachContextItsOwnResults) {
  auto session = open(test::affine_model(), 2);
  ASSERT_TRUE(session.ok()) << session.error().str();
  constexpr int kContexts = 4;
  std::vector<Session> contexts;
  for (int i = 0; i < kContexts; ++i) contexts.push_back(*session->clone_context());
  std::vector<int> wrong(kContexts, 0);
  std::vector<std::thread> threads;
  for (int i = 0; i < kContexts; ++i) {
    threads.emplace_back([&, i] {
      Session& context = contexts[static_cast<std::size_t>(i)];
      for (int n = 0; n < 200; ++n) {
        const auto value = static_cast<float>(i * 1000 + n);
        const std::int64_t batch = 1 + n % 3;
        std::vector<float> input(static_cast<std::size_t>(batch) * 4, 0);
        input[0] = value;
        const bool ran =
            context.set_input("x", Tensor::from(Shape{batch, 4}, input)).ok() && context.run().ok();
        const auto output = context.output("y");
        if (!ran || !output.ok() || output->data<float>()[0] != value + 0.5F)
          ++wrong[static_cast<std::size_t>(i)];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, testing::Each(0));
  EXPECT_EQ(session->metrics().runs, 800U);
}

TEST_P(SessionStreamsTest, RefusesFewerThanOne) {
  EXPECT_EQ(open(test::affine_model(), -1).error().code, ErrorCode::kUsage);
}

TEST_P(SessionStreamsTest, SharesWeightsAmongContexts) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's own memory is in the way";
#endif
  std::optional<Model> model = large_model();
  const std::uint64_t before = resident_bytes();
  auto session = open(*model, 4);
  model.reset();
  ASSERT_TRUE(session.ok()) << session.error().str();
  const Tensor input = Tensor::from(Shape{1, kWidth}, std::vector<float>(kWidth, 1));
  ASSERT_TRUE(session->set_input("x", input).ok());
  ASSERT_TRUE(session->run().ok());
  const std::uint64_t one = resident_bytes();
  std::vector<Session> contexts;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) contexts.push_back(*session->clone_context());
  for (Session& context : contexts) {
    threads.emplace_back([&] {
      EXPECT_TRUE(context.set_input("x", input).ok());
      for (int n = 0; n < 5; ++n) EXPECT_TRUE(context.run().ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::uint64_t four = resident_bytes();
  RecordProperty("model_mb", static_cast<int>(kWeightBytes >> 20U));
  RecordProperty("one_context_mb", static_cast<int>((one - before) >> 20U));
  RecordProperty("four_contexts_mb", static_cast<int>((four - before) >> 20U));
  EXPECT_LE(four - one, kWeightBytes / 2);
}

INSTANTIATE_TEST_SUITE_P(Targets, SessionStreamsTest, testing::ValuesIn(test::computing_targets()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace tarmac
