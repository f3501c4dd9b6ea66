// The map of one head after the other, so that it stays in the cache; blocks of queries, so that vectors are
// full.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/multi_scale_deformable_attention/cpu.cpp"
#include "ops/simd.h"
// After the instruction sets are chosen.
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After Highway.
#include <hwy/cache_control.h>

#include "ops/multi_scale_deformable_attention/gather-inl.h"
#include "ops/multi_scale_deformable_attention/operator.h"
#include "ops/multi_scale_deformable_attention/prepare-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tarmac::ops::msda::HWY_NAMESPACE {

/// One thread's work on a range of items.
class Worker {
 public:
  explicit Worker(const Plan& plan)
      : plan_(plan),
        p_(*plan.problem),
        block_(make_block(plan)),
        samples_(static_cast<std::size_t>(p_.samples())),
        depth_(static_cast<std::size_t>(p_.depth)),
        element_bytes_(static_cast<std::size_t>(bit_width(p_.value.dtype)) / 8) {
    std::memset(block_.zeros, 0, depth_ * sizeof(float));
    for (std::size_t s = 0; p_.reference.present() && s < samples_; ++s) {
      const auto point = static_cast<std::int64_t>(s);
      block_.reference_of[s] =
          static_cast<std::uint32_t>(p_.reference_of(point / p_.points, point % p_.points));
    }
  }

