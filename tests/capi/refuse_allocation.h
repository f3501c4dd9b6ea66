// Memory that runs out at a moment of choice, on one thread.
#pragma once

#include <cstdint>

namespace tarmac::test {

/// The allocation of this thread that fails, counted from 1; 0: none, or it has failed.
extern thread_local std::uint64_t refuse;

}  // namespace tarmac::test
