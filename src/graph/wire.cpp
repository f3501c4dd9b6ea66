#include "graph/wire.h"

#include <cassert>
#include <charconv>
#include <list>
#include <optional>
#include <random>

namespace tarmac {
namespace {

/// The messages that can hold a tensor, directly or further in.
enum class Message : std::uint8_t { kModel, kGraph, kNode, kAttribute, kTensor, kFunction, kOther };

Message child(Message message, std::uint32_t field) {
  switch (message) {
    case Message::kModel:
      return field == 7 ? Message::kGraph : field == 25 ? Message::kFunction : Message::kOther;
    case Message::kGraph:
      return field == 1 ? Message::kNode : field == 5 ? Message::kTensor : Message::kOther;
    case Message::kFunction:
      return field == 7 ? Message::kNode : field == 11 ? Message::kAttribute : Message::kOther;
    case Message::kNode:
      return field == 5 ? Message::kAttribute : Message::kOther;
    case Message::kAttribute:
      if (field == 5 || field == 10) return Message::kTensor;
      return field == 6 || field == 11 ? Message::kGraph : Message::kOther;
    case Message::kTensor:
    case Message::kOther:
      break;
  }
  return Message::kOther;
}

constexpr std::uint32_t kRawData = 9;
constexpr std::uint32_t kExternalData = 13;
constexpr int kMaxDepth = 90;  // protobuf itself parses 100 levels

bool is_value_field(std::uint32_t field) {
  // float_data, int32_data, int64_data, raw_data, double_data, uint64_data; strings stay in the skeleton.
  return field == 4 || field == 5 || field == 7 || field == kRawData || field == 10 || field == 11;
}

enum class WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

/// One field of a message, as places in the scanned bytes.
struct Field {
  std::uint32_t number = 0;
  WireType type = WireType::kVarint;
  std::size_t begin = 0;    ///< of the tag
  std::size_t payload = 0;  ///< of the content, for kBytes
  std::size_t end = 0;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  Result<Field> field(std::size_t position, std::size_t end) {
    Field field;
    field.begin = position;
    TARMAC_TRY(const std::uint64_t tag, varint(position, end));
    field.number = static_cast<std::uint32_t>(tag >> 3U);
    if (tag >> 3U == 0 || tag >> 3U > 0x1FFFFFFFU) return bad("field number out of range", field.begin);
    std::uint64_t length = 0;
    switch (tag & 7U) {
      case 0: {
        TARMAC_CHECK_OK(varint(position, end));
        break;
      }
      case 1:
        length = 8;
        break;
      case 2: {
        TARMAC_TRY(length, varint(position, end));
        break;
      }
      case 5:
        length = 4;
        break;
      default:
        return bad("wire type " + std::to_string(tag & 7U) + ", which ONNX does not use", field.begin);
    }
    field.type = static_cast<WireType>(tag & 7U);
    field.payload = position;
    if (length > end - position) {
      return bad("a field of " + std::to_string(length) + " bytes where " + std::to_string(end - position) +
                     " are left",
                 field.begin);
    }
    field.end = position + static_cast<std::size_t>(length);
    return field;
  }

  static Error bad(const std::string& what, std::size_t offset) {
    return make_error(ErrorCode::kInvalidModel, "not a well-formed ONNX file: at byte " +
                                                    std::to_string(offset) + ": " + what +
                                                    "; the file may be truncated or of another kind");
  }

 private:
  /// Reads a varint and moves `position` behind it.
  Result<std::uint64_t> varint(std::size_t& position, std::size_t end) {
    std::uint64_t value = 0;
    const std::size_t begin = position;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (position >= end) return bad("ends inside a number", begin);
      const auto byte = std::to_integer<std::uint64_t>(bytes_[position++]);
      value |= (byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    return bad("a number longer than 10 bytes", begin);
  }

  std::span<const std::byte> bytes_;
};

void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80U) {
    out += static_cast<char>((value & 0x7FU) | 0x80U);
    value >>= 7U;
  }
  out += static_cast<char>(value);
}

void append_bytes_header(std::string& out, std::uint32_t field, std::uint64_t length) {
  append_varint(out, (std::uint64_t{field} << 3U) | 2U);
  append_varint(out, length);
}

void append_bytes_field(std::string& out, std::uint32_t field, std::string_view content) {
  append_bytes_header(out, field, content.size());
  out += content;
}

class Stripper {
 public:
  Stripper(std::span<const std::byte> bytes, std::size_t threshold)
      : bytes_(bytes), reader_(bytes), threshold_(threshold) {}

