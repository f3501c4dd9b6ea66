// What a model is: its inputs and outputs, operators, and what a run costs, before any engine sees it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tarmac/result.h"
#include "tarmac/tensor.h"

namespace tarmac {

/// One size of a tensor: a number, or a symbol ("batch") that is bound when the model runs; "" when unknown.
using TensorDim = std::variant<std::int64_t, std::string>;

/// An input or output as callers see it.
struct TensorSpec {
  std::string name;
  DType dtype = DType::kUndefined;              ///< kUndefined for what is not a tensor
  std::optional<std::vector<TensorDim>> shape;  ///< nullopt: unknown rank
  std::string type;                             ///< in words: "float32[batch, 3, 224, 224]", "seq(int64[])"

  bool operator==(const TensorSpec&) const = default;
};

/// Figures of a model file. What depends on sizes that the model leaves open is counted with the sizes in
/// `assumed_sizes`, and is absent where a size stays unknown even then.
struct ModelInfo {
  std::uint64_t file_bytes = 0;  ///< the model file itself
  std::string digest;            ///< SHA-256 of the model with its weights, in hexadecimal
  std::int64_t ir_version = 0;
  std::map<std::string, std::int64_t> opsets;  ///< domain ("" is ONNX) → version
  std::string producer;                        ///< name and version
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  /// "Conv" or "domain::Op" → nodes, over the main graph, nested graphs and function bodies.
  std::map<std::string, std::int64_t> operators;
  std::int64_t nodes = 0;
  std::int64_t parameters = 0;                        ///< elements of stored weights
  std::uint64_t weight_bytes = 0;                     ///< bytes of stored weights
  std::map<std::string, std::int64_t> assumed_sizes;  ///< symbol → size that the counts below took for it
  /// 2 × multiply–accumulates of Conv, ConvTranspose, ConvInteger, QLinearConv, Gemm, MatMul, MatMulInteger
  /// and QLinearMatMul, local functions inlined; other operators are not counted. Absent when none could be
  /// counted.
  std::optional<std::int64_t> flops;
  /// Nodes of these operators that `flops` leaves out: a size is unknown, or they lie in a nested graph,
  /// where the number of runs is.
  std::int64_t uncounted_nodes = 0;
  /// Highest sum of the sizes of all inputs and intermediate values alive at one node, in the file's node
  /// order, none computed in place; weights and what is inside nested graphs are not counted. An engine that
  /// fuses or reuses buffers needs less.
  std::optional<std::uint64_t> peak_activation_bytes;
  /// Why the two are absent; empty when they are not.
  std::string unknown_because;
};

struct InspectOptions {
  /// Sizes for symbols, by symbol ("batch" → 8); open sizes without one here count as 1.
  std::map<std::string, std::int64_t> sizes;
};

/// Reads an ONNX file. Errors: kNotFound, kIo, kInvalidModel, kUnsupported, as for every command that loads a
/// model.
Result<ModelInfo> inspect_model(const std::filesystem::path& path, const InspectOptions& options = {});

}  // namespace tarmac