  void run(std::int64_t begin, std::int64_t end) {
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t part = item % plan_.parts;
      begin_head(item / plan_.parts / p_.heads, item / plan_.parts % p_.heads);
      attend(p_.queries * part / plan_.parts, p_.queries * (part + 1) / plan_.parts);
    }
  }

 private:
  static constexpr std::size_t kLine = 64;  ///< of the cache, bytes
  static constexpr std::int64_t kCellsAhead = 16;
  static constexpr std::size_t kLongVector = 16;  ///< lanes of the longest

  enum class Layout : std::uint8_t { kNone, kFloats, kPairs, kInPlace };

  void begin_head(std::int64_t b, std::int64_t m) {
    if (b == b_ && m == m_) return;
    b_ = b;
    m_ = m;
    head_ = head_of(p_, b, m);
    map_ = Layout::kNone;
    for (std::size_t d = 0; p_.value_scale.present() && d < depth_; ++d)
      block_.scale[d] = p_.scale_of(m, static_cast<std::int64_t>(d));
  }

  /// The layout that suits `seen` queries; makes the packed map where it is missing.
  Layout choose(std::int64_t seen) {
    if (map_ != Layout::kNone) return map_;
    const std::size_t cell_bytes = depth_ * sizeof(float);
    const bool fits = plan_.packed_cells <= kMaxPackedBytes / static_cast<std::int64_t>(cell_bytes);
    if (!fits || seen * p_.samples() * 4 < plan_.packed_cells * kReadsWorthPacking) return Layout::kInPlace;
    const bool narrow = p_.value.dtype == DType::kBFloat16 || p_.value.dtype == DType::kInt8;
    const bool in_pairs = depth_ >= kLongVector && depth_ % (2 * hn::Lanes(Floats())) == 0;
    map_ = narrow && in_pairs ? Layout::kPairs : Layout::kFloats;
    packed_ = scratch(static_cast<std::size_t>(plan_.packed_cells) * cell_bytes, kMapSlot);
    switch (p_.value.dtype) {
      case DType::kFloat16:
        pack<Float16>();
        break;
      case DType::kBFloat16:
        pack<BFloat16>();
        break;
      case DType::kInt8:
        pack<Int8>();
        break;
      default:
        pack<Float32>();
        break;
    }
    return map_;
  }

  [[nodiscard]] std::size_t cell_bytes() const {
    return depth_ * (map_ == Layout::kPairs ? sizeof(std::uint16_t) : sizeof(float));
  }

  template <class Type>
  HWY_INLINE void pack_cell(const typename Type::Raw* from, std::byte* to) const {
    if (map_ == Layout::kFloats) {
      copy_floats(Type(), from, depth_, reinterpret_cast<float*>(to));
      return;
    }
    const Floats d;
    const hn::RebindToUnsigned<Floats> words;
    const std::size_t lanes = hn::Lanes(d);
    for (std::size_t i = 0; i < depth_; i += 2 * lanes) {
      const auto first = hn::BitCast(words, load_floats(d, Type(), from + i));
      const auto second = hn::BitCast(words, load_floats(d, Type(), from + i + lanes));
      hn::StoreU(hn::Or(hn::ShiftRight<16>(first), hn::And(second, hn::Set(words, 0xFFFF0000U))), words,
                 reinterpret_cast<std::uint32_t*>(to) + i / 2);
    }
  }

  /// Each level with a row of zeros above and below and one cell of zeros before each row: the cell behind a
  /// row is the one before the next.
  template <class Type>
  HWY_INLINE void pack() {
    const auto* value = p_.value.as<typename Type::Raw>();
    const std::size_t cell = cell_bytes();
    std::byte* to = packed_;
    const auto zeros = [&](std::int64_t cells) {
      std::memset(to, 0, static_cast<std::size_t>(cells) * cell);
      to += static_cast<std::size_t>(cells) * cell;
    };
    const std::size_t ahead = static_cast<std::size_t>(kCellsAhead * p_.heads) * depth_;
    const std::int64_t last_ahead = (b_ + 1) * p_.cells - kCellsAhead;
    for (const Level& level : p_.levels()) {
      zeros(level.width + 1);
      std::int64_t row = b_ * p_.cells + level.start;
      for (std::int64_t y = 0; y < level.height; ++y) {
        zeros(1);
        for (std::int64_t x = 0; x < level.width; ++x, ++row, to += cell) {
          const auto* from = value + static_cast<std::size_t>(row * p_.heads + m_) * depth_;
          if (row < last_ahead) {
            for (std::size_t i = 0; i < depth_; i += kLine / sizeof *from) hwy::Prefetch(from + ahead + i);
          }
          pack_cell<Type>(from, to);
        }
      }
      zeros(level.width + 2);
    }
  }

  /// What the samples of a block have from their levels.
  void lay_out_levels(Layout layout) {
    if (layout == tables_) return;
    tables_ = layout;
    const auto unit = static_cast<std::int64_t>(layout == Layout::kInPlace ? 1 : cell_bytes());
    std::int64_t cells = 0;
    for (std::size_t l = 0; l < p_.levels().size(); ++l) {
      const Level& level = p_.levels()[l];
      const std::int64_t stride = layout == Layout::kInPlace ? level.width : level.width + 1;
      const std::int64_t base = layout == Layout::kInPlace ? level.start : cells + stride + 1;
      cells += packed_cells(level);
      const auto points = static_cast<std::size_t>(p_.points);
      const bool empty = level.width == 0 || level.height == 0;
      const float width = empty ? -1.0F : static_cast<float>(level.width);  // nothing is inside an empty map
      for (std::int64_t j = 0; j < plan_.block_queries; ++j) {
        const std::size_t at = static_cast<std::size_t>(j) * samples_ + l * points;
        std::fill_n(block_.width + at, points, width);
        std::fill_n(block_.height + at, points, static_cast<float>(level.height));
        std::fill_n(block_.base + at, points, static_cast<std::int32_t>(base * unit));
        std::fill_n(block_.stride + at, points, static_cast<std::int32_t>(stride * unit));
      }
    }
  }

  void attend(std::int64_t first, std::int64_t last) {
    std::int64_t seen = last - first;
    if (p_.mask.present()) {
      const std::byte* mask = p_.mask.data + p_.row(p_.mask, b_) * p_.queries;
      seen =
          std::count_if(mask + first, mask + last, [](std::byte seen_by) { return seen_by != std::byte{0}; });
    }
    if (m_ == 0 && seen < last - first) clear_unseen(first, last);
    if (seen == 0) return;
    const Layout layout = choose(seen);
    lay_out_levels(layout);
    std::int64_t q = first;
    std::size_t count = collect(q, last);
    while (count > 0) {
      std::swap(block_.queries, block_.next_queries);
      next_count_ = collect(q, last);
      read_block(head_, static_cast<std::size_t>(p_.reference_width), block_, samples_, count);
      if (p_.options.softmax) softmax(samples_, block_.attention, count);
      if (layout == Layout::kInPlace) {
        find_corners<false>(p_, block_, count * samples_, 0);
      } else {
        find_corners<true>(p_, block_, count * samples_, static_cast<std::int32_t>(cell_bytes()));
      }
      sum(layout, count);
      count = next_count_;
    }
  }

  /// The next block's queries, from q on.
  std::size_t collect(std::int64_t& q, std::int64_t last) {
    std::size_t count = 0;
    for (; q < last && static_cast<std::int64_t>(count) < plan_.block_queries; ++q) {
      if (p_.visible(b_, q)) block_.next_queries[count++] = q;
    }
    return count;
  }

  /// Results of all heads where queries are not seen, runs of them at once.
  void clear_unseen(std::int64_t first, std::int64_t last) {
    for (std::int64_t q = first; q < last;) {
      const std::int64_t begin = q;
      while (q < last && !p_.visible(b_, q)) ++q;
      std::memset(head_.output.row(begin), 0,
                  static_cast<std::size_t>(q - begin) * head_.output.stride_bytes);
      while (q < last && p_.visible(b_, q)) ++q;
    }
  }

  /// Asks for what query j of the next block reads and writes: its rows lie too far apart for the processor
  /// to guess.
  HWY_INLINE void prefetch(std::size_t j) const {
    if (j >= next_count_) return;
    const std::int64_t q = block_.next_queries[j];
    for (std::size_t i = 0; i < head_.sampling.row_bytes; i += kLine)
      hwy::Prefetch(head_.sampling.row(q) + i);
    for (std::size_t i = 0; i < head_.weights.row_bytes; i += kLine) hwy::Prefetch(head_.weights.row(q) + i);
    for (std::size_t i = 0; i < head_.output.row_bytes; i += kLine)
      __builtin_prefetch(head_.output.row(q) + i, 1);
  }

  void sum(Layout layout, std::size_t count) {
    const PackedPlaces places{packed_, cell_bytes()};
    const std::size_t row_bytes = static_cast<std::size_t>(p_.heads) * depth_ * element_bytes_;
    const std::byte* value = p_.value.data + static_cast<std::size_t>(b_ * p_.cells) * row_bytes +
                             static_cast<std::size_t>(m_) * depth_ * element_bytes_;
    if (layout == Layout::kPairs) {
      sum_from(PackedPairs{places}, count);
    } else if (layout == Layout::kFloats) {
      sum_from(PackedFloats{places}, count);
    } else if (p_.value.dtype == DType::kFloat16) {
      sum_from(InPlace<Float16>{value, row_bytes}, count);
    } else if (p_.value.dtype == DType::kBFloat16) {
      sum_from(InPlace<BFloat16>{value, row_bytes}, count);
    } else if (p_.value.dtype == DType::kInt8) {
      sum_from(InPlace<Int8>{value, row_bytes}, count);
    } else {
      sum_from(InPlace<Float32>{value, row_bytes}, count);
    }
  }

  template <class Source>
  HWY_INLINE void sum_from(const Source& source, std::size_t count) {
    if (depth_ >= kLongVector) {
      sum_queries(hn::CappedTag<float, kLongVector>(), source, count);
    } else if constexpr (!Source::kInPairs) {
      if (depth_ >= 8) {
        sum_queries(hn::CappedTag<float, 8>(), source, count);
      } else if (depth_ >= 4) {
        sum_queries(hn::CappedTag<float, 4>(), source, count);
      } else {
        sum_queries(hn::CappedTag<float, 1>(), source, count);
      }
    }
  }

  template <class D, class Source>
  HWY_NOINLINE void sum_queries(D d, const Source& source, std::size_t count) {
    for (std::size_t j = 0; j < count; ++j) {
      prefetch(j);
      const Destination to{p_.output.dtype, head_.output.row(block_.queries[j]),
                           p_.value_scale.present() ? block_.scale : nullptr};
      sum_query(d, source, block_, j * samples_, (j + 1) * samples_, depth_, to);
    }
  }

  const Plan& plan_;
  const Problem& p_;
  Block block_;
  Head head_;
  std::size_t samples_;
  std::size_t depth_;
  std::size_t element_bytes_;
  std::int64_t b_ = -1;
  std::int64_t m_ = -1;
  Layout map_ = Layout::kNone;
  Layout tables_ = Layout::kNone;
  std::byte* packed_ = nullptr;
  std::size_t next_count_ = 0;
};

