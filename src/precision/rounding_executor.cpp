#include "precision/rounding_executor.h"

#include <algorithm>

#include "precision/control_flow.h"
#include "precision/rounding.h"

namespace tarmac {
namespace {

/// Converted weights are kept for the next sample up to this size.
constexpr std::uint64_t kMaxConstantBytes = std::uint64_t{256} << 20U;

DType declared(const Value& value) {
  return value.type.is_tensor() && is_16_bit_float(value.type.dtype) ? value.type.dtype : DType::kFloat32;
}

Result<Tensor> as_type(const Tensor& tensor, DType type) {
  if (is_16_bit_float(type) && tensor.dtype() == DType::kFloat32) return rounded(tensor, type);
  return tensor;
}

/// The node of `graph` that is `node` or holds it in a nested graph; null when there is none.
const Node* ancestor_in(const Graph& graph, const Node* node) {
  while (node != nullptr && &node->graph() != &graph) node = node->graph().parent();
  return node;
}

}  // namespace

Typing declared_types() {
  return {declared, [](const Node&, std::size_t) { return DType::kFloat32; },
          [](std::size_t) { return DType::kFloat32; }};
}

RoundingExecutor::RoundingExecutor(const Model& model, Target& engine)
    : model_(model), runner_(model, engine) {
  plan_releases(*model.graph);
  for_each_node(*model.graph, [&](const Node& node) {
    node.for_each_subgraph([&](const Graph& nested) { plan_releases(nested); });
  });
}

/// Each value goes after the last node of its own graph that reads it, itself or in a nested graph.
void RoundingExecutor::plan_releases(const Graph& graph) {
  std::unordered_map<const Node*, std::size_t> position;
  for (const auto& node : graph.nodes()) position.emplace(node.get(), position.size());
  const auto plan = [&](const Value* value) {
    if (value == nullptr || value->is_output() || value->type.kind == Type::Kind::kSequence) return;
    const Node* last = value->producer();
    for (const Use& use : value->uses()) {
      const Node* reader = ancestor_in(graph, use.node);
      if (reader == nullptr) return;
      // A node may run as one piece with those that make its sequences: what these read must be there still.
      if (handles_non_tensors(*reader)) return;
      if (last == nullptr || position.at(reader) > position.at(last)) last = reader;
    }
    if (last != nullptr) releases_[last].push_back(value);
  };
  for (const Value* input : graph.inputs()) plan(input);
  for (const auto& node : graph.nodes()) {
    for (const Value* output : node->outputs()) plan(output);
  }
}

void RoundingExecutor::release_after(const Node& node) {
  const auto it = releases_.find(&node);
  if (it == releases_.end()) return;
  for (const Value* value : it->second) entries_.erase(value);
}

Result<Tensor> RoundingExecutor::constant_as(const Value& value, const Tensor& constant, DType type) {
  const bool narrow = is_16_bit_float(constant.dtype());
  const bool rounds = is_16_bit_float(type) && (narrow || constant.dtype() == DType::kFloat32);
  if (!narrow && !rounds) return constant;
  const auto key = std::make_pair(&value, rounds ? type : DType::kFloat32);
  if (const auto known = constants_.find(key); known != constants_.end()) return known->second;
  TARMAC_TRY(Tensor tensor, widened(constant));
  if (rounds) {
    TARMAC_TRY(tensor, rounded(tensor, type));
  }
  constant_bytes_ += tensor.bytes().size();
  if (constant_bytes_ <= kMaxConstantBytes) constants_.emplace(key, tensor);
  return tensor;
}

Result<Tensor> RoundingExecutor::get(const Value& value, std::size_t lane) {
  if (const Tensor* constant = constant_of(&value)) return constant_as(value, *constant, DType::kFloat32);
  const auto it = entries_.find(&value);
  if (it == entries_.end() || it->second.lanes[lane].empty()) {
    return make_error(ErrorCode::kInternal, "a value is read before it was computed", value.name());
  }
  return it->second.lanes[lane];
}

Result<Tensor> RoundingExecutor::get_as(const Value& value, std::size_t lane, DType type) {
  if (const Tensor* constant = constant_of(&value)) return constant_as(value, *constant, type);
  TARMAC_TRY(Tensor tensor, get(value, lane));
  // With kEachNode the lane holds the reference's numbers, whatever type the value is to have.
  const bool already = comparing_ == Comparing::kWholeRun && typing_[lane].value(value) == type;
  if (lane == 0 || !is_16_bit_float(type) || already || tensor.dtype() != DType::kFloat32) return tensor;
  Entry& entry = entries_.at(&value);
  if (entry.rounded.empty()) {
    TARMAC_TRY(entry.rounded, rounded(tensor, type));
  }
  return entry.rounded;
}

Status RoundingExecutor::set(const Value& value, std::size_t lane, const Tensor& tensor) {
  TARMAC_TRY(Tensor wide, widened(tensor));
  Entry& entry = entries_[&value];
  entry.rounded = {};
  TARMAC_TRY(entry.lanes[lane], as_type(wide, typing_[lane].value(value)));
  return {};
}

Status RoundingExecutor::observe(const Value& value, const Lanes& lanes) {
  if (lanes.size() < kLanes) return {};
  Entry& entry = entries_.at(&value);
  const Tensor& reference = entry.lanes[0];
  const Tensor& other = entry.lanes[1];
  if (observer_ && reference.dtype() == DType::kFloat32 && other.dtype() == DType::kFloat32 &&
      reference.shape() == other.shape()) {
    observer_(value, reference, other);
  }
  if (comparing_ == Comparing::kEachNode) entry.lanes[1] = entry.lanes[0];
  return {};
}

Status RoundingExecutor::start(const std::map<std::string, Tensor>& inputs) {
  entries_.clear();
  for (const Value* input : model_.graph->inputs()) {
    const auto given = inputs.find(input->name());
    if (given == inputs.end() && input->initializer() == nullptr) {
      return make_error(ErrorCode::kInvalidInput, "no value was given for this model input", input->name());
    }
    const Tensor& tensor = given == inputs.end() ? *input->initializer() : given->second;
    for (const std::size_t lane : lanes_) TARMAC_CHECK_OK(set(*input, lane, tensor));
    TARMAC_CHECK_OK(observe(*input, lanes_));
  }
  return run_graph(*model_.graph, lanes_);
}

Result<std::map<std::string, Tensor>> RoundingExecutor::collect_outputs(std::size_t lane) {
  std::map<std::string, Tensor> outputs;
  const auto& values = model_.graph->outputs();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i]->type.kind != Type::Kind::kTensor && values[i]->type.kind != Type::Kind::kNone) continue;
    TARMAC_TRY(const Tensor tensor, get(*values[i], lane));
    TARMAC_TRY(outputs[values[i]->name()], as_type(tensor, typing_[lane].output(i)));
  }
  return outputs;
}

