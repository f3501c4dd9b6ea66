#include "targets/known_operators.h"

#include <algorithm>
#include <array>

namespace tarmac {
namespace {

constexpr std::array<std::string_view, 2> kEngines = {"OpenVINO 2026.4.0 (CPU)", "ONNX Runtime 1.32.0"};

/// What passes emit, and what ONNX defines by other operators, which engines without a kernel fall back to.
constexpr std::array<KnownOperator, 15> kOperators = {{{"Attention", 23},
                                                       {"Clip", 13},
                                                       {"Elu", 13},
                                                       {"Gelu", 20},
                                                       {"GreaterOrEqual", 13},
                                                       {"HardSigmoid", 13},
                                                       {"HardSwish", 14},
                                                       {"LayerNormalization", 17},
                                                       {"LessOrEqual", 13},
                                                       {"LogSoftmax", 13},
                                                       {"PRelu", 13},
                                                       {"RMSNormalization", 23},
                                                       {"Relu", 13},
                                                       {"Softmax", 13},
                                                       {"Softplus", 13}}};

}  // namespace

std::span<const KnownOperator> known_operators() { return kOperators; }

std::span<const std::string_view> known_engines() { return kEngines; }

bool is_known_to_run(std::string_view engine, std::string_view op_type, std::int64_t opset_version) {
  return opset_version <= kLastKnownOpset &&
         std::find(kEngines.begin(), kEngines.end(), engine) != kEngines.end() &&
         std::any_of(kOperators.begin(), kOperators.end(), [&](const KnownOperator& known) {
           return known.op_type == op_type && opset_version >= known.first_opset;
         });
}

}  // namespace tarmac
