// Models in files: loading that trusts nothing, saving that leaves no torn file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace tarmac {

/// Loads an ONNX file. Large weights stay in the file, mapped. Before it returns, the model has passed onnx's
/// checker; every weight's size agrees with its shape; external data lies in a regular file inside the
/// model's own folder. Lost on the way, since nothing reads them: doc strings of attributes, and names and
/// doc strings of tensors. The file must not be changed in place while the model lives (replacing it, as
/// save_model() does, is safe). Errors: kNotFound, kIo, kInvalidInput (a folder or device), kInvalidModel
/// (what was found, where), kUnsupported (newer than the onnx library, experimental operators, graphs nested
/// too deep).
Result<Model> load_model(const std::filesystem::path& path);

/// As load_model() from memory that `owner` keeps alive. External data is looked for in `folder`; empty:
/// refused.
Result<Model> parse_model(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                          const std::filesystem::path& folder = {});

struct SaveOptions {
  /// Weights go to a second file, named after the first and the data's SHA-256, when the model would exceed
  /// this. protobuf itself cannot read 2 GiB or more.
  std::uint64_t external_above_bytes = std::uint64_t{1900} << 20U;
  /// Smaller tensors stay in the model file even then.
  std::uint64_t min_external_tensor_bytes = 1024;
};

/// Writes the model atomically; an existing file is replaced or, on an error, left as it was. External data
/// is in place before the model that names it; the data file of a replaced model is left, since others may
/// use it.
Status save_model(const Model& model, const std::filesystem::path& path, const SaveOptions& options = {});

/// The model as one ONNX file in memory. kResourceExhausted at 2 GiB and more.
Result<std::string> serialize_model(const Model& model);

/// A model in two pieces: an ONNX file without large weights, and these, which it calls external data.
struct SplitModel {
  std::string program;
  std::vector<Tensor> tensors;  ///< whose bytes `weights` shows
  /// The second piece: each tensor's bytes from a multiple of the alignment on, zeros between and after.
  std::vector<std::span<const std::byte>> weights;
  std::uint64_t weights_bytes = 0;
};

/// Tensors of 1 KiB and more become external data at `location`. `alignment_bytes` is at most 4096. Errors:
/// kResourceExhausted when what remains has 2 GiB.
Result<SplitModel> split_model(const Model& model, const std::string& location,
                               std::uint64_t alignment_bytes);

/// What split_model() wrote, with the checks of load_model(); `owner` keeps both pieces alive. External data
/// elsewhere than at `location` is refused.
Result<Model> parse_split_model(std::span<const std::byte> program, std::span<const std::byte> weights,
                                const std::string& location, std::shared_ptr<const void> owner);

/// SHA-256 over the serialised model, weights included; equal for equal models, wherever they were loaded
/// from.
Result<std::string> model_digest(const Model& model);

/// A deep copy that shares the weights' bytes.
Model clone_model(const Model& model);

/// Structural invariants (links, order, names), then onnx's checker. kInternal for broken links, else
/// kInvalidModel.
Status verify_model(const Model& model);

/// The invariants of graph.h for one graph and those nested in it: every use has its reader and back, every
/// value is produced before it is read, names are unique in each scope. kInternal with the name where it
/// fails.
Status verify_links(const Graph& graph);

/// ONNX's textual syntax (onnx.parser), e.g. "<ir_version: 8, opset_import: ["" : 17]> g (float[N] x) =>
/// (float[N] y) {…}".
Result<Model> model_from_text(const std::string& text);
/// The same syntax, for people: tensors of more than `max_elements` elements are shown by type only, and
/// values of 16- and 8-bit floats as numbers, where the parser takes their bits. All else reads back.
std::string model_to_text(const Model& model, std::size_t max_elements = 16);

struct CompareOptions {
  bool names = false;  ///< value and node names must agree too; names of model inputs and outputs always must
};
/// Empty if the two models compute the same graph, independent of node order; else the first difference in
/// words.
std::string structural_difference(const Model& a, const Model& b, const CompareOptions& options = {});

}  // namespace tarmac
