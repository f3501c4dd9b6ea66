#include "runtime/batch_queue.h"

#include <algorithm>
#include <string>

#include "base/edge.h"

namespace tarmac {
namespace {

constexpr std::size_t kMostEmptyGroups = 64;

}  // namespace

bool BatchQueue::belongs(const Group& group, const NamedTensors& inputs) {
  return std::equal(group.shapes.begin(), group.shapes.end(), inputs.begin(), inputs.end(),
                    [](const Shape& shape, const auto& input) { return shape == input.second.shape(); });
}

Result<BatchQueue::Group*> BatchQueue::group_of(const BatchItem& item) {
  for (Group& group : groups_) {
    if (belongs(group, item.inputs)) return &group;
  }
  TARMAC_TRY(BatchSizes sizes, BatchSizes::create(fixed_, plan_, item.inputs));
  if (groups_.size() >= kMostEmptyGroups) {
    const auto empty =
        std::find_if(groups_.begin(), groups_.end(), [](const Group& group) { return group.items.empty(); });
    if (empty != groups_.end()) groups_.erase(empty);
  }
  Group group;
  for (const auto& [name, tensor] : item.inputs) group.shapes.push_back(tensor.shape());
  group.most = sizes.most(max_batch_);
  group.sizes = std::move(sizes);
  groups_.push_back(std::move(group));
  return &groups_.back();
}

Status BatchQueue::push(BatchItem& item) {
  if (size_ >= max_items_) {
    return make_error(ErrorCode::kResourceExhausted,
                      "the batcher's queue is full: " + std::to_string(size_) +
                          " items wait; submit more slowly, or give it more contexts or a longer queue");
  }
  return at_edge([&]() -> Status {
    TARMAC_TRY(Group * group, group_of(item));
    if (spare_.empty()) spare_.emplace_back();
    spare_.front() = std::move(item);
    group->items.splice(group->items.end(), spare_, spare_.begin());
    ++size_;
    return {};
  });
}

BatchQueue::Time BatchQueue::due(const Group& group) {
  if (group.items.empty()) return Time::max();
  // Since when it could run, so that full groups do not pass by others for ever.
  if (group.items.size() >= static_cast<std::size_t>(group.most)) return group.items.front().submitted;
  Time due = Time::max();
  for (const BatchItem& item : group.items) due = std::min(due, item.patient_until);
  return due;
}

std::optional<BatchQueue::Time> BatchQueue::due() const {
  if (size_ == 0) return std::nullopt;
  Time first = Time::max();
  for (const Group& group : groups_) first = std::min(first, due(group));
  return first;
}

std::int64_t BatchQueue::pop(Time now, Items& batch, Items& late) {
  const auto first = std::min_element(groups_.begin(), groups_.end(),
                                      [](const Group& a, const Group& b) { return due(a) < due(b); });
  if (first == groups_.end()) return 0;
  Group& group = *first;
  std::int64_t taken = 0;
  while (!group.items.empty() && taken < group.most) {
    const BatchItem& item = group.items.front();
    const bool is_late = item.deadline && *item.deadline <= now;
    Items& to = is_late ? late : batch;
    to.splice(to.end(), group.items, group.items.begin());
    taken += is_late ? 0 : 1;
    --size_;
  }
  const std::int64_t size = taken > 0 ? group.sizes.batch_for(taken) : 0;
  // Behind the others, so that of several full groups each has its turn.
  groups_.splice(groups_.end(), groups_, first);
  return size;
}

void BatchQueue::recycle(Items& items) { spare_.splice(spare_.end(), items); }

}  // namespace tarmac
