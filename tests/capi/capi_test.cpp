// The C interface from C, and what C cannot do to itself: run out of memory.
#include <gmock/gmock.h>

#include <memory>
#include <thread>
#include <utility>

#include "base/file.h"
#include "capi/checks.h"
#include "capi/handles.h"
#include "capi/refuse_allocation.h"
#include "graph/model_io.h"
#include "plan/plan_file.h"
#include "support/expect.h"
#include "support/graph_checks.h"
#include "support/temporary_folder.h"
#include "targets/target.h"
#include "tarmac/tarmac_c.h"

namespace tarmac::test {
namespace {

constexpr const char* kAffine = R"(<ir_version: 8, opset_import: ["" : 17]>
affine (float[batch, 4] x) => (float[batch, 2] y)
<float[4, 2] w = {1, 0, 0, 1, 2, 0, 0, 2}, float[2] b = {0.5, -0.5}> {
  h = MatMul(x, w)
  y = Add(h, b)
})";

constexpr const char* kMeans = R"(<ir_version: 8, opset_import: ["" : 17]>
means (float[batch, 3, 2, 2] image) => (float[batch, 3] means) {
  pooled = GlobalAveragePool(image)
  means = Flatten(pooled)
})";

constexpr const char* kContract = R"(version: 1
name: means
model: means.onnx
inputs:
  image:
    shape: [batch, 3, 2, 2]
    dtype: float32
    layout: NCHW
    geometry: GEOMETRY
    preprocess:
      - decode: {color: RGB}
      - resize: {size: [2, 2], interpolation: linear}
      - normalize: {scale: 1/255, mean: [0, 0, 0], std: [1, 1, 1]}
)";

class CInterface : public testing::Test {
 protected:
  void SetUp() override {
    const Model affine = test::model(kAffine);
    expect_ok(save_model(affine, folder_ / "affine.onnx"));
  }
  [[nodiscard]] std::string path(const char* name) const { return (folder_ / name).string(); }
  [[nodiscard]] std::string affine() const { return path("affine.onnx"); }
  [[nodiscard]] std::string plan(const std::string& geometry) const {
    const Model means = test::model(kMeans);
    PlanContent content;
    content.model = &means;
    content.info.target = "onnxruntime";
    content.info.engine_version = expect_ok(find_target("onnxruntime"))->version();
    content.contract_text = kContract;
    content.contract_text.replace(content.contract_text.find("GEOMETRY"), 8, geometry);
    expect_ok(write_plan(folder_ / "means.plan", content));
    return path("means.plan");
  }

  TemporaryFolder folder_;
};

TEST_F(CInterface, OpensListsBindsAndRuns) { EXPECT_EQ(check_sessions(affine().c_str()), 0); }
TEST_F(CInterface, RunsAsynchronously) { EXPECT_EQ(check_asynchronous_runs(affine().c_str()), 0); }
TEST_F(CInterface, RunsBatches) { EXPECT_EQ(check_batches(affine().c_str()), 0); }
TEST_F(CInterface, AnswersEveryFaultWithAnError) { EXPECT_EQ(check_errors(affine().c_str()), 0); }
TEST_F(CInterface, TakesPicturesAndFrames) {
  std::string red = "P6\n2 2\n255\n";
  for (int i = 0; i < 4; ++i) red += std::string("\xff\0\0", 3);
  const std::string picture = folder_.write("red.ppm", red).string();
  for (const char* geometry : {"fused", "opencv"})
    EXPECT_EQ(check_pictures(plan(geometry).c_str(), picture.c_str()), 0) << geometry;
}
TEST_F(CInterface, TellsWhatItDid) {
  EXPECT_EQ(check_observation(affine().c_str(), path("trace.json").c_str()), 0);
  EXPECT_THAT(expect_ok(read_file(folder_ / "trace.json")), testing::HasSubstr("traceEvents"));
}

TEST_F(CInterface, KeepsErrorsOfThreadsApart) {
  EXPECT_EQ(tarmac_run(nullptr), TARMAC_USAGE);
  const std::string mine = tarmac_last_error();
  std::thread([] { EXPECT_STREQ(tarmac_last_error(), ""); }).join();
  EXPECT_EQ(mine, "the session is NULL");
  const std::string endless(5000, 'x');
  tarmac_session* session = nullptr;
  EXPECT_EQ(tarmac_open(endless.c_str(), nullptr, &session), TARMAC_IO);
  EXPECT_EQ(std::string(tarmac_last_error()).size(), 1023U) << "cut to what fits";
}

