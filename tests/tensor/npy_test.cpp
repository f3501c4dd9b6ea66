#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/file.h"
#include "support/temporary_folder.h"
#include "tensor/io.h"
#include "tensor/npy.h"

namespace tarmac {
namespace {

using test::TemporaryFolder;

/// An .npy file of version 1.0 with this dictionary and these elements, unpadded.
std::string npy(const std::string& dictionary, const std::string& elements) {
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(dictionary.size() & 0xff);
  file += static_cast<char>(dictionary.size() >> 8);
  return file + dictionary + elements;
}

Result<Tensor> parse(const std::string& file) {
  return parse_npy(std::as_bytes(std::span(file)), std::make_shared<std::string>(file));
}

ErrorCode error_of(const std::string& file) {
  const auto tensor = parse(file);
  return tensor ? ErrorCode::kInternal : tensor.error().code;
}

const std::string kTwoBytes = "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }";

class NpyRoundTrip : public testing::TestWithParam<DType> {};

TEST_P(NpyRoundTrip, WritesAndReadsTheSameTensor) {
  const TemporaryFolder folder;
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{3}, Shape{2, 3, 4}, Shape{2, 0, 3}}) {
    auto tensor = *Tensor::allocate(GetParam(), shape);
    unsigned next = 0;
    for (std::byte& value : tensor.mutable_bytes()) value = static_cast<std::byte>(next++ * 37U);
    if (GetParam() == DType::kBool) {
      for (std::byte& value : tensor.mutable_bytes()) value &= std::byte{1};
    }
    ASSERT_TRUE(write_npy(folder / "a.npy", tensor).ok());
    const auto back = read_npy(folder / "a.npy");
    ASSERT_TRUE(back.ok()) << back.error().str();
    EXPECT_TRUE(identical(*back, tensor)) << to_string(shape);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(back->bytes().data()) % 64, 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, NpyRoundTrip,
                         testing::Values(DType::kBool, DType::kInt8, DType::kUint8, DType::kInt16,
                                         DType::kUint16, DType::kInt32, DType::kUint32, DType::kInt64,
                                         DType::kUint64, DType::kFloat16, DType::kFloat32, DType::kFloat64,
                                         DType::kComplex64, DType::kComplex128),
                         [](const auto& type) { return std::string(to_string(type.param)); });

TEST(Npy, ReadsBigEndian) {
  const auto tensor = parse(
      npy("{'descr': '>i2', 'fortran_order': False, 'shape': (2,)}", std::string("\x01\x02\xff\xfe", 4)));
  ASSERT_TRUE(tensor.ok()) << tensor.error().str();
  EXPECT_TRUE(identical(*tensor, Tensor::from<std::int16_t>({2}, {0x0102, -2})));
}

TEST(Npy, SwapsTheHalvesOfAComplexNumberSeparately) {
  const auto tensor = parse(
      npy("{'descr': '>c8', 'fortran_order': False, 'shape': ()}", std::string("\x3f\x80\0\0\x40\0\0\0", 8)));
  ASSERT_TRUE(tensor.ok());
  float parts[2];
  std::memcpy(parts, tensor->bytes().data(), sizeof parts);
  EXPECT_EQ(parts[0], 1.0F);
  EXPECT_EQ(parts[1], 2.0F);
}

TEST(Npy, ReadsFortranOrder) {
  // NumPy stores [[[0,1],[2,3],[4,5]], [[6,7],[8,9],[10,11]]] column by column.
  const auto tensor = parse(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 2), }",
                                std::string("\0\6\2\10\4\12\1\7\3\11\5\13", 12)));
  ASSERT_TRUE(tensor.ok());
  EXPECT_TRUE(
      identical(*tensor, Tensor::from<std::uint8_t>({2, 3, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})));
}

TEST(Npy, ReadsVersionsTwoAndThree) {
  for (const char version : {'\x02', '\x03'}) {
    std::string file("\x93NUMPY", 6);
    file += version;
    file += std::string("\0\x39\0\0\0", 5);
    ASSERT_EQ(kTwoBytes.size(), 0x39U);
    const auto tensor = parse(file + kTwoBytes + "ab");
    ASSERT_TRUE(tensor.ok()) << tensor.error().str();
    EXPECT_EQ(tensor->shape(), Shape{2});
  }
}

TEST(Npy, MapsTheFileInsteadOfCopying) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_npy(folder / "a.npy", Tensor::from<float>({2}, {1, 2})).ok());
  EXPECT_FALSE(read_npy(folder / "a.npy")->writable());
}

TEST(Npy, AFileCutAnywhereIsAnError) {
  const std::string whole = npy(kTwoBytes, "ab");
  ASSERT_TRUE(parse(whole).ok());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto tensor = parse(whole.substr(0, length));
    ASSERT_FALSE(tensor.ok()) << length;
    EXPECT_EQ(tensor.error().code, ErrorCode::kInvalidInput) << length;
  }
  EXPECT_EQ(error_of(whole + "c"), ErrorCode::kInvalidInput);
}

TEST(Npy, ADictionaryCutAnywhereIsAnError) {
  for (std::size_t length = 0; length < kTwoBytes.size(); ++length) {
    EXPECT_FALSE(parse(npy(kTwoBytes.substr(0, length), "ab")).ok()) << length;
  }
}

