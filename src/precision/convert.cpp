#include "precision/convert.h"

#include <algorithm>
#include <set>

#include "graph/model_io.h"
#include "passes/infer_shapes.h"
#include "passes/passes.h"
#include "precision/control_flow.h"
#include "precision/keep_rules.h"
#include "precision/mixed_model.h"
#include "precision/rounding.h"
#include "precision/strong_types.h"

namespace tarmac {
namespace {

using Kind = PrecisionUnit::Kind;

bool holds(const Model& model, DType type) {
  bool found = false;
  const auto look = [&](const Value* value) {
    found |= value != nullptr && value->type.is_tensor() && value->type.dtype == type;
  };
  for (const Value* input : model.graph->inputs()) look(input);
  for_each_node(*model.graph, [&](const Node& node) {
    for (const Value* value : node.inputs()) look(value);
    for (const Value* value : node.outputs()) look(value);
  });
  return found;
}

/// Casts have the types from these operator sets on.
Status check_opset(const Model& model, DType type) {
  const std::int64_t needed = type == DType::kBFloat16 ? 13 : 6;
  const std::int64_t found = model.opset();
  if (found == 0 || found >= needed) return {};
  return make_error(ErrorCode::kUnsupported,
                    std::string(to_string(type)) + " needs opset " + std::to_string(needed) +
                        (type == DType::kBFloat16 ? " (22 for convolutions)" : "") +
                        ", the model is of opset " + std::to_string(found) + "; raise it first");
}

/// What is wrong before cannot come out right.
Status check_source(const Model& source) {
  auto status = check_strong_types(source);
  if (status) return {};
  status.error().code = ErrorCode::kUnsupported;
  status.error().message = "the model's own types do not fit together: " + status.error().message;
  return status;
}

bool draws_numbers(const Model& model) {
  bool found = false;
  for_each_node(*model.graph,
                [&](const Node& node) { found |= draws_random_numbers(node) && !node.is("Dropout"); });
  return found;
}

void pin_by_rule(const Model& model, PrecisionUnits& units, bool keep_io) {
  for (const auto& [node, reason] : nodes_to_keep(model)) {
    const int unit = units.unit_of(*node);
    if (unit != PrecisionUnits::kNone) units.pin(unit, reason);
  }
  if (!keep_io) return;
  for (std::size_t u = 0; u < units.units().size(); ++u) {
    const Kind kind = units.units()[u].kind;
    if (kind == Kind::kInput || kind == Kind::kOutput)
      units.pin(static_cast<int>(u), "asked for: inputs and outputs keep their types");
  }
}

/// kUsage for a name that is neither a node nor an operator of the model.
Status pin_asked(const Model& model, PrecisionUnits& units, const std::set<std::string>& names) {
  std::set<std::string> unknown = names;
  for_each_node(*model.graph, [&](const Node& node) {
    const bool asked = names.contains(node.label()) || names.contains(node.op_type);
    unknown.erase(node.label());
    unknown.erase(node.op_type);
    const int unit = units.unit_of(node);
    if (asked && unit != PrecisionUnits::kNone) units.pin(unit, "asked for: it stays in float32");
  });
  if (unknown.empty()) return {};
  return make_error(ErrorCode::kUsage, "the model has no node and no operator '" + *unknown.begin() +
                                           "' to keep in float32; names are those after optimisation, "
                                           "see the JSON report or --trace");
}

/// Nodes that a target refuses in the mixed model and takes in the source; true when there are any.
Result<bool> pin_refused(const Model& source, const Model& mixed, PrecisionUnits& units, Target& target,
                         Progress& progress) {
  TARMAC_TRY(const auto before, target.check(source, {}, progress));
  TARMAC_TRY(const auto after, target.check(mixed, {}, progress));
  std::set<std::string> refused_before;
  for (const NodeVerdict& verdict : before) {
    if (verdict.verdict == Verdict::kRefused) refused_before.insert(verdict.node);
  }
  std::set<std::string> refused;
  for (const NodeVerdict& verdict : after) {
    if (verdict.verdict == Verdict::kRefused && !refused_before.contains(verdict.node))
      refused.insert(verdict.node);
  }
  bool pinned = false;
  for (std::size_t u = 0; u < units.units().size(); ++u) {
    const PrecisionUnit unit = units.units()[u];
    if (unit.kind != Kind::kNode || unit.pinned) continue;
    if (!refused.contains(unit.node->label())) continue;
    units.pin(static_cast<int>(u), target.name() + " does not run " + unit.node->op_type + " in 16 bits");
    pinned = true;
  }
  return pinned;
}

/// Runs source and result on the data, each with the types it declares.
Status prove(const Model& source, const Model& mixed, const PlanOptions& options, Target& engine,
             const DataFactory& data, Progress& progress, PrecisionReport& report) {
  RoundingExecutor reference(source, engine);
  RoundingExecutor result(mixed, engine);
  TARMAC_TRY(const BatchSource next, data());
  progress.start("prove", options.batches);
  report.outputs.clear();
  report.proven = true;
  while (true) {
    if (progress.cancelled())
      return make_error(ErrorCode::kCancelled, "interrupted while proving the result");
    TARMAC_TRY(const auto batch, next());
    if (!batch) break;
    TARMAC_TRY(const auto expected, reference.run(*batch));
    TARMAC_TRY(const auto found, result.run(*batch));
    TARMAC_CHECK_OK(compare_sample(expected, found, report.outputs));
    progress.advance();
  }
  progress.finish();
  for (const PlannedOutput& output : report.outputs)
    report.proven = report.proven && output.broken == 0 && output.max_rel <= options.tolerance;
  return {};
}

void count(const Model& model, DType type, PrecisionReport& report) {
  for_each_node(*model.graph, [&](const Node& node) {
    bool small = false;
    bool large = false;
    const auto look = [&](const Value* value) {
      small |= value != nullptr && value->type.is_tensor() && value->type.dtype == type;
      large |= is_float32(value);
    };
    for (const Value* value : node.inputs()) look(value);
    for (const Value* value : node.outputs()) look(value);
    if (node.is("Cast") && small && large) {
      ++report.casts;
    } else {
      report.nodes_16_bit += small ? 1 : 0;
      report.nodes_float32 += !small && large ? 1 : 0;
    }
  });
  report.weight_bytes_after = weight_bytes(model);
}

}  // namespace

std::uint64_t weight_bytes(const Model& model) {
  std::uint64_t bytes = 0;
  const std::function<void(const Graph&)> add = [&](const Graph& graph) {
    for (const Value* value : graph.initializers()) bytes += value->initializer()->bytes().size();
    for (const auto& node : graph.nodes()) {
      if (const Tensor* tensor = node->is("Constant") ? constant_of(node->output(0)) : nullptr)
        bytes += tensor->bytes().size();
      node->for_each_subgraph(add);
    }
  };
  add(*model.graph);
  return bytes;
}

Result<PrecisionReport> convert_precision(Model& model, const PlanOptions& options, Target& engine,
                                          const DataFactory& data, Progress& progress) {
  PrecisionReport report;
  report.type = options.type;
  report.weight_bytes_before = weight_bytes(model);
  Model source = clone_model(model);
  PassContext context;
  TARMAC_CHECK_OK(inline_functions(source, context));
  TARMAC_CHECK_OK(infer_shapes(source));
  // What is known of a body's inputs lets its values be known; bodies nest, so again.
  while (fill_body_types(*source.graph)) TARMAC_CHECK_OK(infer_shapes(source));
  TARMAC_CHECK_OK(check_opset(source, options.type));
  TARMAC_CHECK_OK(check_source(source));
  const DType other = options.type == DType::kFloat16 ? DType::kBFloat16 : DType::kFloat16;
  if (holds(source, other)) {
    TARMAC_TRY(const Float32Report widened, convert_to_float32(source, false));
    (void)widened;
  }
  PrecisionUnits units(source, options.type);
  TARMAC_CHECK_OK(pin_asked(source, units, options.keep));
  pin_by_rule(source, units, options.keep_io);
  CastPlanner planner(source, units, options, engine);
  TARMAC_CHECK_OK(planner.profile(data, progress));
  const auto refused_by_targets = [&](const Model& mixed) -> Result<bool> {
    bool any = false;
    for (Target* target : options.targets) {
      TARMAC_TRY(const bool pinned, pin_refused(source, mixed, units, *target, progress));
      any = any || pinned;
    }
    return any;
  };
  // What a target refuses is known without data; runs on data then judge what is left.
  for (bool again = !options.targets.empty(); again;) {
    TARMAC_TRY(const Model mixed, make_mixed_model(source, units, units.choose(), options.type));
    TARMAC_TRY(again, refused_by_targets(mixed));
  }
  Model mixed;
  CastPlan plan;
  for (bool again = true; again;) {
    TARMAC_TRY(plan, planner.settle(data, progress));
    TARMAC_TRY(mixed, make_mixed_model(source, units, plan.float32, options.type));
    TARMAC_TRY(again, refused_by_targets(mixed));
  }
  report.samples = plan.samples;
  report.rounds = plan.rounds;
  report.everything_float32 = plan.everything_float32;
  report.outputs = std::move(plan.outputs);
  report.kept = std::move(plan.kept);
  if (!draws_numbers(source)) {
    TARMAC_CHECK_OK(prove(source, mixed, options, engine, data, progress, report));
    if (!report.proven) {
      return make_error(
          ErrorCode::kAcceptance,
          "the outputs of the mixed model do not agree with the float32 model within the tolerance, "
          "whatever stays in float32; give --keep-io, or other data");
    }
  }
  count(mixed, options.type, report);
  model = std::move(mixed);
  return report;
}

}  // namespace tarmac
