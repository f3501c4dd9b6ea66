// An operator ready to run: its attributes read and checked once.
#pragma once

#include <cstddef>
#include <span>

#include "ops/parallel.h"
#include "ops/tensor_view.h"
#include "tarmac/result.h"

namespace tarmac::ops {

/// Thread-safe: one kernel may run on several threads at once, so run() changes nothing of it.
class Kernel {
 public:
  virtual ~Kernel() = default;
  /// Inputs and outputs in the order of the operator's schema; missing ones at the end or not present(). The
  /// outputs have the shapes that the schema infers from the inputs' shapes, which the caller has checked
  /// together with the dtypes; the numbers inside are not checked by anybody else. Must write every element
  /// of every output. Errors: kInvalidInput for values that make no sense (indices out of range), with what
  /// was found and expected.
  virtual Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
                     Parallel& parallel) const = 0;
};

/// 64-byte aligned memory of this thread that stays for its next use, so that a kernel allocates nothing once
/// it is warm. One block a thread: a second call gives the same memory. Not to be held across
/// Parallel::for_ranges() by a thread whose body asks for it as well; `slot` (below kScratchSlots) tells
/// blocks apart that live at once.
std::byte* scratch(std::size_t size_bytes, std::size_t slot = 0);
inline constexpr std::size_t kScratchSlots = 4;

}  // namespace tarmac::ops
