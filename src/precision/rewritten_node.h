// What a rewrite made of a node, for reports.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tarmac {

struct RewrittenNode {
  std::string node;  ///< Node::label()
  std::string op_type;
  std::string became;  ///< e.g. "uint4 weights in blocks of 32", "QLinearConv"; empty when it was left alone
  std::string reason;  ///< why it was left alone, or did not become what was asked for; else empty
  std::uint64_t float_bytes = 0;   ///< of its weights before
  std::uint64_t stored_bytes = 0;  ///< and after, scales and zero points included
  /// ‖x·W − x·Ŵ‖ / ‖x·W‖ over rows of real activations: with weights rounded to nearest, and as stored.
  /// Absent without activations.
  std::optional<double> nearest_error = {};
  std::optional<double> error = {};
};

}  // namespace tarmac
