#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tensor/npy.h"

namespace tarmac {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr std::size_t kMaxRank = 64;  // NumPy's own limit
constexpr std::size_t kDataAlignment = 64;

struct TypeRow {
  std::string_view code;  // NumPy's type character and size in bytes
  DType dtype;
};

constexpr std::array<TypeRow, 14> kTypes = {{{"b1", DType::kBool},
                                             {"i1", DType::kInt8},
                                             {"u1", DType::kUint8},
                                             {"i2", DType::kInt16},
                                             {"u2", DType::kUint16},
                                             {"i4", DType::kInt32},
                                             {"u4", DType::kUint32},
                                             {"i8", DType::kInt64},
                                             {"u8", DType::kUint64},
                                             {"f2", DType::kFloat16},
                                             {"f4", DType::kFloat32},
                                             {"f8", DType::kFloat64},
                                             {"c8", DType::kComplex64},
                                             {"c16", DType::kComplex128}}};

Error damaged(const std::string& what) {
  return make_error(ErrorCode::kInvalidInput, "damaged .npy header: " + what);
}

/// Reader of the one Python dictionary that a header holds; anything else in it is an error.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  Status parse(NpyHeader& header) {
    bool has_descr = false;
    bool has_order = false;
    bool has_shape = false;
    if (!take('{')) return unexpected("'{'");
    while (!take('}')) {
      TARMAC_TRY(const std::string_view key, string());
      if (!take(':')) return unexpected("':'");
      if (key == "descr" && !has_descr) {
        has_descr = true;
        TARMAC_CHECK_OK(descr(header));
      } else if (key == "fortran_order" && !has_order) {
        has_order = true;
        TARMAC_TRY(header.fortran_order, boolean());
      } else if (key == "shape" && !has_shape) {
        has_shape = true;
        TARMAC_TRY(header.shape, shape());
      } else {
        return damaged("unknown or repeated key '" + std::string(key) +
                       "'; allowed are descr, fortran_order, shape");
      }
      if (take(',')) continue;
      if (!take('}')) return unexpected("',' or '}'");
      break;
    }
    skip_spaces();
    if (at_ != text_.size()) return unexpected("the end of the header");
    if (!has_descr || !has_order || !has_shape) return damaged("it needs descr, fortran_order and shape");
    return {};
  }

 private:
  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }

  bool take(char wanted) {
    skip_spaces();
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  bool take(std::string_view wanted) {
    skip_spaces();
    if (text_.substr(at_, wanted.size()) != wanted) return false;
    at_ += wanted.size();
    return true;
  }

  [[nodiscard]] Error unexpected(const std::string& wanted) const {
    return damaged("expected " + wanted + " at character " + std::to_string(at_));
  }

  Result<std::string_view> string() {
    skip_spaces();
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"'))
      return unexpected("a quoted string");
    const std::size_t end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) return unexpected("a closed string");
    const std::string_view value = text_.substr(at_ + 1, end - at_ - 1);
    if (value.find('\\') != std::string_view::npos) return unexpected("a string without escapes");
    at_ = end + 1;
    return value;
  }

  Result<bool> boolean() {
    if (take(std::string_view("True"))) return true;
    if (take(std::string_view("False"))) return false;
    return unexpected("True or False");
  }

  Result<Shape> shape() {
    Shape shape;
    if (!take('(')) return unexpected("'('");
    while (!take(')')) {
      skip_spaces();
      std::int64_t size = 0;
      const char* begin = text_.data() + at_;
      const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), size);
      if (error != std::errc{} || size < 0) return unexpected("a size from 0 to 2^63-1");
      at_ += static_cast<std::size_t>(end - begin);
      shape.push_back(size);
      if (shape.size() > kMaxRank) return damaged("more than " + std::to_string(kMaxRank) + " dimensions");
      if (take(',')) continue;
      if (shape.size() == 1 || !take(')')) return unexpected("','");  // Python writes one size as "(3,)"
      break;
    }
    return shape;
  }

  Status descr(NpyHeader& header) {
    skip_spaces();
    if (at_ < text_.size() && text_[at_] == '[') {
      return make_error(ErrorCode::kUnsupported,
                        "the .npy file holds a structured dtype; save each field as an array of its own");
    }
    TARMAC_TRY(const std::string_view code, string());
    const std::string_view type = code.empty() ? code : code.substr(1);
    const char order = code.empty() ? ' ' : code[0];
    for (const TypeRow& row : kTypes) {
      if (type != row.code) continue;
      const bool one_byte = bit_width(row.dtype) == 8;
      if (order != '<' && order != '>' && order != '=' && !(order == '|' && one_byte)) break;
      header.dtype = row.dtype;
      header.big_endian = order == '>' && !one_byte;
      return {};
    }
    std::string hint = "save bool, integers, float16, float32, float64 or complex";
    if (!type.empty() && type[0] == 'O') hint = "Python objects are not read; " + hint;
    if (!type.empty() && (type[0] == 'U' || type[0] == 'S'))
      hint = "for strings use an ONNX TensorProto (.pb)";
    return make_error(ErrorCode::kUnsupported,
                      "the .npy file holds elements of dtype '" + std::string(code) + "'; " + hint);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Result<NpyHeader> parse_npy_header(std::span<const std::byte> bytes) {
  const std::string_view text = as_text(bytes);
  constexpr std::size_t kPrefix = kMagic.size() + 2;
  if (text.size() < kPrefix || text.substr(0, kMagic.size()) != kMagic) {
    return damaged("expected it to start with \\x93NUMPY and a version");
  }
  const auto major = std::to_integer<unsigned>(bytes[6]);
  const auto minor = std::to_integer<unsigned>(bytes[7]);
  if (major < 1 || major > 3 || minor != 0) {
    return make_error(ErrorCode::kUnsupported, ".npy format version " + std::to_string(major) + "." +
                                                   std::to_string(minor) +
                                                   "; versions 1.0, 2.0 and 3.0 are read");
  }
  const std::size_t length_bytes = major == 1 ? 2 : 4;
  if (bytes.size() < kPrefix + length_bytes) return damaged("the file ends inside it");
  std::size_t length = 0;
  for (std::size_t i = 0; i < length_bytes; ++i) {
    length |= std::to_integer<std::size_t>(bytes[kPrefix + i]) << (8 * i);
  }
  NpyHeader header;
  header.data_offset = kPrefix + length_bytes + length;
  if (header.data_offset > bytes.size()) {
    return damaged("it claims " + std::to_string(length) + " bytes, the file has " +
                   std::to_string(bytes.size() - kPrefix - length_bytes) + " left");
  }
  TARMAC_CHECK_OK(HeaderParser(text.substr(kPrefix + length_bytes, length)).parse(header));
  return header;
}

Result<std::string> make_npy_header(DType dtype, const Shape& shape) {
  std::string_view code;
  for (const TypeRow& row : kTypes) {
    if (row.dtype == dtype) code = row.code;
  }
  if (code.empty()) {
    return make_error(ErrorCode::kUnsupported, std::string("NumPy has no ") + to_string(dtype) +
                                                   "; convert it to float32 or an integer first");
  }
  if (shape.size() > kMaxRank) {
    return make_error(ErrorCode::kUnsupported, "NumPy arrays have at most " + std::to_string(kMaxRank) +
                                                   " dimensions, found " + std::to_string(shape.size()));
  }
  std::string dictionary = "{'descr': '";
  dictionary += bit_width(dtype) == 8 ? '|' : '<';
  dictionary += std::string(code) + "', 'fortran_order': False, 'shape': (";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) dictionary += ", ";
    dictionary += std::to_string(shape[i]);
  }
  dictionary += shape.size() == 1 ? ",), }" : "), }";
  const std::size_t prefix = kMagic.size() + 4;
  const std::size_t padding = kDataAlignment - 1 - (prefix + dictionary.size()) % kDataAlignment;
  dictionary.append(padding, ' ');
  dictionary += '\n';
  std::string header(kMagic);
  header += '\x01';
  header += '\x00';
  header += static_cast<char>(dictionary.size() & 0xffU);
  header += static_cast<char>(dictionary.size() >> 8U);
  return header + dictionary;
}

}  // namespace tarmac
