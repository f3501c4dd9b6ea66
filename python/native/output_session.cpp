#include <algorithm>
#include <cstring>

#include "session.h"

namespace tarmac::python {
namespace {

Error under_way() {
  return make_error(ErrorCode::kUsage,
                    "a run of this session is under way; wait for its future, or use clone()");
}

}  // namespace

OutputSession::OutputSession(Session session, MemoryPool pool, const std::vector<StateSpec>& state)
    : pool_(std::move(pool)), state_(state), session_(std::move(session)) {
  std::vector<StateSpec> carried = state_;
  if (const Contract* contract = session_.contract();
      carried.empty() && contract != nullptr && contract->sequence)
    carried = contract->sequence->state;
  const auto known = [&](const TensorDim& dim) {
    const auto* symbol = std::get_if<std::string>(&dim);
    if (symbol == nullptr) return true;
    return !symbol->empty() &&
           std::any_of(session_.inputs().begin(), session_.inputs().end(), [&](const TensorSpec& input) {
             return input.shape &&
                    std::find(input.shape->begin(), input.shape->end(), dim) != input.shape->end();
           });
  };
  for (const TensorSpec& spec : session_.outputs()) {
    Slot slot;
    slot.spec = spec;
    const bool is_state = std::any_of(carried.begin(), carried.end(),
                                      [&](const StateSpec& carries) { return carries.output == spec.name; });
    slot.follows = !is_state && spec.dtype != DType::kString && spec.shape &&
                   std::all_of(spec.shape->begin(), spec.shape->end(), known);
    slots_.push_back(std::move(slot));
  }
}

Status OutputSession::check_idle() const { return under_way_ ? Status(under_way()) : Status(); }

Shape OutputSession::shape_of(const Slot& slot) const {
  Shape shape;
  for (const TensorDim& dim : *slot.spec.shape) {
    if (const auto* size = std::get_if<std::int64_t>(&dim)) {
      shape.push_back(*size);
      continue;
    }
    const auto symbol = symbols_.find(std::get<std::string>(dim));
    if (symbol == symbols_.end()) return {-1};  // an input is missing; the run says which
    shape.push_back(symbol->second);
  }
  return shape;
}

Status OutputSession::set_input(const std::string& name, const Tensor& tensor) {
  const std::lock_guard lock(mutex_);
  TARMAC_CHECK_OK(check_idle());
  return bind({{name, tensor}});
}

Status OutputSession::bind(const NamedTensors& inputs) {
  bool changed = false;
  for (const auto& [name, tensor] : inputs) {
    TARMAC_CHECK_OK(session_.set_input(name, tensor));
    Shape& known = shapes_[name];
    changed = changed || known != tensor.shape();
    known = tensor.shape();
  }
  if (!changed) return {};
  symbols_.clear();
  for (const TensorSpec& spec : session_.inputs()) {
    const auto shape = shapes_.find(spec.name);
    if (shape == shapes_.end() || !spec.shape || spec.shape->size() != shape->second.size()) continue;
    for (std::size_t i = 0; i < spec.shape->size(); ++i) {
      if (const auto* symbol = std::get_if<std::string>(&(*spec.shape)[i]))
        symbols_.emplace(*symbol, shape->second[i]);
    }
  }
  return {};
}

Status OutputSession::set_output(const std::string& name, const Tensor& tensor, std::shared_ptr<void> array) {
  const std::lock_guard lock(mutex_);
  TARMAC_CHECK_OK(check_idle());
  TARMAC_CHECK_OK(session_.set_output(name, tensor));
  for (Slot& slot : slots_) {
    if (slot.spec.name != name) continue;
    slot.array = std::move(array);
    slot.bound = tensor;
    slot.lease.reset();
    break;
  }
  return {};
}

/// Memory that no array of an earlier run shows.
Result<Taken> OutputSession::take(Slot& slot) {
  if (slot.array != nullptr) return Taken{slot.spec.name, slot.bound, nullptr, slot.array};
  if (slot.follows) return Taken{slot.spec.name, slot.lease->tensor, slot.lease, nullptr};
  TARMAC_TRY(const Tensor made, session_.output(slot.spec.name));
  if (made.dtype() == DType::kString) {
    TARMAC_TRY(Tensor copy, made.clone());
    return Taken{slot.spec.name, std::move(copy), nullptr, nullptr};
  }
  TARMAC_TRY(Tensor copy, pool_.acquire(made.dtype(), made.shape()));
  if (!made.bytes().empty())
    std::memcpy(copy.mutable_bytes().data(), made.bytes().data(), made.bytes().size());
  const auto owner = std::make_shared<Lease>(Lease{copy});
  return Taken{slot.spec.name, std::move(copy), owner, nullptr};
}

Result<std::vector<Taken>> OutputSession::take_all(const std::vector<std::string>& names) {
  std::vector<Taken> all;
  if (names.empty()) {
    for (Slot& slot : slots_) {
      TARMAC_TRY(all.emplace_back(), take(slot));
    }
    return all;
  }
  for (const std::string& name : names) {
    const auto slot = std::find_if(slots_.begin(), slots_.end(),
                                   [&](const Slot& known) { return known.spec.name == name; });
    if (slot == slots_.end()) {
      std::string known;
      for (const Slot& other : slots_) known += (known.empty() ? "" : ", ") + other.spec.name;
      return make_error(ErrorCode::kNotFound, "there is no output '" + name + "'; the outputs are " + known,
                        name);
    }
    TARMAC_TRY(all.emplace_back(), take(*slot));
  }
  return all;
}

Result<std::vector<Taken>> OutputSession::run(const NamedTensors& inputs,
                                              const std::vector<std::string>& outputs,
                                              const RunOptions& options) {
  const std::lock_guard lock(mutex_);
  TARMAC_CHECK_OK(check_idle());
  TARMAC_CHECK_OK(bind(inputs));
  TARMAC_CHECK_OK(lend());
  TARMAC_CHECK_OK(session_.run(options));
  return take_all(outputs);
}

Status OutputSession::lend() {
  for (Slot& slot : slots_) {
    if (!slot.follows || slot.array != nullptr) continue;
    Shape shape = shape_of(slot);
    if (!shape.empty() && shape.front() < 0) return {};
    const bool is_free = slot.lease != nullptr && slot.lease.use_count() == 1;
    if (is_free && slot.lease->tensor.shape() == shape) continue;
    TARMAC_TRY(Tensor memory, pool_.acquire(slot.spec.dtype, std::move(shape)));
    TARMAC_CHECK_OK(session_.set_output(slot.spec.name, memory));
    slot.lease = std::make_shared<Lease>(Lease{std::move(memory)});
  }
  return {};
}

Status OutputSession::run_async(const std::shared_ptr<OutputSession>& self, const NamedTensors& inputs,
                                std::vector<std::string> outputs, const RunOptions& options, Done done) {
  {
    const std::lock_guard lock(mutex_);
    TARMAC_CHECK_OK(check_idle());
    TARMAC_CHECK_OK(bind(inputs));
    TARMAC_CHECK_OK(lend());
    under_way_ = true;
  }
  // All that the end needs, let go of before the session's thread goes on: this may be the last owner.
  struct End {
    std::shared_ptr<OutputSession> self;
    std::vector<std::string> outputs;
    Done done;
  };
  auto end = std::make_shared<End>(End{self, std::move(outputs), std::move(done)});
  session_.run_async(
      [end](Status status) mutable {
        const bool nested = on_library_thread;
        on_library_thread = true;
        {
          const std::shared_ptr<End> mine = std::move(end);
          Result<std::vector<Taken>> results = std::vector<Taken>();
          {
            OutputSession& session = *mine->self;
            const std::lock_guard lock(session.mutex_);
            results = status ? session.take_all(mine->outputs)
                             : Result<std::vector<Taken>>(std::move(status).error());
            session.under_way_ = false;
          }
          mine->done(std::move(results));
        }
        on_library_thread = nested;
      },
      options);
  return {};
}

Result<std::vector<NamedTensors>> OutputSession::run_batch(const std::vector<NamedTensors>& items,
                                                           std::int64_t batch) {
  const std::lock_guard lock(mutex_);
  TARMAC_CHECK_OK(check_idle());
  if (!batches_) {
    TARMAC_TRY(batches_, session_.clone_context());
  }
  return batches_->run_batch(items, batch);
}

Result<std::vector<NodeTime>> OutputSession::profile() {
  const std::lock_guard lock(mutex_);
  TARMAC_CHECK_OK(check_idle());
  return session_.profile();
}

}  // namespace tarmac::python
