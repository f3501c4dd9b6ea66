#include "tarmac/memory_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "base/edge.h"
#include "support/allocations.h"
#include "support/expect.h"

namespace tarmac {
namespace {

using test::expect_error;
using test::expect_ok;

constexpr std::uint64_t kHead = 128;  // of a block, before the tensor's bytes

Tensor acquire(MemoryPool& pool, std::int64_t bytes) {
  return expect_ok(pool.acquire(DType::kUint8, Shape{bytes}));
}

TEST(MemoryPoolTest, GivesAlignedWritableTensors) {
  auto pool = expect_ok(MemoryPool::create());
  auto tensor = expect_ok(pool.acquire(DType::kFloat32, Shape{2, 3}));
  EXPECT_EQ(tensor.shape(), (Shape{2, 3}));
  EXPECT_EQ(tensor.bytes().size(), 24U);
  EXPECT_TRUE(tensor.writable());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.bytes().data()) % 64, 0U);
  EXPECT_EQ(expect_ok(pool.acquire(DType::kInt64, Shape{0})).count(), 0);
}

TEST(MemoryPoolTest, WastesAtMostAQuarter) {
  auto pool = expect_ok(MemoryPool::create({.limit_bytes = std::uint64_t{1} << 34U}));
  for (std::int64_t bytes = 256; bytes < 3'000'000; bytes += 1 + bytes / 97) {
    const Tensor tensor = acquire(pool, bytes);
    const std::uint64_t block = pool.counts().in_use_bytes - kHead;
    EXPECT_GE(block, static_cast<std::uint64_t>(bytes));
    EXPECT_LE(static_cast<double>(block), 1.25 * static_cast<double>(bytes)) << bytes;
  }
}

TEST(MemoryPoolTest, TakesABlockBackWithTheLastTensorThatSharesIt) {
  auto pool = expect_ok(MemoryPool::create());
  auto first = std::make_optional(acquire(pool, 1000));
  const std::byte* place = first->bytes().data();
  auto copy = std::make_optional(expect_ok(first->reshaped(Shape{10, 100})));
  first.reset();
  EXPECT_EQ(pool.counts().in_use_bytes, 1024 + kHead);
  EXPECT_NE(acquire(pool, 1000).bytes().data(), place);
  copy.reset();
  EXPECT_EQ(pool.counts().in_use_bytes, 0U);
  EXPECT_EQ(acquire(pool, 990).bytes().data(), place);
  const MemoryPoolCounts counts = pool.counts();
  EXPECT_EQ(counts.acquired, 3U);
  EXPECT_EQ(counts.reused, 1U);
  EXPECT_EQ(counts.held_bytes, 2 * (1024 + kHead));
  EXPECT_EQ(counts.peak_in_use_bytes, 2 * (1024 + kHead));
}

TEST(MemoryPoolTest, KeepsTensorsAliveAfterItself) {
  std::optional<Tensor> tensor;
  {
    auto pool = expect_ok(MemoryPool::create());
    tensor = acquire(pool, 5000);
    const auto copy = pool;
  }
  std::memset(tensor->mutable_bytes().data(), 7, 5000);
  EXPECT_EQ(tensor->bytes()[4999], std::byte{7});
}

