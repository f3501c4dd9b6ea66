#include "precision/cast_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "metrics/error_metrics.h"
#include "precision/judge.h"
#include "precision/rounding.h"

namespace tarmac {
namespace {

using Kind = PrecisionUnit::Kind;

/// Every node whose results an output depends on.
std::set<const Node*> makers_of(const std::vector<const Value*>& values) {
  std::set<const Node*> found;
  std::vector<const Value*> open = values;
  const std::function<void(const Node&)> add = [&](const Node& node) {
    if (!found.insert(&node).second) return;
    open.insert(open.end(), node.inputs().begin(), node.inputs().end());
    node.for_each_subgraph([&](const Graph& nested) {
      for (const auto& inner : nested.nodes()) add(*inner);
    });
  };
  while (!open.empty()) {
    const Value* value = open.back();
    open.pop_back();
    if (value != nullptr && value->producer() != nullptr) add(*value->producer());
  }
  return found;
}

}  // namespace

Status compare_sample(const std::map<std::string, Tensor>& reference,
                      const std::map<std::string, Tensor>& other, std::vector<PlannedOutput>& outputs) {
  if (outputs.empty()) {
    for (const auto& [name, tensor] : reference)
      outputs.push_back({name, 0, std::numeric_limits<double>::infinity(), 0});
  }
  for (PlannedOutput& output : outputs) {
    const Tensor& r = reference.at(output.name);
    const Tensor& a = other.at(output.name);
    if (r.dtype() == DType::kString) continue;
    if (r.shape() != a.shape()) {
      output.broken += std::max(r.count(), std::int64_t{1});
      continue;
    }
    TARMAC_TRY(const ErrorMetrics metrics, compare_tensors(r, a));
    output.max_rel = std::max(output.max_rel, metrics.max_rel);
    output.snr_db = std::min(output.snr_db, metrics.snr_db);
    output.broken += metrics.nan_mismatches + metrics.infinity_mismatches;
  }
  return {};
}

Typing typing_of(const PrecisionUnits& units, std::vector<bool> float32, DType type) {
  const auto shared = std::make_shared<const std::vector<bool>>(std::move(float32));
  const auto of = [shared, type](int unit) {
    return unit == PrecisionUnits::kNone || (*shared)[static_cast<std::size_t>(unit)] ? DType::kFloat32
                                                                                      : type;
  };
  const Typing declared = declared_types();
  Typing typing;
  typing.value = [&units, of, declared](const Value& value) {
    const int unit = units.producer(value);
    return unit == PrecisionUnits::kNone ? declared.value(value) : of(unit);
  };
  typing.reader = [&units, of](const Node& node, std::size_t i) { return of(units.reader(node, i)); };
  typing.output = [&units, of](std::size_t i) { return of(units.output(i)); };
  return typing;
}

Result<std::uint64_t> CastPlanner::run(const std::vector<bool>& float32, Comparing comparing,
                                       const DataFactory& data, const char* task, Progress& progress,
                                       Stats& stats, std::vector<PlannedOutput>& outputs) {
  const Typing typing = typing_of(units_, float32, options_.type);
  const auto observe = [&](const Value& value, const Tensor& reference, const Tensor& other) {
    stats[&value].add(reference, other, options_.type);
  };
  TARMAC_TRY(const BatchSource next, data());
  std::uint64_t samples = 0;
  progress.start(task, options_.batches);
  while (true) {
    if (progress.cancelled())
      return make_error(ErrorCode::kCancelled, "interrupted while planning the precision");
    TARMAC_TRY(const auto batch, next());
    if (!batch) break;
    TARMAC_TRY(const auto pair, executor_.run_pair(*batch, typing, comparing, observe));
    TARMAC_CHECK_OK(compare_sample(pair.reference, pair.other, outputs));
    ++samples;
    progress.advance();
  }
  progress.finish();
  if (samples == 0)
    return make_error(ErrorCode::kInvalidInput, "no data to profile on; expected at least one sample");
  return samples;
}

void CastPlanner::pin(int unit, const std::string& reason, const ValueStats* stats) {
  if (units_.units()[static_cast<std::size_t>(unit)].pinned) return;
  units_.pin(unit, reason);
  if (stats != nullptr) deciding_[unit] = *stats;
}

/// Inputs and outputs whose own numbers do not fit; `outputs` are the reference's, rounded.
void CastPlanner::judge_borders(const std::vector<PlannedOutput>& outputs) {
  for (std::size_t u = 0; u < units_.units().size(); ++u) {
    const PrecisionUnit unit = units_.units()[u];
    const auto found = unit.value == nullptr ? alone_.end() : alone_.find(unit.value);
    if (unit.pinned || found == alone_.end()) continue;
    std::string reason = misfit(found->second, options_);
    if (reason.empty() && unit.kind == Kind::kInput) reason = loss(found->second, options_);
    for (const PlannedOutput& output : outputs) {
      if (unit.kind != Kind::kOutput || output.name != unit.value->name() || !reason.empty()) continue;
      if (output.broken > 0 || !(output.max_rel <= options_.tolerance) || output.snr_db < snr_limit(options_))
        reason = fmt::format("loss: {:.1f} dB signal to noise by rounding it", output.snr_db);
    }
    if (!reason.empty()) pin(static_cast<int>(u), reason, &found->second);
  }
}

void CastPlanner::judge() {
  const auto lookup = [&](const Value& value) -> const ValueStats* {
    const auto found = alone_.find(&value);
    if (found != alone_.end()) return &found->second;
    const Tensor* constant = constant_of(&value);
    if (constant == nullptr || constant->dtype() != DType::kFloat32) return nullptr;
    const auto wide = constant->aligned();
    const auto narrow = rounded(*constant, options_.type);
    if (!wide || !narrow) return nullptr;
    ValueStats& stats = alone_[&value];
    stats.add(*wide, *narrow, options_.type);
    return &stats;
  };
  for (std::size_t u = 0; u < units_.units().size(); ++u) {
    const PrecisionUnit unit = units_.units()[u];
    if (unit.pinned) continue;
    if (unit.kind != Kind::kNode) continue;
    const Judgement judgement = judge_node(*unit.node, options_, lookup);
    if (!judgement.reason.empty()) pin(static_cast<int>(u), judgement.reason, &judgement.stats);
  }
}

Status CastPlanner::profile(const DataFactory& data, Progress& progress) {
  std::vector<bool> float32;
  for (const PrecisionUnit& unit : units_.units()) float32.push_back(unit.pinned);
  std::vector<PlannedOutput> outputs;
  TARMAC_CHECK_OK(run(float32, Comparing::kEachNode, data, "profile", progress, alone_, outputs));
  judge();
  judge_borders(outputs);
  return {};
}

bool CastPlanner::keep_more(const std::vector<bool>& float32, const Stats& whole,
                            const std::vector<PlannedOutput>& outputs) {
  std::vector<const Value*> failing;
  for (const PlannedOutput& output : outputs) {
    const bool fails = output.broken > 0 || !(output.max_rel <= options_.tolerance);
    if (fails) failing.push_back(model_.graph->find(output.name));
  }
  const std::set<const Node*> makers = makers_of(failing);
  const auto broken = [&](const Value* value) {
    const auto found = value == nullptr ? whole.end() : whole.find(value);
    return found != whole.end() && found->second.broken();
  };
  std::vector<std::pair<double, int>> candidates;
  added_.clear();
  bool kept = false;
  for (std::size_t u = 0; u < float32.size(); ++u) {
    const PrecisionUnit unit = units_.units()[u];
    if (float32[u] || unit.kind != Kind::kNode || !makers.contains(unit.node)) continue;
    const auto& in = unit.node->inputs();
    const auto& out = unit.node->outputs();
    const auto breaks = std::find_if(out.begin(), out.end(), broken);
    if (breaks != out.end() && std::none_of(in.begin(), in.end(), broken)) {
      pin(static_cast<int>(u), "infinite or NaN in the emulated run", &whole.at(*breaks));
      kept = true;
    }
    double snr = std::numeric_limits<double>::infinity();
    for (const Value* value : out) {
      const auto found = value == nullptr ? alone_.end() : alone_.find(value);
      if (found != alone_.end()) snr = std::min(snr, found->second.snr_db());
    }
    candidates.emplace_back(snr, static_cast<int>(u));
  }
  if (kept) return true;
  if (candidates.empty()) {
    // Nothing is left but inputs and outputs.
    for (std::size_t u = 0; u < float32.size(); ++u) {
      if (float32[u]) continue;
      pin(static_cast<int>(u), "rounding it moves the outputs too far", nullptr);
      kept = true;
    }
    return kept;
  }
  std::sort(candidates.begin(), candidates.end());
  const auto count = static_cast<std::size_t>(std::ceil(share_ * static_cast<double>(candidates.size())));
  share_ = std::min(1.0, 2 * share_);
  double worst = 0;
  for (const PlannedOutput& output : outputs) worst = std::max(worst, output.max_rel);
  for (std::size_t i = 0; i < count; ++i) {
    added_.push_back(candidates[i].second);
    const Node& node = *units_.units()[static_cast<std::size_t>(candidates[i].second)].node;
    const auto found = node.output(0) == nullptr ? alone_.end() : alone_.find(node.output(0));
    pin(candidates[i].second,
        fmt::format(
            "the outputs were off by {:.3g} % of their range, and it adds much of the noise ({:.1f} dB)",
            100 * worst, candidates[i].first),
        found == alone_.end() ? nullptr : &found->second);
  }
  return true;
}

Result<CastPlan> CastPlanner::emulate(const DataFactory& data, Progress& progress, Stats& whole) {
  CastPlan plan;
  plan.float32 = units_.choose();
  TARMAC_TRY(plan.samples,
             run(plan.float32, Comparing::kWholeRun, data, "emulate", progress, whole, plan.outputs));
  plan.within_tolerance =
      std::all_of(plan.outputs.begin(), plan.outputs.end(), [&](const PlannedOutput& output) {
        return output.broken == 0 && output.max_rel <= options_.tolerance;
      });
  plan.rounds = ++rounds_;
  return plan;
}

/// Each round keeps more nodes at once than the last; of those of the final round, not all need be.
Status CastPlanner::release(const DataFactory& data, Progress& progress, CastPlan& plan) {
  constexpr int kTries = 3;
  std::size_t failing = 0;
  for (int i = 0; i < kTries && added_.size() - failing > 1; ++i) {
    const std::size_t middle = failing + (added_.size() - failing) / 2;
    std::vector<std::pair<int, std::string>> released;
    for (std::size_t k = middle; k < added_.size(); ++k)
      released.emplace_back(added_[k], units_.units()[static_cast<std::size_t>(added_[k])].reason);
    for (const auto& [unit, reason] : released) units_.unpin(unit);
    Stats unused;
    TARMAC_TRY(CastPlan smaller, emulate(data, progress, unused));
    if (smaller.within_tolerance) {
      plan = std::move(smaller);
      added_.resize(middle);
      continue;
    }
    for (const auto& [unit, reason] : released) units_.pin(unit, reason);
    failing = middle;
  }
  return {};
}

void CastPlanner::list_kept(CastPlan& plan) const {
  plan.everything_float32 = true;
  for (const auto& [node, reason] : units_.fixed())
    plan.kept.push_back({node->label(), node->op_type, reason, {}});
  for (std::size_t u = 1; u < plan.float32.size(); ++u) {
    const PrecisionUnit& unit = units_.units()[u];
    if (!plan.float32[u]) {
      plan.everything_float32 = plan.everything_float32 && unit.kind != Kind::kNode;
      continue;
    }
    if (unit.kind == Kind::kBorder && !unit.pinned) continue;
    const bool is_node = unit.kind == Kind::kNode || unit.kind == Kind::kBorder;
    KeptInFloat32 kept{is_node ? unit.node->label() : unit.value->name(),
                       is_node                     ? unit.node->op_type
                       : unit.kind == Kind::kInput ? "input"
                                                   : "output",
                       unit.pinned
                           ? unit.reason
                           : "between float32 nodes: casts to it and back would cost more than it gains",
                       {}};
    const auto figures = deciding_.find(static_cast<int>(u));
    const Value* made = is_node ? unit.node->output(0) : unit.value;
    const auto own = made == nullptr ? alone_.end() : alone_.find(made);
    if (figures != deciding_.end()) {
      kept.stats = figures->second;
    } else if (own != alone_.end()) {
      kept.stats = own->second;
      // A rule kept it; say so where its numbers would have, too.
      if (const std::string reason = misfit(own->second, options_); !reason.empty())
        kept.reason += "; " + reason;
    }
    plan.kept.push_back(std::move(kept));
  }
}

Result<CastPlan> CastPlanner::settle(const DataFactory& data, Progress& progress) {
  added_.clear();
  CastPlan plan;
  while (true) {
    Stats whole;
    TARMAC_TRY(plan, emulate(data, progress, whole));
    if (plan.within_tolerance || !keep_more(plan.float32, whole, plan.outputs)) break;
  }
  if (plan.within_tolerance) TARMAC_CHECK_OK(release(data, progress, plan));
  list_kept(plan);
  return plan;
}

}  // namespace tarmac
