#include "runtime/batch_stage.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <set>

namespace tarmac {
namespace {

constexpr std::size_t kMostLayouts = 64;
constexpr std::uint64_t kAlignment = 64;  // as Tensor::allocate()

// The steps of a batch, for planning its memory.
constexpr std::size_t kGather = 0;
constexpr std::size_t kRun = 1;
constexpr std::size_t kSlice = 2;

Shape with_batch(Shape shape, std::int64_t batch) {
  shape.front() = batch;
  return shape;
}

/// The sizes of one item of an output; none where more than the batch is open, or the batch is not surely the
/// one of the inputs.
std::optional<Shape> item_shape(const TensorSpec& output, const std::set<TensorDim>& batch_axes) {
  if (!output.shape || batch_axes.size() != 1 || output.shape->front() != *batch_axes.begin() ||
      output.shape->front() == TensorDim(std::string())) {
    return std::nullopt;
  }
  Shape shape{1};
  for (std::size_t i = 1; i < output.shape->size(); ++i) {
    const auto* size = std::get_if<std::int64_t>(&(*output.shape)[i]);
    if (size == nullptr) return std::nullopt;
    shape.push_back(*size);
  }
  return shape;
}

}  // namespace

BatchStage::BatchStage(Session& session) : session_(session) {
  std::set<TensorDim> batch_axes;
  for (const TensorSpec& input : session.inputs())
    batch_axes.insert(input.shape ? input.shape->front() : TensorDim(std::string()));
  for (const TensorSpec& output : session.outputs()) output_items_.push_back(item_shape(output, batch_axes));
  results_.resize(session.outputs().size());
}

bool BatchStage::fits(const Layout& layout, const NamedTensors& item, std::int64_t batch) const {
  if (layout.batch != batch) return false;
  for (std::size_t i = 0; i < layout.inputs.size(); ++i) {
    const Shape& shape = item.at(session_.inputs()[i].name).shape();
    const Shape& staged = layout.inputs[i].shape();
    if (!std::equal(shape.begin() + 1, shape.end(), staged.begin() + 1, staged.end())) return false;
  }
  return true;
}

Status BatchStage::add_layout(const NamedTensors& item, std::int64_t batch) {
  struct Part {
    DType dtype;
    Shape shape;
  };
  std::vector<Part> parts;
  std::vector<BlockLifetime> blocks;
  const auto add = [&](DType dtype, Shape shape, std::size_t first, std::size_t last) -> Status {
    TARMAC_TRY(const std::size_t bytes, size_bytes(dtype, shape));
    parts.push_back({dtype, std::move(shape)});
    blocks.push_back({.bytes = bytes, .alignment = kAlignment, .first_use = first, .last_use = last});
    return {};
  };
  for (const TensorSpec& input : session_.inputs())
    TARMAC_CHECK_OK(add(input.dtype, with_batch(item.at(input.name).shape(), batch), kGather, kRun));
  for (std::size_t i = 0; i < output_items_.size(); ++i) {
    if (!output_items_[i]) continue;
    TARMAC_CHECK_OK(add(session_.outputs()[i].dtype, with_batch(*output_items_[i], batch), kRun, kSlice));
  }
  TARMAC_TRY(const MemoryPlan plan, plan_memory(blocks));
  TARMAC_CHECK_OK(grow(plan.total_bytes));

  Layout layout{.batch = batch, .inputs = {}, .outputs = {}};
  std::size_t next = 0;
  const auto place = [&]() -> Result<Tensor> {
    const std::size_t i = next++;
    const std::span<std::byte> bytes(memory_.get() + plan.offsets[i], blocks[i].bytes);
    return Tensor::mutable_view(parts[i].dtype, std::move(parts[i].shape), bytes, memory_);
  };
  for (std::size_t i = 0; i < session_.inputs().size(); ++i) {
    TARMAC_TRY(Tensor tensor, place());
    layout.inputs.push_back(std::move(tensor));
  }
  for (const auto& known : output_items_) {
    TARMAC_TRY(Tensor tensor, known ? place() : Result<Tensor>(Tensor()));
    layout.outputs.push_back(std::move(tensor));
  }
  if (layouts_.size() == kMostLayouts) layouts_.erase(layouts_.begin());
  layouts_.push_back(std::move(layout));
  bound_ = false;
  return {};
}

/// Layouts of smaller memory are made anew when they are met again.
Status BatchStage::grow(std::uint64_t bytes) {
  if (bytes <= memory_bytes_ && memory_ != nullptr) return {};
  TARMAC_TRY(Tensor memory, Tensor::allocate(DType::kUint8, Shape{static_cast<std::int64_t>(bytes)}));
  layouts_.clear();
  bound_ = false;
  memory_bytes_ = bytes;
  auto owner = std::make_shared<Tensor>(std::move(memory));
  memory_ = std::shared_ptr<std::byte>(owner, owner->mutable_bytes().data());
  return {};
}

Status BatchStage::bind(const Layout& layout) {
  for (std::size_t i = 0; i < layout.inputs.size(); ++i)
    TARMAC_CHECK_OK(session_.set_input(session_.inputs()[i].name, layout.inputs[i]));
  for (std::size_t i = 0; i < layout.outputs.size(); ++i) {
    if (!layout.outputs[i].empty())
      TARMAC_CHECK_OK(session_.set_output(session_.outputs()[i].name, layout.outputs[i]));
  }
  bound_ = true;
  return {};
}

Status BatchStage::reserve(const NamedTensors& item, std::int64_t batch) {
  if (!layouts_.empty() && fits(layouts_.back(), item, batch))
    return bound_ ? Status() : bind(layouts_.back());
  bound_ = false;
  const auto known = std::find_if(layouts_.begin(), layouts_.end(),
                                  [&](const Layout& layout) { return fits(layout, item, batch); });
  if (known != layouts_.end()) {
    std::rotate(known, known + 1, layouts_.end());
  } else {
    TARMAC_CHECK_OK(add_layout(item, batch));
  }
  return bind(layouts_.back());
}

Status BatchStage::gather(std::span<const NamedTensors* const> items, std::int64_t batch) {
  assert(!items.empty() && static_cast<std::int64_t>(items.size()) <= batch);
  TARMAC_CHECK_OK(reserve(*items.front(), batch));
  Layout& layout = layouts_.back();
  for (std::size_t i = 0; i < layout.inputs.size(); ++i) {
    const std::span<std::byte> staged = layout.inputs[i].mutable_bytes();
    const std::size_t item_bytes = staged.size() / static_cast<std::size_t>(batch);
    if (item_bytes == 0) continue;
    for (std::size_t k = 0; k < static_cast<std::size_t>(batch); ++k) {
      const NamedTensors& item = *items[std::min(k, items.size() - 1)];
      const std::span<const std::byte> bytes = item.at(session_.inputs()[i].name).bytes();
      assert(bytes.size() == item_bytes);
      std::memcpy(staged.data() + k * item_bytes, bytes.data(), item_bytes);
    }
  }
  return {};
}

Status BatchStage::collect() {
  const Layout& layout = layouts_.back();
  for (std::size_t i = 0; i < results_.size(); ++i) {
    const TensorSpec& spec = session_.outputs()[i];
    if (!layout.outputs[i].empty()) {
      results_[i] = layout.outputs[i];
      continue;
    }
    TARMAC_CHECK_OK(session_.read_output(spec.name, results_[i]));
    const Shape& shape = results_[i].shape();
    if (shape.empty() || shape.front() != layout.batch) {
      return make_error(ErrorCode::kUsage,
                        "output '" + spec.name + "' came as " + to_string(shape) + " of a batch of " +
                            std::to_string(layout.batch) +
                            ", so that it cannot be cut into items; run the model with one item at a time",
                        spec.name);
    }
  }
  return {};
}

Result<NamedTensors> BatchStage::slice(std::int64_t index, MemoryPool* pool) const {
  NamedTensors item;
  for (std::size_t i = 0; i < results_.size(); ++i) {
    const Tensor& all = results_[i];
    Shape shape = with_batch(all.shape(), 1);
    TARMAC_TRY(Tensor one, pool != nullptr ? pool->acquire(all.dtype(), std::move(shape))
                                           : Tensor::allocate(all.dtype(), std::move(shape)));
    const std::size_t bytes = one.bytes().size();
    if (bytes > 0)
      std::memcpy(one.mutable_bytes().data(), all.bytes().data() + static_cast<std::size_t>(index) * bytes,
                  bytes);
    item.emplace(session_.outputs()[i].name, std::move(one));
  }
  return item;
}

}  // namespace tarmac
