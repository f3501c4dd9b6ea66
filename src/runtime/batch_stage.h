// The memory in which a session's batches are put together and taken apart.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "runtime/plan_memory.h"
#include "tarmac/memory_pool.h"
#include "tarmac/result.h"
#include "tarmac/session.h"

namespace tarmac {

/// Puts items one after the other along the first axis, and cuts results into items. All tensors of a batch
/// lie in one piece of memory, which grows with the largest batch met and is then used again; only new shapes
/// allocate. One thread at a time.
///
///   stage.gather(items, batch); session.run(); stage.collect(); stage.slice(i)
class BatchStage {
 public:
  /// Of a model that has a batch axis (fixed_batch()). `session` must outlive it, stay in place, and have its
  /// tensors bound by nobody else.
  explicit BatchStage(Session& session);

  /// Makes memory for batches of `batch` items like `item` ready. Errors: kResourceExhausted, set_input()'s.
  Status reserve(const NamedTensors& item, std::int64_t batch);
  /// Copies the items, of equal shapes and checked by check_item(), and repeats the last until there are
  /// `batch`; binds them. `items` must not be empty nor more than `batch`. Errors: as reserve().
  Status gather(std::span<const NamedTensors* const> items, std::int64_t batch);
  /// Takes the results of a run. Errors: kUsage (an output whose first axis is not the batch).
  Status collect();
  /// Item `index` of them, copied into memory of the system or of `pool`. Errors: kResourceExhausted.
  [[nodiscard]] Result<NamedTensors> slice(std::int64_t index, MemoryPool* pool = nullptr) const;

 private:
  /// The tensors of a batch in the common memory, in the order of the model's inputs and outputs.
  struct Layout {
    std::int64_t batch = 0;
    std::vector<Tensor> inputs;
    std::vector<Tensor> outputs;  ///< empty ones are the engine's own
  };

  [[nodiscard]] bool fits(const Layout& layout, const NamedTensors& item, std::int64_t batch) const;
  Status add_layout(const NamedTensors& item, std::int64_t batch);
  Status grow(std::uint64_t bytes);
  Status bind(const Layout& layout);

  Session& session_;
  std::vector<std::optional<Shape>>
      output_items_;  ///< by output: sizes of an item where the model tells them
  std::shared_ptr<std::byte> memory_;
  std::uint64_t memory_bytes_ = 0;
  std::vector<Layout> layouts_;  ///< the latest used is the last
  bool bound_ = false;           ///< whether it is that one
  std::vector<Tensor> results_;
};

}  // namespace tarmac
