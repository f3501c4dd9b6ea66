// The list of driving operators behind ONNX Runtime's own file.
#include <gtest/gtest.h>

#include "support/expect.h"
#include "targets/onnxruntime/engine_form.h"

namespace tarmac::onnxruntime {
namespace {

DrivingCall voxelize() {
  const ops::Operator* op = ops::find_operator(ops::kDomain, "Voxelize", 1);
  ops::Attributes given;
  given["voxel_size"] = std::vector<float>{0.33333334F, 0.7F, 4.0F};
  given["point_cloud_range"] = std::vector<float>{-1.1234567F, -2, -3, 7.7654321F, 6, 1};
  given["max_voxels"] = std::int64_t{50};
  given["max_points"] = std::int64_t{3};
  DrivingCall call;
  call.kernel = test::expect_ok(DrivingOperator::create(*op, *ops::complete_attributes(*op, given), 1));
  call.inputs = {DType::kFloat32};
  call.outputs = {DType::kFloat32, DType::kInt32};
  return call;
}

Result<EngineForm> unpack(const std::string& engine) {
  return unpack_engine(std::as_bytes(std::span(engine)));
}

TEST(EngineFormTest, KeepsTheFileInFrontAndEveryAttributeExactly) {
  const DrivingCall call = voxelize();
  const std::string engine = pack_engine("ort file", {call});
  EXPECT_EQ(engine.substr(0, 8), "ort file");
  const auto form = unpack(engine);
  ASSERT_TRUE(form.ok()) << form.error().str();
  EXPECT_EQ(form->ort_file.size(), 8U);
  ASSERT_EQ(form->calls.size(), 1U);
  EXPECT_EQ(form->calls[0].kernel->attributes(), call.kernel->attributes());
  EXPECT_EQ(form->calls[0].kernel->present(), 1U);
  EXPECT_EQ(form->calls[0].inputs, call.inputs);
  EXPECT_EQ(form->calls[0].outputs, call.outputs);
}

// Digests stand before it; what it is given must not be able to harm all the same.
TEST(EngineFormTest, RefusesWhatIsDamaged) {
  const std::string engine = pack_engine("ort file", {voxelize()});
  for (std::size_t size = 0; size < engine.size(); ++size) EXPECT_FALSE(unpack(engine.substr(0, size)).ok());
  int refused = 0;
  for (std::size_t at = 8; at < engine.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = engine;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      if (const auto form = unpack(damaged); !form) {
        ++refused;
        EXPECT_NE(form.error().code, ErrorCode::kInternal) << form.error().str();
      }
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace tarmac::onnxruntime
