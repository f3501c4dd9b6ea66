#include "plan/digests.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <numeric>
#include <system_error>
#include <thread>

namespace tarmac {
namespace {

/// Below this a thread takes longer to start than the work.
constexpr std::uint64_t kWorthAThreadBytes = std::uint64_t{1} << 20U;

std::uint64_t size_of(const DigestParts& parts) {
  std::uint64_t size = 0;
  for (const auto& part : parts) size += part.size();
  return size;
}

}  // namespace

Result<std::vector<Sha256Digest>> sha256_each(const std::vector<DigestParts>& pieces) {
  std::vector<Sha256Digest> digests(pieces.size());
  std::vector<std::uint64_t> sizes;
  for (const DigestParts& piece : pieces) sizes.push_back(size_of(piece));
  std::vector<std::size_t> order(pieces.size());
  std::iota(order.begin(), order.end(), 0);
  // The longest first, so that none begins when the others are done.
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return sizes[a] > sizes[b]; });

  std::atomic<std::size_t> next{0};
  std::atomic<bool> out_of_memory{false};
  const auto work = [&]() noexcept {
    try {
      for (std::size_t i = next++; i < order.size(); i = next++) {
        Sha256 hash;
        for (const auto& part : pieces[order[i]]) hash.update(part);
        digests[order[i]] = hash.finish();
      }
    } catch (const std::bad_alloc&) {
      out_of_memory = true;
    }
  };
  std::vector<std::thread> helpers;
  const auto long_pieces = static_cast<std::size_t>(std::count_if(
      sizes.begin(), sizes.end(), [](std::uint64_t size) { return size >= kWorthAThreadBytes; }));
  const std::size_t threads = std::min<std::size_t>(std::thread::hardware_concurrency(), long_pieces);
  helpers.reserve(threads);
  try {
    for (std::size_t i = 1; i < threads; ++i) helpers.emplace_back(work);
  } catch (const std::system_error&) {
    // Fewer threads do as well.
  }
  work();
  for (std::thread& helper : helpers) helper.join();
  if (out_of_memory) return make_error(ErrorCode::kResourceExhausted, "no memory for SHA-256");
  return digests;
}

}  // namespace tarmac
