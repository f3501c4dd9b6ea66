#include "targets/known_operators.h"

#include <algorithm>
#include <array>

namespace tarmac {
namespace {

constexpr std::string_view kOpenvino = "OpenVINO 2026.4.0 (CPU)";
constexpr std::string_view kOnnxruntime = "ONNX Runtime 1.32.0";

constexpr std::array<KnownOperator, 12> kRows = {{
    {kOpenvino, "Attention", 23, 26, true},
    {kOpenvino, "Gelu", 20, 26, true},
    {kOpenvino, "HardSigmoid", 6, 26, true},
    {kOpenvino, "HardSwish", 14, 26, true},
    {kOpenvino, "LayerNormalization", 17, 26, true},
    {kOpenvino, "RMSNormalization", 23, 26, true},
    {kOnnxruntime, "Attention", 23, 26, true},
    {kOnnxruntime, "Gelu", 20, 26, true},
    {kOnnxruntime, "HardSigmoid", 6, 26, true},
    {kOnnxruntime, "HardSwish", 14, 26, true},
    {kOnnxruntime, "LayerNormalization", 17, 26, true},
    {kOnnxruntime, "RMSNormalization", 23, 26, true},
}};

}  // namespace

std::span<const KnownOperator> known_operators() { return kRows; }

std::optional<bool> known_operator(std::string_view engine, std::string_view op_type,
                                   std::int64_t opset_version) {
  const auto* row = std::find_if(kRows.begin(), kRows.end(), [&](const KnownOperator& candidate) {
    return candidate.engine == engine && candidate.op_type == op_type &&
           opset_version >= candidate.first_opset && opset_version <= candidate.last_opset;
  });
  return row == kRows.end() ? std::nullopt : std::optional(row->accepted);
}

}  // namespace tarmac