void run_items(const Plan& plan, std::int64_t begin, std::int64_t end) { Worker(plan).run(begin, end); }

}  // namespace tarmac::ops::msda::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tarmac::ops::msda {
namespace {

HWY_EXPORT(run_items);

/// Samples of a block, unless one query has more: they fit the first-level cache beside a piece of the map.
constexpr std::int64_t kBlockSamples = 128;
/// Samples that are worth a thread.
constexpr std::int64_t kRangeSamples = 4096;
/// Items for each worker, to even out.
constexpr std::int64_t kItemsPerWorker = 4;

Plan make_plan(const Problem& p, int workers) {
  Plan plan;
  plan.problem = &p;
  plan.block_queries = std::clamp<std::int64_t>(kBlockSamples / p.samples(), 1, p.queries);
  for (const Level& level : p.levels()) plan.packed_cells += packed_cells(level);
  const std::int64_t wanted = workers * kItemsPerWorker;
  const std::int64_t heads = p.batch * p.heads;
  const std::int64_t most = p.queries / plan.block_queries * plan.block_queries * p.samples() / kRangeSamples;
  plan.parts = std::clamp<std::int64_t>((wanted + heads - 1) / heads, 1, std::max<std::int64_t>(most, 1));
  return plan;
}

class Cpu final : public Kernel {
 public:
  explicit Cpu(const Options& options) : options_(options) {}

  Status run(std::span<const ConstTensorView> inputs, std::span<const TensorView> outputs,
             Parallel& parallel) const override {
    TARMAC_TRY(const Problem problem, read_problem(options_, inputs, outputs));
    const std::int64_t count = problem.output.count();
    if (count == 0) return {};
    if (problem.samples() == 0) {
      std::memset(
          problem.output.data, 0,
          static_cast<std::size_t>(count) * static_cast<std::size_t>(bit_width(problem.output.dtype)) / 8);
      return {};
    }
    const Plan plan = make_plan(problem, parallel.workers());
    const std::int64_t item_samples = problem.queries / plan.parts * problem.samples();
    const std::int64_t grain = kRangeSamples / std::max<std::int64_t>(item_samples, 1) + 1;
    const auto body = HWY_DYNAMIC_DISPATCH(run_items);
    parallel.for_ranges(plan.items(), grain,
                        [&](std::int64_t begin, std::int64_t end) { body(plan, begin, end); });
    return {};
  }

 private:
  Options options_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_cpu(const Attributes& attributes) {
  TARMAC_TRY(const Options options, read_options(attributes));
  return std::unique_ptr<Kernel>(std::make_unique<Cpu>(options));
}

}  // namespace tarmac::ops::msda
#endif
