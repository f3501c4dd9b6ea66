// Operators that the engines were found to run when they were asked, so that optimising need not ask again:
// that takes an engine's libraries into memory (25 MB for OpenVINO).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tarmac {

/// A standard operator with float32 inputs. Every engine of known_engines() runs it in each opset from
/// `first_opset` to kLastKnownOpset; a test asks them whether that is true.
struct KnownOperator {
  std::string_view op_type;
  std::int64_t first_opset;
};
std::span<const KnownOperator> known_operators();
inline constexpr std::int64_t kLastKnownOpset = 26;

/// The engines that were asked, as Target::version() names them.
std::span<const std::string_view> known_engines();

/// False: ask the engine.
bool is_known_to_run(std::string_view engine, std::string_view op_type, std::int64_t opset_version);

}  // namespace tarmac
