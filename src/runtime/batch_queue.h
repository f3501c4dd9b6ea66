// Items that wait to be run together.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/batch_sizes.h"
#include "tarmac/batcher.h"

namespace tarmac {

struct BatchItem {
  using Time = std::chrono::steady_clock::time_point;

  NamedTensors inputs;
  Batcher::Done done;
  std::optional<Time> deadline;
  Time submitted;
  Time patient_until;  ///< when it wants to wait no longer for others
  std::uint64_t number = 0;
};

/// Items by what may share a batch, oldest first. Knows no threads and no locks: its user does. Places in it
/// are used again, so that it allocates only when it is fuller than ever before, or meets new shapes.
class BatchQueue {
 public:
  using Time = BatchItem::Time;
  using Items = std::list<BatchItem>;

  /// `plan` may be null and must outlive the queue; the others as BatcherOptions and fixed_batch() say.
  BatchQueue(std::int64_t max_batch, std::size_t max_items, std::int64_t fixed, const PlanInfo* plan)
      : max_batch_(max_batch), max_items_(max_items), fixed_(fixed), plan_(plan) {}

  /// Takes an item that check_item() finds good; where it refuses, the item stays as it is. Errors:
  /// kResourceExhausted (full, or no memory), kOutOfRange.
  Status push(BatchItem& item);

  /// When a batch is due: in the past where one is full, else when the first item has no more patience.
  /// Absent: nothing waits.
  [[nodiscard]] std::optional<Time> due() const;
  /// Moves the items of the batch that is due first to `batch`, and those of the same shapes whose deadline
  /// has passed to `late`. Returns the batch to run them with; 0 when all were late.
  std::int64_t pop(Time now, Items& batch, Items& late);
  /// Gives back the places of items that are done with and empty.
  void recycle(Items& items);

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  /// Items of equal shapes. Stays when it is empty, since its shapes are likely to come again.
  struct Group {
    std::vector<Shape> shapes;  ///< by input, in the order of names
    BatchSizes sizes;
    std::int64_t most = 1;  ///< items in a batch
    Items items;
  };

  Result<Group*> group_of(const BatchItem& item);
  [[nodiscard]] static bool belongs(const Group& group, const NamedTensors& inputs);
  [[nodiscard]] static Time due(const Group& group);

  std::int64_t max_batch_;
  std::size_t max_items_;
  std::int64_t fixed_;
  const PlanInfo* plan_;
  std::list<Group> groups_;
  Items spare_;
  std::size_t size_ = 0;
};

}  // namespace tarmac
