#include "ops/multi_scale_deformable_attention/cpu_plan.h"

#include <type_traits>

namespace tarmac::ops::msda {
namespace {

constexpr std::size_t kAlignment = 64;
/// Whole vectors may be read and written behind the last sample of a block.
constexpr std::size_t kSlack = 64;

/// Lays arrays out one behind the other; counts only while it has no memory.
class Arrays {
 public:
  explicit Arrays(std::byte* memory) : memory_(memory) {}

  template <typename T>
  void take(T*& array, std::size_t count) {
    if (memory_ != nullptr) array = reinterpret_cast<T*>(memory_ + size_bytes_);
    size_bytes_ += ((count + kSlack) * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
  }
  [[nodiscard]] std::size_t size_bytes() const { return size_bytes_; }

 private:
  std::byte* memory_;
  std::size_t size_bytes_ = 0;
};

void lay_out(const Plan& plan, Arrays& arrays, Block& block) {
  const Problem& p = *plan.problem;
  const auto queries = static_cast<std::size_t>(plan.block_queries);
  const std::size_t samples = queries * static_cast<std::size_t>(p.samples());
  const auto depth = static_cast<std::size_t>(p.depth);
  arrays.take(block.sampling, 2 * samples);
  arrays.take(block.attention, samples);
  if (p.reference.present()) {
    arrays.take(block.reference, 2 * samples);
    if (p.reference_width == 4) arrays.take(block.reference_box, 2 * samples);
    arrays.take(block.reference_row, static_cast<std::size_t>(p.references * p.reference_width));
    arrays.take(block.reference_of, samples);
  }
  arrays.take(block.width, samples);
  arrays.take(block.height, samples);
  arrays.take(block.base, samples);
  arrays.take(block.stride, samples);
  arrays.take(block.weights, 4 * samples);
  arrays.take(block.places, 4 * samples);
  arrays.take(block.inside, samples / 8);
  arrays.take(block.queries, queries);
  arrays.take(block.next_queries, queries);
  arrays.take(block.scale, depth);
  arrays.take(block.zeros, depth * sizeof(float));
}

/// Elements [B or a divisor of it, Q, parts, count], of which the head reads part m.
template <typename Byte>
Strip<Byte> strip(const Problem& p, const BasicTensorView<Byte>& tensor, std::int64_t b, std::int64_t parts,
                  std::int64_t m, std::int64_t count) {
  const auto row_bytes = static_cast<std::size_t>(count * bit_width(tensor.dtype) / 8);
  const auto before = static_cast<std::size_t>(b / (p.batch / tensor.dim(0)) * p.queries * parts + m);
  return {tensor.data + before * row_bytes, static_cast<std::size_t>(parts) * row_bytes, row_bytes,
          tensor.dtype};
}

}  // namespace

Head head_of(const Problem& p, std::int64_t b, std::int64_t m) {
  Head head;
  head.sampling = strip(p, p.sampling, b, p.heads, m, 2 * p.samples());
  head.weights = strip(p, p.weights, b, p.heads, m, p.samples());
  if (p.reference.present())
    head.references = strip(p, p.reference, b, 1, 0, p.references * p.reference_width);
  head.output = strip(p, p.output, b, p.heads, m, p.depth);
  return head;
}

Block make_block(const Plan& plan) {
  Block block{};
  Arrays count(nullptr);
  lay_out(plan, count, block);
  Arrays place(scratch(count.size_bytes(), kBlockSlot));
  lay_out(plan, place, block);
  return block;
}

}  // namespace tarmac::ops::msda
