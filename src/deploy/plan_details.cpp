#include "deploy/plan_details.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "deploy/facts.h"
#include "targets/common/cores.h"

namespace tarmac {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json head() {
  return {{"measured_utc", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))},
          {"cpu", processor_name()},
          {"cores", available_cores()}};
}

bool is_plumbing(const Node& node) {
  return node.is("QuantizeLinear") || node.is("DequantizeLinear") || node.is("Constant");
}

bool computes_in_int8(const Node& node) {
  if (node.op_type.starts_with("QLinear") || node.is("ConvInteger") || node.is("MatMulInteger")) return true;
  const Value* input = node.input(0);
  const Node* producer = input == nullptr ? nullptr : input->producer();
  return producer != nullptr && producer->is("DequantizeLinear");
}

std::string dtype_of(const Node& node) {
  if (computes_in_int8(node)) return "int8";
  const Value* output = node.output(0);
  return output == nullptr || !output->type.is_tensor() ? "" : to_string(output->type.dtype);
}

}  // namespace

std::string tried_json(const std::vector<TargetCandidate>& candidates, const ChoiceFacts& facts) {
  Json json = head();
  json["objective"] = to_string(facts.objective);
  json["workspace_limit_bytes"] = facts.workspace_limit_bytes;
  json["forecast_s"] = facts.forecast_s;
  json["took_s"] = facts.took_s;
  Json& rows = json["candidates"] = Json::array();
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const TargetCandidate& one = candidates[i];
    Json row = {{"target", one.target->name()},
                {"precision", one.precision},
                {"cores", one.compile.cores},
                {"streams", one.compile.streams},
                {"chosen", i == facts.chosen}};
    if (one.batch > 0) row["batch"] = one.batch;
    if (one.compile_ns > 0) row["compile_ns"] = one.compile_ns;
    if (one.workspace_bytes) row["workspace_bytes"] = *one.workspace_bytes;
    if (one.latency) {
      row["p50_ns"] = one.latency->p50_ns;
      row["p99_ns"] = one.latency->p99_ns;
      row["runs"] = one.latency->samples;
      row["samples_per_s"] = one.samples_per_s;
      row["batch_samples"] = (*one.shapes)[one.best_shape].samples;
      row["finalist"] = one.finalist;
    }
    if (!one.failure.empty()) row["reason"] = one.failure;
    rows.push_back(std::move(row));
  }
  return dump(json);
}

std::string tried_json(const std::vector<Cell>& cells, const Cell& chosen) {
  Json json = head();
  Json& rows = json["candidates"] = Json::array();
  for (const Cell& cell : cells) {
    const report::RunResult& run = cell.result;
    Json row = {{"target", run.target},
                {"precision", run.variant},
                {"cores", run.threads},
                {"chosen", &cell == &chosen}};
    if (run.compile_ns) row["compile_ns"] = *run.compile_ns;
    if (run.latency) {
      row["p50_ns"] = run.latency->p50_ns;
      row["p99_ns"] = run.latency->p99_ns;
      row["runs"] = run.latency->samples;
    }
    if (run.throughput) row["samples_per_s"] = run.throughput->samples_per_s;
    if (run.accuracy) row["accuracy"] = {{"metric", run.accuracy->name}, {"value", run.accuracy->value}};
    if (!run.failure.empty()) row["reason"] = run.failure;
    rows.push_back(std::move(row));
  }
  return dump(json);
}

std::string precision_json(const Model& model, const std::vector<report::NodePrecision>& rows,
                           const std::string& target, const std::string& variant) {
  Json json = {{"nodes", Json::object()}};
  for_each_node(*model.graph, [&](const Node& node) {
    if (!is_plumbing(node)) json["nodes"][node.label()] = dtype_of(node);
  });
  for (const report::NodePrecision& row : rows) {
    const bool ours = row.variant == variant && (row.target.empty() || row.target == target);
    if (ours && !row.reason.empty()) json["reasons"][row.node] = row.reason;
  }
  return dump(json);
}

std::string origin_json(const report::ExportFacts& facts, const std::string& model_digest) {
  return dump({{"format", facts.format},
               {"source", facts.source},
               {"source_sha256", facts.source_sha256},
               {"framework", facts.framework},
               {"exporter", facts.exporter},
               {"opset", facts.opset},
               {"model_sha256", model_digest}});
}

std::string precision_of(const Model& model) {
  std::string precision = "fp32";
  for_each_node(*model.graph, [&](const Node& node) {
    if (node.is("DequantizeLinear") || node.is("ConvInteger") || node.is("MatMulInteger")) precision = "int8";
  });
  return precision;
}

std::string acceptance_json(const report::DeployReport& report, const std::string& target,
                            const std::string& variant) {
  Json json = {{"created_utc", report.created_utc}, {"criteria", Json::array()}};
  bool passed = true;
  for (const report::AcceptanceRow& row : report.acceptance) {
    if (!row.target.empty() && row.target != target) continue;
    if (!variant.empty() && !row.variant.empty() && row.variant != variant) continue;
    passed = passed && row.passed;
    Json one = {{"criterion", row.criterion}, {"variant", row.variant}, {"bound", row.bound},
                {"limit", row.limit},         {"unit", row.unit},       {"passed", row.passed}};
    if (row.measured) one["measured"] = *row.measured;
    if (!row.metric.empty()) one["metric"] = row.metric;
    json["criteria"].push_back(std::move(one));
  }
  json["passed"] = passed;
  return dump(json);
}

}  // namespace tarmac
