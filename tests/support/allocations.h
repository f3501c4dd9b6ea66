// Every allocation of a test program, counted and, where asked for, refused. A test that includes this lists
// support/allocations.cpp among its sources: the operators there replace those of the whole program.
#pragma once

#include <cstdint>
#include <vector>

namespace tarmac::test {

struct AllocationCounts {
  std::uint64_t ours = 0;  ///< asked for by this program's own code, with what it inlines of engines' headers
  std::uint64_t engines = 0;  ///< asked for by the libraries that it loads
};

/// Counts what all threads allocate while it lives. With TARMAC_SHOW_ALLOCATIONS in the environment, stderr
/// says where ours came from.
class CountAllocations {
 public:
  CountAllocations();
  ~CountAllocations();
  CountAllocations(const CountAllocations&) = delete;
  CountAllocations& operator=(const CountAllocations&) = delete;
  [[nodiscard]] AllocationCounts counts() const;
};

/// Refuses the n-th allocation of all threads while it lives, counted from 1, and no other; nor that where a
/// function is on the stack whose mangled name holds one of `exempt`. The program must export its symbols
/// (ENABLE_EXPORTS) for names to be known.
class RefuseAllocation {
 public:
  explicit RefuseAllocation(std::uint64_t n, std::vector<const char*> exempt = {});
  ~RefuseAllocation();
  RefuseAllocation(const RefuseAllocation&) = delete;
  RefuseAllocation& operator=(const RefuseAllocation&) = delete;
  /// Whether it came to that allocation.
  [[nodiscard]] static bool reached();
};

}  // namespace tarmac::test