TEST_F(CInterface, AllocatesNothingWhenAFrameComesAgain) {
  tarmac_session* session = nullptr;
  ASSERT_EQ(tarmac_open(plan("fused").c_str(), nullptr, &session), TARMAC_OK) << tarmac_last_error();
  const std::vector<unsigned char> pixels(12, 51);
  const tarmac_frame frame = {TARMAC_BGR, 2, 2, pixels.data(), 6, nullptr, 0};
  for (int i = 0; i < 3; ++i) ASSERT_EQ(tarmac_set_input_frame(session, "image", &frame), TARMAC_OK);
  refuse = 1;
  const tarmac_code status = tarmac_set_input_frame(session, "image", &frame);
  EXPECT_EQ(refuse, 1U) << "something was allocated";
  refuse = 0;
  EXPECT_EQ(status, TARMAC_OK) << tarmac_last_error();
  EXPECT_EQ(tarmac_free_session(session), TARMAC_OK);
}

/// Calls `body` with the first allocation refused, then the second, until it needs no more.
template <typename Body>
void refuse_each(const char* what, const Body& body) {
  for (std::uint64_t n = 1; n < 2000; ++n) {
    refuse = n;
    const tarmac_code status = body();
    const bool done = refuse > 0;
    refuse = 0;
    if (done) {
      EXPECT_EQ(status, TARMAC_OK) << what << ": " << tarmac_last_error();
      return;
    }
    // What runs on without that memory is fine as well.
    EXPECT_TRUE(status == TARMAC_RESOURCE_EXHAUSTED || status == TARMAC_OK)
        << what << ", allocation " << n << ": " << tarmac_last_error();
  }
  ADD_FAILURE() << what << " never came to an end";
}

TEST_F(CInterface, SaysSoWhereThereIsNoMemory) {
  tarmac_open_options options = TARMAC_OPEN_OPTIONS_INIT;
  options.target = "null";
  tarmac_session* session = nullptr;
  ASSERT_EQ(tarmac_open(affine().c_str(), &options, &session), TARMAC_OK) << tarmac_last_error();
  const std::int64_t shape[] = {1, 4};
  std::vector<float> values(4);
  const tarmac_tensor x = {TARMAC_FLOAT32, 2, shape, values.data(), 16};
  tarmac_tensor y;
  std::size_t needed = 0;
  refuse_each("clone", [&] {
    tarmac_session* clone = nullptr;
    const tarmac_code status = tarmac_clone_context(session, &clone);
    const std::uint64_t rest = std::exchange(refuse, 0);
    EXPECT_EQ(tarmac_free_session(clone), TARMAC_OK);
    refuse = rest;
    return status;
  });
  refuse_each("set_input", [&] { return tarmac_set_input(session, "x", &x); });
  refuse_each("run", [&] { return tarmac_run(session); });
  refuse_each("output", [&] { return tarmac_output(session, "y", &y); });
  refuse_each("metrics", [&] { return tarmac_metrics(session, "m", nullptr, 0, &needed); });
  EXPECT_EQ(tarmac_free_session(session), TARMAC_OK);
}

TEST(Handles, AreFoundOnlyWhileTheyLive) {
  const auto table = std::make_unique<capi::Handles>();
  int object = 0;
  void* const first = expect_ok(table->add(capi::Kind::kSession, &object));
  EXPECT_EQ(table->find(capi::Kind::kSession, first), &object);
  EXPECT_EQ(table->find(capi::Kind::kBatcher, first), nullptr);
  EXPECT_EQ(table->find(capi::Kind::kSession, static_cast<char*>(first) + 1), nullptr);
  EXPECT_EQ(table->remove(capi::Kind::kSession, first), &object);
  EXPECT_EQ(table->remove(capi::Kind::kSession, first), nullptr);
  for (std::size_t i = 0; i < capi::Handles::kSlots; ++i)
    EXPECT_NE(expect_ok(table->add(capi::Kind::kSession, &object)), first);
  EXPECT_EQ(table->find(capi::Kind::kSession, first), nullptr) << "its slot serves another";
  expect_error(table->add(capi::Kind::kSession, &object), ErrorCode::kResourceExhausted, "8192 handles");
}

}  // namespace
}  // namespace tarmac::test
