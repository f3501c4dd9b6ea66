#include "runtime/run_batch.h"

#include <algorithm>
#include <cstring>

#include "runtime/profiles.h"

namespace tarmac {
namespace {

Error usage(std::string what) { return make_error(ErrorCode::kUsage, std::move(what)); }

/// The batch that the model's inputs fix; nothing where they leave it open.
std::optional<std::int64_t> fixed_batch(const std::vector<TensorSpec>& inputs) {
  for (const TensorSpec& input : inputs) {
    if (!input.shape || input.shape->empty()) continue;
    if (const auto* size = std::get_if<std::int64_t>(&input.shape->front())) return *size;
  }
  return std::nullopt;
}

std::optional<std::int64_t> profile_batch(const std::vector<PlanProfile>& profiles) {
  if (profiles.empty()) return std::nullopt;
  for (const auto& [input, range] : profiles.front().shapes) {
    if (!range.opt.empty()) return range.opt.front();
  }
  return std::nullopt;
}

Result<std::int64_t> settle_batch(const SessionContext& context, std::size_t items, std::int64_t asked) {
  const SessionModel& model = context.model();
  if (!model.state.empty())
    return usage("the model carries state from run to run, so its frames cannot run together");
  if (context.has_outputs_bound())
    return usage("outputs are bound to memory of one shape; use another context for batches");
  if (asked < 0) return usage("batch is " + std::to_string(asked) + "; give 1 or more, or 0");
  const auto fixed = fixed_batch(model.inputs);
  if (fixed && asked != 0 && asked != *fixed) {
    return usage("batch " + std::to_string(asked) + " was asked for, but the model's batch is fixed to " +
                 std::to_string(*fixed));
  }
  if (fixed) return *fixed;
  if (asked != 0) return asked;
  return profile_batch(model.profiles).value_or(static_cast<std::int64_t>(items));
}

/// Bytes of one item; it must be whole bytes for items to lie side by side.
Result<std::size_t> item_bytes(const std::string& name, const Tensor& tensor, std::int64_t count) {
  const bool whole = bit_width(tensor.dtype()) * tensor.count() % (8 * std::max<std::int64_t>(count, 1)) == 0;
  if (tensor.dtype() != DType::kString && whole)
    return tensor.bytes().size() / static_cast<std::size_t>(count);
  return make_error(
      ErrorCode::kUnsupported,
      "'" + name + "' is of type " + to_string(tensor.dtype()) + ", of which items cannot be put together",
      name);
}

/// The memory of a batch, used again by the next of the same size.
class Batch {
 public:
  /// Gives the context items [first, first + count), the last repeated up to `size`.
  Status bind(SessionContext& context, std::span<const NamedTensors> items, std::size_t first,
              std::size_t count, std::int64_t size) {
    for (const auto& [name, sample] : items[first]) {
      TARMAC_TRY(const std::size_t bytes, item_bytes(name, sample, 1));
      if (sample.shape().empty() || sample.shape().front() != 1) return not_one(name, sample);
      TARMAC_TRY(const auto memory, memory_for(name, sample, size));
      for (std::size_t i = 0; i < static_cast<std::size_t>(size); ++i) {
        const NamedTensors& item = items[first + std::min(i, count - 1)];
        const auto found = item.find(name);
        if (found == item.end() || found->second.dtype() != sample.dtype() ||
            found->second.shape() != sample.shape()) {
          return make_error(ErrorCode::kInvalidInput,
                            "item " + std::to_string(first + std::min(i, count - 1)) + " has another '" +
                                name + "' than item " + std::to_string(first) +
                                ", with which it would run: " + to_string(sample.dtype()) + " " +
                                to_string(sample.shape()),
                            name);
        }
        std::memcpy(memory.data() + i * bytes, found->second.bytes().data(), bytes);
      }
      TARMAC_CHECK_OK(context.set_input(name, tensors_[name]));
    }
    return {};
  }

 private:
  static Error not_one(const std::string& name, const Tensor& tensor) {
    return make_error(
        ErrorCode::kInvalidInput,
        "'" + name + "' of an item is " + to_string(tensor.shape()) + "; its first size must be 1", name);
  }

  Result<std::span<std::byte>> memory_for(const std::string& name, const Tensor& sample, std::int64_t size) {
    Shape shape = sample.shape();
    shape.front() = size;
    Tensor& tensor = tensors_[name];
    if (tensor.dtype() != sample.dtype() || tensor.shape() != shape) {
      TARMAC_TRY(tensor, Tensor::allocate(sample.dtype(), shape));
    }
    return tensor.mutable_bytes();
  }

  NamedTensors tensors_;
};

/// Copies the first `count` slices of each output.
Status take_results(SessionContext& context, std::int64_t size, std::size_t count,
                    std::vector<NamedTensors>& results) {
  const std::size_t first = results.size();
  results.resize(first + count);
  Tensor made;
  for (const TensorSpec& output : context.model().outputs) {
    TARMAC_CHECK_OK(context.engine().read_output(output.name, made));
    if (made.shape().empty() || made.shape().front() != size) {
      return usage("output '" + output.name + "' came as " + to_string(made.shape()) + " for a batch of " +
                   std::to_string(size) + ", so its first axis is not the items'");
    }
    TARMAC_TRY(const std::size_t bytes, item_bytes(output.name, made, size));
    Shape shape = made.shape();
    shape.front() = 1;
    for (std::size_t i = 0; i < count; ++i) {
      TARMAC_TRY(Tensor slice, Tensor::allocate(made.dtype(), shape));
      std::memcpy(slice.mutable_bytes().data(), made.bytes().data() + i * bytes, bytes);
      results[first + i].emplace(output.name, std::move(slice));
    }
  }
  return {};
}

/// Whether a plan makes a batch of this size ready.
bool is_ready(const SessionModel& model, const NamedTensors& item, std::int64_t size) {
  std::map<std::string, Shape> shapes;
  for (const auto& [name, tensor] : item) {
    Shape& shape = shapes[name] = tensor.shape();
    if (!shape.empty()) shape.front() = size;
  }
  return model.has_open_shapes && is_bucket(model.profiles, shapes);
}

Result<std::vector<NamedTensors>> run_all(SessionContext& context, std::span<const NamedTensors> items,
                                          std::size_t batch) {
  std::vector<NamedTensors> results;
  results.reserve(items.size());
  Batch memory;
  for (std::size_t first = 0; first < items.size(); first += batch) {
    const std::size_t count = std::min(batch, items.size() - first);
    const bool smaller =
        count < batch && is_ready(context.model(), items[first], static_cast<std::int64_t>(count));
    const auto size = static_cast<std::int64_t>(smaller ? count : batch);
    TARMAC_CHECK_OK(memory.bind(context, items, first, count, size));
    TARMAC_CHECK_OK(context.run({}));
    TARMAC_CHECK_OK(take_results(context, size, count, results));
  }
  return results;
}

}  // namespace

Result<std::vector<NamedTensors>> run_batch(SessionContext& context, std::span<const NamedTensors> items,
                                            std::int64_t batch) {
  if (items.empty()) return std::vector<NamedTensors>{};
  TARMAC_TRY(const std::int64_t size, settle_batch(context, items.size(), batch));
  context.unbind_inputs();
  auto results = run_all(context, items, static_cast<std::size_t>(size));
  context.unbind_inputs();
  return results;
}

}  // namespace tarmac
