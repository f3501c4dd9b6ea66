// The examples of docs/serving.md, as they stand there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "runtime/example_models.h"
#include "support/expect.h"
#include "support/temporary_folder.h"
#include "tarmac/tarmac.h"

namespace tarmac {
namespace {

void fail(const Error& error) { FAIL() << error.str(); }
void drop_frame() {}

void run_examples(const std::filesystem::path& path, const std::filesystem::path& trace_path,
                  const tarmac::Tensor& picture) {
  tarmac::SessionOptions options;
  options.target = "openvino";
  options.streams = 2;
  auto session = tarmac::Session::open(path, options);
  if (!session) return fail(session.error());
  auto second = session->clone_context();
  if (!second) return fail(second.error());

  auto batcher =
      tarmac::Batcher::create(*session, {.max_batch = 4, .max_wait = std::chrono::milliseconds(2)});
  if (!batcher) return fail(batcher.error());
  std::future<tarmac::Batcher::Result> answer = batcher->submit({{"x", picture}});
  tarmac::Batcher::Result outputs = answer.get();
  if (!outputs) return fail(outputs.error());
  const tarmac::Tensor& scores = outputs->at("y");
  EXPECT_THAT(scores.data<float>(), testing::ElementsAre(7.5F, 9.5F));

  std::promise<bool> done;
  batcher->submit({{"x", picture}},
                  [&](const tarmac::Batcher::Result& result) { done.set_value(result.ok()); });
  EXPECT_TRUE(done.get_future().get());

  auto pool = tarmac::MemoryPool::create({.limit_bytes = 64 << 20});
  if (!pool) return fail(pool.error());
  auto frame = pool->acquire(tarmac::DType::kFloat32, {1, 4});
  if (!frame) return fail(frame.error());
  std::ranges::fill(frame->mutable_data<float>(), 1.0F);
  ASSERT_TRUE(session->set_input("x", *frame).ok());

  tarmac::RunOptions by;
  by.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  tarmac::Status status = session->run(by);
  if (!status && status.error().code == tarmac::ErrorCode::kDeadline) return drop_frame();
  EXPECT_TRUE(status.ok());

  std::string text = session->metrics().prometheus("traffic_light");
  EXPECT_THAT(text, testing::HasSubstr("tarmac_batched_items_total{model=\"traffic_light\"} 2\n"));

  auto tracer = tarmac::Tracer::create();
  if (!tracer) return fail(tracer.error());
  options.tracer = *tracer;
  auto traced = tarmac::Session::open(path, options);
  if (!traced) return fail(traced.error());
  {
    tarmac::Span span(tracer->get(), "frame", 7);
    if (auto bound = traced->set_input("x", picture); !bound) return fail(bound.error());
    if (auto ran = traced->run(); !ran) return fail(ran.error());
  }
  tarmac::Status written = (*tracer)->write_chrome_trace(trace_path);
  EXPECT_TRUE(written.ok());
  EXPECT_TRUE(std::filesystem::exists(trace_path));
}

TEST(ServingExamplesTest, Run) {
  const auto targets = test::computing_targets();
  if (std::find(targets.begin(), targets.end(), "openvino") == targets.end())
    GTEST_SKIP() << "no OpenVINO here";
  const test::TemporaryFolder folder;
  test::expect_ok(save_model(test::affine_model(), folder / "affine.onnx"));
  run_examples(folder / "affine.onnx", folder / "trace.json",
               Tensor::from(Shape{1, 4}, std::vector<float>{1, 2, 3, 4}));
}

std::set<std::string> lines_of(const std::string& file, bool only_code_blocks) {
  std::ifstream in(std::string(TARMAC_SOURCE_DIR) + "/" + file);
  std::set<std::string> lines;
  bool inside = !only_code_blocks;
  for (std::string line; std::getline(in, line);) {
    if (only_code_blocks && line.rfind("```", 0) == 0) {
      inside = line == "```cpp";
    } else if (inside) {
      lines.insert(line.substr(std::min(line.find_first_not_of(' '), line.size())));
    }
  }
  return lines;
}

TEST(ServingExamplesTest, AreTheLinesOfThePage) {
  const auto compiled = lines_of("tests/runtime/serving_examples_test.cpp", false);
  const auto shown = lines_of("docs/serving.md", true);
  EXPECT_GT(shown.size(), 20U);
  for (const std::string& line : shown) EXPECT_TRUE(compiled.count(line) == 1) << line;
}

}  // namespace
}  // namespace tarmac
