#include "tensor/proto.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/temporary_folder.h"
#include "tensor/codec.h"
#include "tensor/io.h"

namespace tarmac {
namespace {

using onnx::TensorProto;

TensorProto proto_of(DType dtype, const Shape& shape) {
  TensorProto proto;
  proto.set_name("t");
  proto.set_data_type(static_cast<int>(dtype));
  for (const std::int64_t size : shape) proto.add_dims(size);
  return proto;
}

TEST(TensorProto, EveryTypeComesBackThroughRawData) {
  for (int i = 1; i <= static_cast<int>(DType::kInt2); ++i) {
    const auto dtype = static_cast<DType>(i);
    if (dtype == DType::kString) continue;
    auto tensor = *Tensor::allocate(dtype, {3, 5});
    unsigned next = 1;
    for (std::byte& value : tensor.mutable_bytes()) value = static_cast<std::byte>(next++ & 1U);
    TensorProto proto;
    tensor_to_proto(tensor, proto);
    const auto back = tensor_from_proto(proto);
    ASSERT_TRUE(back.ok()) << to_string(dtype) << back.error().str();
    EXPECT_TRUE(identical(*back, tensor)) << to_string(dtype);
  }
}

TEST(TensorProto, ToProtoKeepsTheNameAndReplacesTheValues) {
  TensorProto proto = proto_of(DType::kInt64, {2});
  proto.add_int64_data(1);
  proto.add_int64_data(2);
  tensor_to_proto(Tensor::from<float>({1}, {3}), proto);
  EXPECT_EQ(proto.name(), "t");
  EXPECT_EQ(proto.int64_data_size(), 0);
  EXPECT_TRUE(identical(*tensor_from_proto(proto), Tensor::from<float>({1}, {3})));
}

TEST(TensorProto, ReadsTypedFields) {
  TensorProto floats = proto_of(DType::kFloat32, {2});
  floats.add_float_data(1.5F);
  floats.add_float_data(-2);
  EXPECT_TRUE(identical(*tensor_from_proto(floats), Tensor::from<float>({2}, {1.5F, -2})));

  TensorProto doubles = proto_of(DType::kFloat64, {1});
  doubles.add_double_data(1e300);
  EXPECT_TRUE(identical(*tensor_from_proto(doubles), Tensor::from<double>({1}, {1e300})));

  TensorProto int64s = proto_of(DType::kInt64, {});
  int64s.add_int64_data(-5);
  EXPECT_TRUE(identical(*tensor_from_proto(int64s), Tensor::from<std::int64_t>({}, {-5})));

  TensorProto uint32s = proto_of(DType::kUint32, {1});
  uint32s.add_uint64_data(4000000000U);
  EXPECT_TRUE(identical(*tensor_from_proto(uint32s), Tensor::from<std::uint32_t>({1}, {4000000000U})));

  TensorProto uint64s = proto_of(DType::kUint64, {1});
  uint64s.add_uint64_data(1ULL << 63U);
  EXPECT_TRUE(identical(*tensor_from_proto(uint64s), Tensor::from<std::uint64_t>({1}, {1ULL << 63U})));

  TensorProto complexes = proto_of(DType::kComplex64, {1});
  complexes.add_float_data(1);
  complexes.add_float_data(2);
  EXPECT_EQ(tensor_from_proto(complexes)->bytes().size(), 8U);
}

TEST(TensorProto, ReadsSmallTypesFromInt32Data) {
  for (const DType dtype : {DType::kInt32, DType::kInt16, DType::kInt8, DType::kUint8, DType::kUint16}) {
    TensorProto proto = proto_of(dtype, {2});
    proto.add_int32_data(100);
    proto.add_int32_data(7);
    EXPECT_EQ(*to_int64s(*tensor_from_proto(proto)), (std::vector<std::int64_t>{100, 7})) << to_string(dtype);
  }
  TensorProto half = proto_of(DType::kFloat16, {2});
  half.add_int32_data(0x3c00);
  half.add_int32_data(0xc000);
  EXPECT_EQ(*to_doubles(*tensor_from_proto(half)), (std::vector<double>{1, -2}));

  TensorProto bfloat = proto_of(DType::kBFloat16, {1});
  bfloat.add_int32_data(0x3f80);
  EXPECT_EQ(*to_doubles(*tensor_from_proto(bfloat)), (std::vector<double>{1}));

  TensorProto fp8 = proto_of(DType::kFloat8E4M3FN, {1});
  fp8.add_int32_data(0x38);
  EXPECT_EQ(*to_doubles(*tensor_from_proto(fp8)), (std::vector<double>{1}));

  TensorProto packed = proto_of(DType::kInt4, {3});
  packed.add_int32_data(0x21);
  packed.add_int32_data(0x0f);
  EXPECT_EQ(*to_doubles(*tensor_from_proto(packed)), (std::vector<double>{1, 2, -1}));
}

TEST(TensorProto, StringsComeBack) {
  const auto tensor = Tensor::of_strings({2}, {"red", std::string("\0\xff", 2)});
  TensorProto proto;
  tensor_to_proto(*tensor, proto);
  EXPECT_TRUE(identical(*tensor_from_proto(proto), *tensor));
  proto.set_raw_data("red");
  EXPECT_EQ(tensor_from_proto(proto).error().code, ErrorCode::kInvalidModel);
}

TEST(TensorProto, AnEmptyTensorNeedsNoValues) {
  EXPECT_EQ(tensor_from_proto(proto_of(DType::kFloat32, {0, 3}))->count(), 0);
  EXPECT_EQ(tensor_from_proto(proto_of(DType::kString, {0}))->count(), 0);
}

TEST(TensorProto, RefusesCountsThatDisagree) {
  const auto code = [](const TensorProto& proto) {
    const auto tensor = tensor_from_proto(proto);
    return tensor ? ErrorCode::kInternal : tensor.error().code;
  };
  TensorProto missing = proto_of(DType::kFloat32, {2});
  EXPECT_EQ(code(missing), ErrorCode::kInvalidModel);
  missing.add_float_data(1);
  EXPECT_EQ(code(missing), ErrorCode::kInvalidModel);

  TensorProto wrong_field = proto_of(DType::kFloat32, {1});
  wrong_field.add_int64_data(1);
  EXPECT_EQ(code(wrong_field), ErrorCode::kInvalidModel);

  TensorProto two_fields = proto_of(DType::kFloat32, {1});
  two_fields.add_float_data(1);
  two_fields.set_raw_data(std::string(4, '\0'));
  EXPECT_EQ(code(two_fields), ErrorCode::kInvalidModel);

  TensorProto raw = proto_of(DType::kFloat32, {2});
  raw.set_raw_data(std::string(7, '\0'));
  EXPECT_EQ(code(raw), ErrorCode::kInvalidModel);

  // A claim of 2^62 bytes must fail before memory is taken.
  TensorProto huge = proto_of(DType::kFloat32, {1LL << 60});
  huge.add_float_data(1);
  EXPECT_EQ(code(huge), ErrorCode::kInvalidModel);
  EXPECT_EQ(code(proto_of(DType::kInt8, {std::numeric_limits<std::int64_t>::max(), 2})),
            ErrorCode::kInvalidModel);
  EXPECT_EQ(code(proto_of(DType::kInt8, {-1})), ErrorCode::kInvalidModel);
}

TEST(TensorProto, RefusesValuesThatDoNotFitTheirType) {
  TensorProto bytes = proto_of(DType::kUint8, {1});
  bytes.add_int32_data(300);
  const auto tensor = tensor_from_proto(bytes);
  ASSERT_FALSE(tensor.ok());
  EXPECT_EQ(tensor.error().message, "damaged tensor: value 300 does not fit its data type");
  EXPECT_EQ(tensor.error().node, "t");

  TensorProto flag = proto_of(DType::kBool, {1});
  flag.add_int32_data(2);
  EXPECT_FALSE(tensor_from_proto(flag).ok());
  TensorProto narrow = proto_of(DType::kUint32, {1});
  narrow.add_uint64_data(1ULL << 32U);
  EXPECT_FALSE(tensor_from_proto(narrow).ok());
}

TEST(TensorProto, RefusesUnknownTypesExternalDataAndSegments) {
  for (const int type : {0, -1, 27, 1000}) {
    TensorProto proto = proto_of(DType::kFloat32, {0});
    proto.set_data_type(type);
    EXPECT_EQ(tensor_from_proto(proto).error().code, ErrorCode::kInvalidModel) << type;
  }
  TensorProto external = proto_of(DType::kFloat32, {1});
  external.set_data_location(TensorProto::EXTERNAL);
  auto* entry = external.add_external_data();
  entry->set_key("location");
  entry->set_value("weights.bin");
  EXPECT_EQ(tensor_from_proto(external).error().code, ErrorCode::kUnsupported);

  TensorProto segment = proto_of(DType::kFloat32, {0});
  segment.mutable_segment()->set_begin(0);
  EXPECT_EQ(tensor_from_proto(segment).error().code, ErrorCode::kUnsupported);
}

TEST(TensorProtoFile, ReadsValuesAndName) {
  const test::TemporaryFolder folder;
  TensorProto proto;
  proto.set_name("image");
  const Tensor tensor = Tensor::from<float>({2}, {1, 2});
  tensor_to_proto(tensor, proto);
  const auto path = folder.write("input_0.pb", proto.SerializeAsString());
  std::string name;
  EXPECT_TRUE(identical(*read_tensor_proto(path, &name), tensor));
  EXPECT_EQ(name, "image");
  EXPECT_TRUE(identical(*read_tensor(path), tensor));
}

TEST(TensorProtoFile, AFileCutAnywhereIsAnError) {
  const test::TemporaryFolder folder;
  TensorProto proto;
  tensor_to_proto(Tensor::from<float>({2, 2}, {1, 2, 3, 4}), proto);
  const std::string whole = proto.SerializeAsString();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto tensor = read_tensor_proto(folder.write("cut.pb", whole.substr(0, length)));
    ASSERT_FALSE(tensor.ok()) << length;
    EXPECT_EQ(tensor.error().context, folder / "cut.pb");
  }
}

}  // namespace
}  // namespace tarmac
