#include "capi/refuse_allocation.h"

#include <cstdlib>
#include <new>

namespace tarmac::test {

thread_local std::uint64_t refuse = 0;

}  // namespace tarmac::test

void* operator new(std::size_t bytes) {
  using tarmac::test::refuse;
  if (refuse > 0 && --refuse == 0) throw std::bad_alloc();
  if (void* const memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t bytes, const std::nothrow_t& /*kind*/) noexcept {
  using tarmac::test::refuse;
  if (refuse > 0 && --refuse == 0) return nullptr;
  return std::malloc(bytes == 0 ? 1 : bytes);
}
void operator delete(void* memory, const std::nothrow_t& /*kind*/) noexcept { std::free(memory); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*bytes*/) noexcept { std::free(memory); }
