// Models beyond protobuf's 2 GiB: saved with external data, loaded again, weights equal.
#include "base/file.h"
#include "support/graph_checks.h"
#include "support/wire_model.h"

namespace tarmac::test {
namespace {

TEST(LargeModel, AboveTwoGigabytesSavesAndLoadsThroughExternalData) {
  const TemporaryFolder folder;
  constexpr std::uint64_t kBytes = (std::uint64_t{2} << 30U) + 4096;
  std::filesystem::resize_file(folder.write("zeros", ""), kBytes);
  const auto zeros = expect_ok(MappedFile::open(folder / "zeros"));
  const std::string small = small_proto().SerializeAsString();
  Model large = expect_ok(parse_model(std::as_bytes(std::span(small)), nullptr));
  large.graph->add_initializer("w", expect_ok(Tensor::view(DType::kUint8, {static_cast<std::int64_t>(kBytes)},
                                                           zeros->bytes(), zeros)));
  large.graph->add_initializer("v", Tensor::from<float>({1024}, std::vector<float>(1024, 3.5F)));

  expect_ok(save_model(large, folder / "large.onnx"));
  EXPECT_LT(std::filesystem::file_size(folder / "large.onnx"), 4096U);
  const Model loaded = expect_ok(load_model(folder / "large.onnx"));
  EXPECT_EQ(structural_difference(large, loaded, {.names = true}), "");
  for (const char* name : {"w", "v"}) {
    EXPECT_TRUE(identical(*loaded.graph->find(name)->initializer(), *large.graph->find(name)->initializer()))
        << name;
  }
}

}  // namespace
}  // namespace tarmac::test
