#include <gtest/gtest.h>
#include <zip.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "support/temporary_folder.h"
#include "tensor/io.h"

namespace tarmac {
namespace {

using test::TemporaryFolder;

const std::map<std::string, Tensor>& sample() {
  static const std::map<std::string, Tensor> tensors = {
      {"weights", Tensor::from<float>({2, 2}, {1, 2, 3, 4})},
      {"labels", Tensor::from<std::int64_t>({3}, {0, 2, 1})},
      {"nothing", Tensor::from<float>({0, 4}, std::vector<float>{})},
      {"scope/scalar", Tensor::from<double>({}, {0.5})}};
  return tensors;
}

/// Packs entries as they are, by libzip.
std::filesystem::path zip_of(const TemporaryFolder& folder, const std::map<std::string, std::string>& entries,
                             int method) {
  const auto path = folder / "made.npz";
  int error = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &error);
  for (const auto& [name, content] : entries) {
    zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
    const auto index =
        static_cast<zip_uint64_t>(zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8));
    zip_set_file_compression(archive, index, method, 0);
  }
  EXPECT_EQ(zip_close(archive), 0);
  return path;
}

std::string npy_bytes(const TemporaryFolder& folder, const Tensor& tensor) {
  EXPECT_TRUE(write_npy(folder / "entry.npy", tensor).ok());
  return *read_file(folder / "entry.npy");
}

TEST(Npz, WritesAndReadsTheSameTensors) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_npz(folder / "a.npz", sample()).ok());
  const auto back = read_npz(folder / "a.npz");
  ASSERT_TRUE(back.ok()) << back.error().str();
  ASSERT_EQ(back->size(), sample().size());
  for (const auto& [name, tensor] : sample()) EXPECT_TRUE(identical(back->at(name), tensor)) << name;
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(Npz, EqualTensorsMakeEqualFiles) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_npz(folder / "a.npz", sample()).ok());
  ASSERT_TRUE(write_npz(folder / "b.npz", sample()).ok());
  EXPECT_EQ(*read_file(folder / "a.npz"), *read_file(folder / "b.npz"));
}

TEST(Npz, NoTensorsAreAnErrorAndLeaveNoFile) {
  const TemporaryFolder folder;
  EXPECT_EQ(write_npz(folder / "a.npz", {}).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(folder.entries(), 0U);
}

TEST(Npz, ReadsDeflatedEntries) {
  const TemporaryFolder folder;
  const Tensor zeros = Tensor::from<float>({1000}, std::vector<float>(1000, 0.0F));
  const auto path = zip_of(folder, {{"zeros.npy", npy_bytes(folder, zeros)}}, ZIP_CM_DEFLATE);
  const auto back = read_npz(path);
  ASSERT_TRUE(back.ok()) << back.error().str();
  EXPECT_TRUE(identical(back->at("zeros"), zeros));
}

TEST(Npz, AFileCutAnywhereIsAnErrorNeverACrash) {
  const TemporaryFolder folder;
  const auto path = zip_of(folder, {{"x.npy", npy_bytes(folder, sample().at("weights"))}}, ZIP_CM_DEFLATE);
  const std::string whole = *read_file(path);
  ASSERT_TRUE(read_npz(path).ok());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto tensors = read_npz(folder.write("cut.npz", whole.substr(0, length)));
    ASSERT_FALSE(tensors.ok()) << length;
    EXPECT_EQ(tensors.error().code, ErrorCode::kInvalidInput) << length;
    EXPECT_EQ(tensors.error().context, folder / "cut.npz");
  }
}

TEST(Npz, AFlippedBitNeverGivesOtherValuesSilently) {
  const TemporaryFolder folder;
  const Tensor& weights = sample().at("weights");
  const auto path = zip_of(folder, {{"x.npy", npy_bytes(folder, weights)}}, ZIP_CM_DEFLATE);
  const std::string whole = *read_file(path);
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string changed = whole;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    const auto tensors = read_npz(folder.write("flipped.npz", changed));
    if (!tensors.ok() || tensors->empty()) continue;
    EXPECT_TRUE(identical(tensors->begin()->second, weights)) << bit;
  }
}

TEST(Npz, RefusesForeignAndDamagedEntries) {
  const TemporaryFolder folder;
  const auto foreign = read_npz(zip_of(folder, {{"readme.txt", "hello"}}, ZIP_CM_STORE));
  ASSERT_FALSE(foreign.ok());
  EXPECT_NE(foreign.error().message.find("readme.txt"), std::string::npos);
  const auto damaged = read_npz(zip_of(folder, {{"x.npy", "hello"}}, ZIP_CM_STORE));
  ASSERT_FALSE(damaged.ok());
  EXPECT_NE(damaged.error().message.find("array 'x'"), std::string::npos);
  EXPECT_EQ(read_npz(folder / "missing.npz").error().code, ErrorCode::kNotFound);
}

TEST(Npz, AClaimBeyondWhatDeflateCanHoldTakesNoMemory) {
  const TemporaryFolder folder;
  const auto path = zip_of(folder, {{"x.npy", npy_bytes(folder, sample().at("weights"))}}, ZIP_CM_STORE);
  std::string bytes = *read_file(path);
  // The uncompressed size stands 22 bytes into the local and 24 bytes into the central header.
  const std::size_t central = bytes.find("PK\x01\x02");
  ASSERT_NE(central, std::string::npos);
  for (const std::size_t at : {std::size_t{22}, central + 24})
    bytes.replace(at, 4, std::string("\xff\xff\xff\x7f"));
  const auto tensors = read_npz(folder.write("bomb.npz", bytes));
  ASSERT_FALSE(tensors.ok());
  EXPECT_EQ(tensors.error().code, ErrorCode::kInvalidInput);
}

TEST(Npz, TypesThatNumpyLacksAreRefusedByName) {
  const TemporaryFolder folder;
  const Status status = write_npz(folder / "a.npz", {{"scale", *Tensor::allocate(DType::kBFloat16, {2})}});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(status.error().message.find("'scale'"), std::string::npos);
  EXPECT_EQ(folder.entries(), 0U);
}

}  // namespace
}  // namespace tarmac