Result<std::map<std::string, Tensor>> RoundingExecutor::run(const std::map<std::string, Tensor>& inputs) {
  typing_ = {declared_types(), declared_types()};
  lanes_ = {0};
  comparing_ = Comparing::kWholeRun;
  observer_ = nullptr;
  TARMAC_CHECK_OK(start(inputs));
  auto outputs = collect_outputs(0);
  entries_.clear();
  return outputs;
}

Result<RoundingExecutor::Pair> RoundingExecutor::run_pair(const std::map<std::string, Tensor>& inputs,
                                                          const Typing& typing, Comparing comparing,
                                                          const Observer& observer) {
  typing_ = {declared_types(), typing};
  lanes_ = {0, 1};
  comparing_ = comparing;
  observer_ = observer;
  TARMAC_CHECK_OK(start(inputs));
  Pair pair;
  TARMAC_TRY(pair.reference, collect_outputs(0));
  TARMAC_TRY(pair.other, collect_outputs(1));
  entries_.clear();
  return pair;
}

Status RoundingExecutor::run_graph(const Graph& graph, const Lanes& lanes) {
  for (const auto& node : graph.nodes()) {
    TARMAC_CHECK_OK(run_node(*node, lanes));
    release_after(*node);
  }
  return {};
}

Status RoundingExecutor::run_node(const Node& node, const Lanes& lanes) {
  if (constant_of(node.output(0)) != nullptr) return {};
  const bool none_is_tensor =
      std::all_of(node.outputs().begin(), node.outputs().end(), [](const Value* value) {
        return value == nullptr ||
               (value->type.kind != Type::Kind::kTensor && value->type.kind != Type::Kind::kNone);
      });
  if (none_is_tensor) return {};  // runs as part of its readers
  if (runs_as_one_piece(node)) return run_whole(node, lanes);
  if (node.is("If")) return run_if(node, lanes);
  if (node.is("Loop")) return run_loop(node, lanes);
  return run_plain(node, lanes);
}

Status RoundingExecutor::run_plain(const Node& node, const Lanes& lanes) {
  std::vector<std::vector<Tensor>> inputs(kLanes);
  std::vector<Tensor> results;
  for (const std::size_t lane : lanes) {
    for (std::size_t i = 0; i < node.inputs().size(); ++i) {
      inputs[lane].emplace_back();
      if (node.input(i) == nullptr) continue;
      const DType type = typing_[lane].reader(node, i);
      TARMAC_TRY(inputs[lane].back(), get_as(*node.input(i), lane, type));
    }
    // Results of equal inputs are shared: nothing is computed twice, and random numbers are the same.
    const bool same = lane != lanes.front() &&
                      std::equal(inputs[lane].begin(), inputs[lane].end(), inputs[lanes.front()].begin(),
                                 [](const Tensor& a, const Tensor& b) {
                                   return a.dtype() == b.dtype() && a.bytes().data() == b.bytes().data();
                                 });
    if (!same) {
      TARMAC_TRY(results, runner_.run(node, inputs[lane]));
    }
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (node.output(i) != nullptr) TARMAC_CHECK_OK(set(*node.output(i), lane, results[i]));
    }
  }
  for (const Value* output : node.outputs()) {
    if (output != nullptr) TARMAC_CHECK_OK(observe(*output, lanes));
  }
  return {};
}

