// Weights stay out of protobuf: the wire format of a ModelProto is scanned, large payloads are noted as
// places in the file, and what remains is small enough to parse; saving does the reverse. Source: protobuf
// encoding specification; field numbers of onnx.proto (IR version 13).
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <vector>

#include "tarmac/result.h"

namespace tarmac {

/// Where a tensor's values lie in the scanned bytes, and in which TensorProto field (9 raw_data, 4
/// float_data, …).
struct Payload {
  int field = 0;
  std::size_t offset = 0;
  std::size_t size = 0;
};

/// A model without its large payloads. In their place each such TensorProto has one external_data entry whose
/// key is payload_key() and whose value is the index into `payloads`.
struct StrippedModel {
  std::string skeleton;
  std::vector<Payload> payloads;
};

/// Chosen at random when the process starts, so that no file can contain it.
const std::string& payload_key();

/// Scans a serialised ModelProto and takes out value fields of at least `threshold_bytes`.
/// Errors: kInvalidModel with the byte offset, for anything that is not well-formed protobuf or nests too
/// deep.
Result<StrippedModel> strip_payloads(std::span<const std::byte> model, std::size_t threshold_bytes);

/// Piece of a serialised model: literal bytes or a tensor's bytes.
using Chunk = std::span<const std::byte>;

/// The reverse: a list of pieces which, one after the other, are the model with every payload back as
/// raw_data. `payloads[i]` replaces the marker with index i. The chunks borrow from `literals` and
/// `payloads`.
struct SplicedModel {
  std::vector<Chunk> chunks;
  std::list<std::string> literals;  ///< a list: chunks point into the strings, which must not move
  std::uint64_t size_bytes = 0;
};
SplicedModel splice_payloads(const std::string& skeleton, std::span<const Chunk> payloads);

}  // namespace tarmac
