// Weights stay in the file: what loading takes from the heap does not grow with them.
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <new>

#include "support/graph_checks.h"
#include "support/wire_model.h"

namespace {

std::atomic<std::size_t> live_bytes{0};
std::atomic<std::size_t> peak_bytes{0};

void* counted(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  const std::size_t now = live_bytes += ::malloc_usable_size(memory);
  std::size_t peak = peak_bytes;
  while (now > peak && !peak_bytes.compare_exchange_weak(peak, now)) {
  }
  return memory;
}

void release(void* memory) {
  live_bytes -= ::malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return counted(std::malloc(size)); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }

namespace tarmac::test {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

/// Resident memory that no file backs, which the heap and tensors live in.
std::uint64_t anonymous_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stoull(line.substr(8)) * 1024;
  }
  ADD_FAILURE() << "no RssAnon in /proc/self/status";
  return 0;
}

/// Highest number of bytes from operator new during `work`, above what was there before.
template <typename Work>
std::size_t peak_of(const Work& work) {
  const std::size_t before = live_bytes;
  peak_bytes = before;
  work();
  return peak_bytes - before;
}

onnx::TensorProto tensor_of(int data_type, std::int64_t count) {
  onnx::TensorProto tensor;
  tensor.set_name("w");
  tensor.set_data_type(data_type);
  tensor.add_dims(count);
  return tensor;
}

class Memory : public testing::Test {
 protected:
  /// The onnx library builds its schema tables (4.7 MB) once a process; they are not the model's.
  static void SetUpTestSuite() {
    model("<ir_version: 8, opset_import: [\"\" : 17]> g (float[1] x) => (float[1] y) { y = Relu (x) }");
  }
};

TEST_F(Memory, LoadingAModelOfOneGigabyteTakesLessThan50MiB) {
  const TemporaryFolder folder;
  const auto path =
      write_sparse_model(folder, tensor_of(onnx::TensorProto::FLOAT, 256 * kMiB), 9, 1024 * kMiB);
  const std::uint64_t resident = anonymous_bytes();
  std::optional<Model> model;
  const std::size_t peak = peak_of([&] { model = expect_ok(load_model(path)); });
  EXPECT_LT(peak, 50 * kMiB);
  EXPECT_LT(anonymous_bytes(), resident + 50 * kMiB);
  const Tensor* weight = model->graph->find("w")->initializer();
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->bytes().size(), 1024 * kMiB);
  EXPECT_EQ(weight->bytes().back(), std::byte{0});
  RecordProperty("peak_heap_bytes", std::to_string(peak));
  std::cout << "1 GiB of raw_data: " << peak << " bytes of heap at most\n";
}

TEST_F(Memory, WeightsInFloatDataAreMappedToo) {
  const TemporaryFolder folder;
  const auto path = write_sparse_model(folder, tensor_of(onnx::TensorProto::FLOAT, 64 * kMiB), 4, 256 * kMiB);
  std::optional<Model> model;
  EXPECT_LT(peak_of([&] { model = expect_ok(load_model(path)); }), kMiB);
  EXPECT_EQ(model->graph->find("w")->initializer()->bytes().size(), 256 * kMiB);
}

TEST_F(Memory, WeightsInVarintsAreDecodedIntoMemoryOfTheirOwnSizeAndNoMore) {
  const TemporaryFolder folder;
  constexpr std::uint64_t kCount = 8 * kMiB;  // a zero is one byte as a varint, eight as int64
  const auto path = write_sparse_model(folder, tensor_of(onnx::TensorProto::INT64, kCount), 7, kCount);
  const std::uint64_t resident = anonymous_bytes();
  std::optional<Model> model;
  EXPECT_LT(peak_of([&] { model = expect_ok(load_model(path)); }), kMiB);
  const Tensor* weight = model->graph->find("w")->initializer();
  EXPECT_EQ(weight->bytes().size(), 8 * kCount);
#ifdef NDEBUG  // an instrumented heap keeps shadow memory too
  EXPECT_LT(anonymous_bytes(), resident + 8 * kCount + 4 * kMiB);
#else
  static_cast<void>(resident);
#endif
}

TEST_F(Memory, AShapeThatClaimsMoreThanThereIsTakesNoMemory) {
  const TemporaryFolder folder;
  const auto path =
      write_sparse_model(folder, tensor_of(onnx::TensorProto::INT64, std::int64_t{1} << 45U), 7, 4096);
  EXPECT_LT(peak_of([&] { expect_error(load_model(path), ErrorCode::kInvalidModel, "packed integers"); }),
            kMiB);
}

TEST_F(Memory, ExternalDataOfMoreThanTwoGigabytesIsMapped) {
  const TemporaryFolder folder;
  onnx::ModelProto proto = small_proto();
  auto* tensor = proto.mutable_graph()->add_initializer();
  *tensor = tensor_of(onnx::TensorProto::FLOAT, 768 * kMiB);
  tensor->set_data_location(onnx::TensorProto::EXTERNAL);
  auto* entry = tensor->add_external_data();
  entry->set_key("location");
  entry->set_value("weights.data");
  std::filesystem::resize_file(folder.write("weights.data", ""), 3072 * kMiB);
  const auto path = folder.write("large.onnx", proto.SerializeAsString());
  std::optional<Model> model;
  EXPECT_LT(peak_of([&] { model = expect_ok(load_model(path)); }), kMiB);
  EXPECT_EQ(model->graph->find("w")->initializer()->bytes().size(), 3072 * kMiB);
  expect_error(serialize_model(*model), ErrorCode::kResourceExhausted, "2 GiB");
}

}  // namespace
}  // namespace tarmac::test