Status RoundingExecutor::run_whole(const Node& node, const Lanes& lanes) {
  for (const std::size_t lane : lanes) {
    TARMAC_TRY(const std::vector<Tensor> results,
               runner_.run_whole(node, [&](const Value& value) { return get(value, lane); }));
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!results[i].empty()) TARMAC_CHECK_OK(set(*node.output(i), lane, results[i]));
    }
  }
  for (const Value* output : node.outputs()) {
    if (output != nullptr && active(*output)) TARMAC_CHECK_OK(observe(*output, lanes));
  }
  return {};
}

Status RoundingExecutor::run_if(const Node& node, const Lanes& lanes) {
  for (const bool taken : {true, false}) {
    Lanes group;
    for (const std::size_t lane : lanes) {
      TARMAC_TRY(const Tensor condition, get(*node.input(0), lane));
      TARMAC_TRY(const bool holds, scalar_bool(condition, node));
      if (holds == taken) group.push_back(lane);
    }
    if (group.empty()) continue;
    const Graph& branch = **node.attribute<GraphPtr>(taken ? "then_branch" : "else_branch");
    TARMAC_CHECK_OK(run_graph(branch, group));
    for (std::size_t i = 0; i < node.outputs().size(); ++i) {
      if (node.output(i) == nullptr) continue;
      for (const std::size_t lane : group) {
        TARMAC_TRY(Tensor result, get(*branch.outputs()[i], lane));
        TARMAC_CHECK_OK(set(*node.output(i), lane, result));
      }
      TARMAC_CHECK_OK(observe(*node.output(i), group));
    }
    for (const Value* output : branch.outputs()) entries_.erase(output);
  }
  return {};
}

Status RoundingExecutor::run_loop(const Node& node, const Lanes& lanes) {
  const Graph& body = **node.attribute<GraphPtr>("body");
  const std::size_t carried = body.inputs().size() - 2;
  const std::size_t scanned = body.outputs().size() - 1 - carried;
  std::array<LoopState, kLanes> states;
  for (const std::size_t lane : lanes) {
    LoopState& state = states[lane];
    if (node.input(0) != nullptr) {
      TARMAC_TRY(const Tensor trips, get(*node.input(0), lane));
      TARMAC_TRY(state.max_trips, scalar_integer(trips, node));
    }
    if (node.input(1) != nullptr) {
      TARMAC_TRY(const Tensor condition, get(*node.input(1), lane));
      TARMAC_TRY(state.going, scalar_bool(condition, node));
    }
    for (std::size_t i = 0; i < carried; ++i) {
      TARMAC_TRY(state.carried.emplace_back(), get(*node.input(2 + i), lane));
    }
    state.scanned.resize(scanned);
  }
  for (std::int64_t trip = 0;; ++trip) {
    Lanes going;
    for (const std::size_t lane : lanes) {
      if (states[lane].going && trip < states[lane].max_trips) going.push_back(lane);
    }
    if (going.empty()) break;
    for (const std::size_t lane : going) {
      TARMAC_CHECK_OK(set(*body.inputs()[0], lane, Tensor::from<std::int64_t>({}, std::vector{trip})));
      const bool yes[] = {true};
      TARMAC_CHECK_OK(set(*body.inputs()[1], lane, Tensor::from<bool>({}, std::span<const bool>(yes))));
      for (std::size_t i = 0; i < carried; ++i)
        TARMAC_CHECK_OK(set(*body.inputs()[2 + i], lane, states[lane].carried[i]));
    }
    for (std::size_t i = 0; i < carried; ++i) TARMAC_CHECK_OK(observe(*body.inputs()[2 + i], going));
    TARMAC_CHECK_OK(run_graph(body, going));
    for (const std::size_t lane : going) {
      LoopState& state = states[lane];
      TARMAC_TRY(const Tensor condition, get(*body.outputs()[0], lane));
      TARMAC_TRY(state.going, scalar_bool(condition, node));
      for (std::size_t i = 0; i < carried; ++i) {
        TARMAC_TRY(state.carried[i], get(*body.outputs()[1 + i], lane));
      }
      for (std::size_t i = 0; i < scanned; ++i) {
        TARMAC_TRY(state.scanned[i].emplace_back(), get(*body.outputs()[1 + carried + i], lane));
      }
    }
    for (const Value* output : body.outputs()) entries_.erase(output);
  }
  for (const std::size_t lane : lanes) {
    for (std::size_t i = 0; i < carried; ++i) {
      if (node.output(i) != nullptr) TARMAC_CHECK_OK(set(*node.output(i), lane, states[lane].carried[i]));
    }
    for (std::size_t i = 0; i < scanned; ++i) {
      const Value* output = node.output(carried + i);
      if (output == nullptr) continue;
      TARMAC_TRY(Tensor stacked, stack(states[lane].scanned[i], *body.outputs()[1 + carried + i]));
      TARMAC_CHECK_OK(set(*output, lane, stacked));
    }
  }
  for (const Value* output : node.outputs()) {
    if (output != nullptr) TARMAC_CHECK_OK(observe(*output, lanes));
  }
  return {};
}

}  // namespace tarmac