TEST(Npy, AnyChangedHeaderByteIsAnErrorOrStillTwoBytes) {
  const std::string whole = npy(kTwoBytes, "ab");
  for (std::size_t at = 0; at < whole.size() - 2; ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = whole;
      changed[at] = static_cast<char>(value);
      const auto tensor = parse(changed);
      ASSERT_TRUE(!tensor.ok() || tensor->bytes().size() == 2) << at << " " << value;
    }
  }
}

TEST(Npy, RefusesDamagedDictionaries) {
  const auto with_shape = [](const std::string& shape) {
    return npy("{'descr': '|u1', 'fortran_order': False, 'shape': " + shape + "}", "ab");
  };
  EXPECT_EQ(error_of(with_shape("(2)")), ErrorCode::kInvalidInput);
  EXPECT_EQ(error_of(with_shape("(-2,)")), ErrorCode::kInvalidInput);
  EXPECT_EQ(error_of(with_shape("(2.0,)")), ErrorCode::kInvalidInput);
  EXPECT_EQ(error_of(with_shape("(,)")), ErrorCode::kInvalidInput);
  EXPECT_EQ(error_of(with_shape("(9223372036854775808,)")), ErrorCode::kInvalidInput);
  EXPECT_EQ(error_of(with_shape("(9223372036854775807, 9223372036854775807)")), ErrorCode::kInvalidInput);
  EXPECT_EQ(error_of(with_shape("(4294967296, 4294967296, 1)")), ErrorCode::kInvalidInput);
  EXPECT_EQ(error_of(with_shape("(2,), 'shape': (2,)")), ErrorCode::kInvalidInput);
  EXPECT_EQ(error_of(with_shape("(2,), 'extra': 1")), ErrorCode::kInvalidInput);
  EXPECT_EQ(error_of(with_shape("(2,)} trailing")), ErrorCode::kInvalidInput);
  std::string deep = "(2";
  for (int i = 0; i < 100; ++i) deep += ", 1";
  EXPECT_EQ(error_of(with_shape(deep + ")")), ErrorCode::kInvalidInput);
  EXPECT_EQ(error_of(npy("{'fortran_order': False, 'shape': (2,)}", "ab")), ErrorCode::kInvalidInput);
  EXPECT_EQ(error_of(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}", "ab")),
            ErrorCode::kInvalidInput);
}

TEST(Npy, RefusesOtherDtypesWithTheRemedy) {
  const auto with_descr = [](const std::string& descr) {
    return parse(npy("{'descr': " + descr + ", 'fortran_order': False, 'shape': (2,)}", "ab"));
  };
  for (const char* descr :
       {"'|O'", "'<U5'", "'|S3'", "'<M8[ns]'", "'<f16'", "'u1'", "'|f4'", "'!f4'", "''", "'<'"}) {
    const auto tensor = with_descr(descr);
    ASSERT_FALSE(tensor.ok()) << descr;
    EXPECT_EQ(tensor.error().code, ErrorCode::kUnsupported) << descr;
  }
  EXPECT_NE(with_descr("[('a', '<f4')]").error().message.find("structured"), std::string::npos);
  EXPECT_NE(with_descr("'|O'").error().message.find("Python objects"), std::string::npos);
}

TEST(Npy, ErrorsNameTheFile) {
  const TemporaryFolder folder;
  EXPECT_EQ(read_npy(folder / "missing.npy").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(read_npy(folder.write("bad.npy", "no npy")).error().context, folder / "bad.npy");
}

TEST(Npy, TypesThatNumpyLacksAreRefusedAndNothingIsWritten) {
  const TemporaryFolder folder;
  for (const DType dtype : {DType::kBFloat16, DType::kFloat8E4M3FN, DType::kInt4}) {
    EXPECT_EQ(write_npy(folder / "a.npy", *Tensor::allocate(dtype, {2})).error().code,
              ErrorCode::kUnsupported);
  }
  EXPECT_EQ(write_npy(folder / "a.npy", *Tensor::of_strings({1}, {"x"})).error().code,
            ErrorCode::kUnsupported);
  EXPECT_EQ(folder.entries(), 0U);
}

TEST(ReadTensor, GoesByExtension) {
  const TemporaryFolder folder;
  const Tensor tensor = Tensor::from<float>({2}, {1, 2});
  ASSERT_TRUE(write_npy(folder / "a.npy", tensor).ok());
  ASSERT_TRUE(write_npz(folder / "one.npz", {{"x", tensor}}).ok());
  ASSERT_TRUE(write_npz(folder / "two.npz", {{"x", tensor}, {"y", tensor}}).ok());
  EXPECT_TRUE(identical(*read_tensor(folder / "a.npy"), tensor));
  EXPECT_TRUE(identical(*read_tensor(folder / "one.npz"), tensor));
  const auto two = read_tensor(folder / "two.npz");
  ASSERT_FALSE(two.ok());
  EXPECT_NE(two.error().message.find("x, y"), std::string::npos);
  EXPECT_EQ(read_tensor(folder.write("a.txt", "1 2")).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace tarmac