TEST(MemoryPoolTest, AllocatesNothingForReuse) {
  auto pool = expect_ok(MemoryPool::create());
  for (const std::int64_t bytes : {100, 5000, 70'000}) acquire(pool, bytes);
  std::vector<Shape> shapes;
  for (int i = 0; i < 100; ++i) {
    for (const std::int64_t bytes : {100, 5000, 70'000}) shapes.push_back(Shape{bytes});
  }
  const test::CountAllocations allocations;
  for (Shape& shape : shapes) {
    const auto tensor = pool.acquire(DType::kUint8, std::move(shape));
    ASSERT_TRUE(tensor.ok());
    const Tensor& shared = *tensor;
    ASSERT_EQ(shared.bytes().data(), tensor->bytes().data());
  }
  EXPECT_EQ(allocations.counts().ours, 0U);
  EXPECT_EQ(pool.counts().reused, 300U);
}

TEST(MemoryPoolTest, SaysWhatIsInUseWhereItRefuses) {
  auto pool = expect_ok(MemoryPool::create({.limit_bytes = 4096}));
  const Tensor held = acquire(pool, 2000);
  expect_error(pool.acquire(DType::kUint8, Shape{2000}), ErrorCode::kResourceExhausted,
               "no room for 2000 bytes: 2176 of at most 4096");
  expect_error(pool.acquire(DType::kFloat64, Shape{std::int64_t{1} << 57U}), ErrorCode::kResourceExhausted);
  EXPECT_EQ(pool.counts().refused, 2U);
  EXPECT_EQ(pool.counts().in_use_bytes, 2048 + kHead);
  expect_error(pool.acquire(DType::kUint8, Shape{-1}), ErrorCode::kInvalidInput, "negative");
  expect_error(pool.acquire(DType::kFloat64, Shape{std::int64_t{1} << 62U}), ErrorCode::kInvalidInput);
  expect_error(pool.acquire(DType::kString, Shape{1}), ErrorCode::kInvalidInput, "string");
}

TEST(MemoryPoolTest, MakesRoomFromFreeBlocksOfOtherSizes) {
  auto pool = expect_ok(MemoryPool::create({.limit_bytes = 10'000}));
  for (int i = 0; i < 3; ++i) acquire(pool, 1000 << i);
  EXPECT_EQ(pool.counts().held_bytes, 1024 + 2048 + 4096 + 3 * kHead);
  const Tensor large = acquire(pool, 8000);
  EXPECT_LE(pool.counts().held_bytes, 10'000U);
  expect_error(pool.acquire(DType::kUint8, Shape{8000}), ErrorCode::kResourceExhausted);
  EXPECT_EQ(pool.counts().held_bytes, 8192 + kHead + 1024 + kHead) << "a refusal should give nothing back";
}

TEST(MemoryPoolTest, GivesFreeBlocksToTheSystem) {
  auto pool = expect_ok(MemoryPool::create());
  const Tensor kept = acquire(pool, 1000);
  acquire(pool, 100'000);
  pool.trim();
  EXPECT_EQ(pool.counts().held_bytes, 1024 + kHead);
  EXPECT_EQ(acquire(pool, 100'000).bytes().size(), 100'000U);
}

TEST(MemoryPoolTest, IsSharedByThreads) {
  auto pool = expect_ok(MemoryPool::create({.limit_bytes = 400'000}));
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 4; ++seed) {
    threads.emplace_back([seed, pool]() mutable {
      std::mt19937 random(seed);
      std::deque<Tensor> held;
      for (int i = 0; i < 3000; ++i) {
        auto tensor = pool.acquire(DType::kUint8, Shape{static_cast<std::int64_t>(1 + random() % 30'000)});
        if (tensor) {
          const auto mark = static_cast<unsigned char>(random());
          std::memset(tensor->mutable_bytes().data(), mark, tensor->bytes().size());
          held.push_back(*std::move(tensor));
        } else {
          EXPECT_EQ(tensor.error().code, ErrorCode::kResourceExhausted);
        }
        if (held.size() > random() % 8) {
          // All bytes still say the same: nobody else has written there.
          const Tensor& oldest = held.front();
          EXPECT_EQ(oldest.bytes().front(), oldest.bytes().back());
          held.pop_front();
        }
        if (i % 1000 == 999) pool.trim();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const MemoryPoolCounts counts = pool.counts();
  EXPECT_EQ(counts.in_use_bytes, 0U);
  EXPECT_LE(counts.held_bytes, 400'000U);
  EXPECT_LE(counts.peak_in_use_bytes, 400'000U);
  EXPECT_GT(counts.reused, 0U);
  pool.trim();
  EXPECT_EQ(pool.counts().held_bytes, 0U);
}

TEST(MemoryPoolTest, ReturnsAnErrorWhicheverAllocationFails) {
  bool refused = true;
  for (std::uint64_t n = 1; refused; ++n) {
    ASSERT_LT(n, 100U);
    Result<Tensor> tensor = Tensor();
    {
      const test::RefuseAllocation refusal(n);
      auto pool = MemoryPool::create();
      if (!pool) {
        tensor = pool.error();
      } else {
        tensor = at_edge([&] { return pool->acquire(DType::kUint8, Shape{1000}); });
        EXPECT_EQ(pool->counts().in_use_bytes > 0, tensor.ok());
      }
      refused = test::RefuseAllocation::reached();
    }
    EXPECT_EQ(tensor.ok(), !refused) << n;
    EXPECT_TRUE(tensor.ok() || tensor.error().code == ErrorCode::kResourceExhausted);
  }
}

}  // namespace
}  // namespace tarmac
