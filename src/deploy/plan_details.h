// What a plan says beyond its own form, as JSON: candidates that were measured, the precision of each node,
// acceptance.
#pragma once

#include <string>
#include <vector>

#include "deploy/cells.h"
#include "report/report.h"
#include "tune/choose_target.h"

namespace tarmac {

/// How a choice came about, besides the candidates.
struct ChoiceFacts {
  Objective objective = Objective::kLatency;
  std::size_t chosen = 0;
  std::uint64_t workspace_limit_bytes = 0;
  double forecast_s = 0;  ///< for all of it, as told once the first candidate had been compiled
  double took_s = 0;
};

/// PlanInfo::tried_json: when, on which processor and with how many cores it was measured, and every
/// candidate with its figures or why it was not taken.
std::string tried_json(const std::vector<TargetCandidate>& candidates, const ChoiceFacts& facts);
/// The same from a deployment's cells.
std::string tried_json(const std::vector<Cell>& cells, const Cell& chosen);

/// PlanInfo::precision_json: {"nodes": {name: dtype}, "reasons": {name: why it stays in float}}. A node that
/// computes with what a DequantizeLinear gives it counts as int8, others by what they put out. `rows` of
/// other targets than `target` and other variants than `variant` are passed over.
std::string precision_json(const Model& model, const std::vector<report::NodePrecision>& rows,
                           const std::string& target, const std::string& variant);

/// "int8" when any node of the model computes in it, else "fp32".
std::string precision_of(const Model& model);

/// PlanInfo::acceptance_json of a deployment, for one target; with a `variant` only what is about that one.
std::string acceptance_json(const report::DeployReport& report, const std::string& target,
                            const std::string& variant = {});

/// What a plan's model was exported from; docs/plan_format.md.
std::string origin_json(const report::ExportFacts& facts, const std::string& model_digest);

}  // namespace tarmac