  Status message(Message kind, std::size_t begin, std::size_t end, int depth, std::string& out) {
    if (depth > kMaxDepth) return Reader::bad("graphs nested too deep", begin);
    bool stripped = false;
    for (std::size_t position = begin; position < end;) {
      TARMAC_TRY(const Field field, reader_.field(position, end));
      position = field.end;
      if (field.type == WireType::kBytes) {
        if (const Message inner = child(kind, field.number); inner != Message::kOther) {
          std::string content;
          TARMAC_CHECK_OK(message(inner, field.payload, field.end, depth + 1, content));
          append_bytes_field(out, field.number, content);
          continue;
        }
        if (kind == Message::kTensor && is_value_field(field.number) &&
            field.end - field.payload >= threshold_) {
          if (stripped) return Reader::bad("a tensor with two value fields", field.begin);
          stripped = true;
          append_marker(out, field);
          continue;
        }
      }
      out.append(reinterpret_cast<const char*>(bytes_.data()) + field.begin, field.end - field.begin);
    }
    return {};
  }

  std::vector<Payload> payloads;

 private:
  void append_marker(std::string& out, const Field& field) {
    std::string entry;
    append_bytes_field(entry, 1, payload_key());
    append_bytes_field(entry, 2, std::to_string(payloads.size()));
    append_bytes_field(out, kExternalData, entry);
    payloads.push_back({static_cast<int>(field.number), field.payload, field.end - field.payload});
  }

  std::span<const std::byte> bytes_;
  Reader reader_;
  std::size_t threshold_;
};

/// Index of the payload that an external_data entry stands for, if it is one of ours.
std::optional<std::size_t> marker_index(std::string_view entry) {
  std::string prefix;
  append_bytes_field(prefix, 1, payload_key());
  if (!entry.starts_with(prefix) || entry.size() < prefix.size() + 2) return std::nullopt;
  const std::string_view digits = entry.substr(prefix.size() + 2);  // tag and length, one byte each
  std::size_t index = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), index);
  return index;
}

class Splicer {
 public:
  Splicer(const std::string& skeleton, std::span<const Chunk> payloads)
      : skeleton_(skeleton), reader_(std::as_bytes(std::span(skeleton))), payloads_(payloads) {}

  struct Pieces {
    std::list<Chunk> chunks;
    std::list<std::string> literals;
    std::uint64_t size = 0;
  };

  Pieces message(Message kind, std::size_t begin, std::size_t end) {
    Pieces pieces;
    for (std::size_t position = begin; position < end;) {
      auto parsed = reader_.field(position, end);
      assert(parsed.ok());  // protobuf wrote it
      const Field field = *parsed;
      position = field.end;
      const std::string_view content(skeleton_.data() + field.payload, field.end - field.payload);
      if (field.type == WireType::kBytes) {
        if (const Message inner = child(kind, field.number); inner != Message::kOther) {
          Pieces nested = message(inner, field.payload, field.end);
          header(pieces, field.number, nested.size);
          pieces.size += nested.size;
          pieces.chunks.splice(pieces.chunks.end(), nested.chunks);
          pieces.literals.splice(pieces.literals.end(), nested.literals);
          continue;
        }
        if (kind == Message::kTensor && field.number == kExternalData) {
          if (const auto index = marker_index(content)) {
            assert(*index < payloads_.size());
            header(pieces, kRawData, payloads_[*index].size());
            append(pieces, payloads_[*index]);
            continue;
          }
        }
      }
      append(pieces, std::as_bytes(std::span(skeleton_).subspan(field.begin, field.end - field.begin)));
    }
    return pieces;
  }

 private:
  static void append(Pieces& pieces, Chunk chunk) {
    pieces.size += chunk.size();
    // Neighbouring parts of the skeleton become one piece.
    if (!pieces.chunks.empty() && pieces.chunks.back().data() + pieces.chunks.back().size() == chunk.data()) {
      pieces.chunks.back() = Chunk(pieces.chunks.back().data(), pieces.chunks.back().size() + chunk.size());
      return;
    }
    pieces.chunks.push_back(chunk);
  }

  static void header(Pieces& pieces, std::uint32_t field, std::uint64_t length) {
    std::string& literal = pieces.literals.emplace_back();
    append_bytes_header(literal, field, length);
    append(pieces, std::as_bytes(std::span(literal)));
  }

  const std::string& skeleton_;
  Reader reader_;
  std::span<const Chunk> payloads_;
};

}  // namespace

const std::string& payload_key() {
  static const std::string key = [] {
    std::random_device random;
    std::string text = "tarmac_payload";
    for (int i = 0; i < 4; ++i) text += "_" + std::to_string(random());
    return text;
  }();
  return key;
}

Result<StrippedModel> strip_payloads(std::span<const std::byte> model, std::size_t threshold_bytes) {
  Stripper stripper(model, threshold_bytes);
  StrippedModel result;
  TARMAC_CHECK_OK(stripper.message(Message::kModel, 0, model.size(), 0, result.skeleton));
  result.payloads = std::move(stripper.payloads);
  return result;
}

SplicedModel splice_payloads(const std::string& skeleton, std::span<const Chunk> payloads) {
  Splicer splicer(skeleton, payloads);
  auto pieces = splicer.message(Message::kModel, 0, skeleton.size());
  SplicedModel result;
  result.size_bytes = pieces.size;
  result.chunks.assign(pieces.chunks.begin(), pieces.chunks.end());
  result.literals = std::move(pieces.literals);
  return result;
}

}  // namespace tarmac
