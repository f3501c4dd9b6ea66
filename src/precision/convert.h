// A model in another precision, from plan to proof.
#pragma once

#include <string>
#include <vector>

#include "precision/cast_plan.h"
#include "precision/to_float32.h"

namespace tarmac {

struct PrecisionReport {
  DType type = DType::kFloat16;
  std::size_t nodes_16_bit = 0;   ///< nodes that read or make such floats, casts between the two not counted
  std::size_t nodes_float32 = 0;  ///< nodes that read or make float32 only
  std::size_t casts = 0;          ///< between float32 and the type, in the result
  std::uint64_t weight_bytes_before = 0;
  std::uint64_t weight_bytes_after = 0;
  std::vector<KeptInFloat32> kept;
  /// The emitted model, run with every node rounded, against the source in float32.
  std::vector<PlannedOutput> outputs;
  std::uint64_t samples = 0;
  int rounds = 0;
  bool everything_float32 = false;
  bool proven = false;  ///< the emitted model agreed; false where random numbers forbid the comparison
};

/// Rewrites a float32 model to float16 or bfloat16 with float32 where the plan keeps it. Local functions are
/// inlined, floats of the other 16-bit type are made float32 first. `engine` computes single nodes for the
/// emulated runs. Errors: kInvalidInput without data; kUnsupported
/// (an opset without the type, types of the source that do not fit together); kAcceptance when even the
/// emitted model's emulated run does not agree; the engine's with the node; kCancelled. The model is
/// unchanged on an error.
Result<PrecisionReport> convert_precision(Model& model, const PlanOptions& options, Target& engine,
                                          const DataFactory& data, Progress& progress);

/// Bytes of stored weights, Constant nodes and nested graphs included.
std::uint64_t weight_bytes(const Model& model);

}  // namespace tarmac
