#include "report/model_json.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace tarmac {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const PlanProfile& profile) {
  Json json = {{"shapes", Json::object()}, {"buckets", profile.buckets}};
  for (const auto& [input, spec] : profile.shapes)
    json["shapes"][input] = {{"min", spec.min}, {"opt", spec.opt}, {"max", spec.max}};
  return json;
}

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json to_json(const ValueStats& stats) {
  return {{"min", number(stats.min)},
          {"max", number(stats.max)},
          {"max_abs", number(stats.max_abs)},
          {"min_abs", number(stats.min_abs)},
          {"count", stats.count},
          {"become_infinite", stats.infinities},
          {"become_nan", stats.nans},
          {"become_zero", stats.zeros},
          {"subnormal", stats.subnormals},
          {"max_error", number(stats.max_error)},
          {"snr_db", number(stats.snr_db())}};
}

}  // namespace

Json embedded(const std::string& text) { return text.empty() ? Json() : Json::parse(text, nullptr, false); }

std::string operator_name(const NodeVerdict& verdict) {
  return verdict.domain.empty() ? verdict.op_type : verdict.domain + "::" + verdict.op_type;
}

Json to_json(const std::vector<TensorSpec>& specs) {
  Json list = Json::array();
  for (const TensorSpec& spec : specs) {
    Json shape;  // null: unknown rank
    if (spec.shape) {
      shape = Json::array();
      for (const TensorDim& dim : *spec.shape) {
        std::visit([&](const auto& size) { shape.push_back(size); }, dim);
      }
    }
    list.push_back(
        {{"name", spec.name}, {"dtype", to_string(spec.dtype)}, {"shape", shape}, {"type", spec.type}});
  }
  return list;
}

Json to_json(const ModelInfo& info) {
  Json json = {{"kind", "model"},
               {"file_bytes", info.file_bytes},
               {"sha256", info.digest},
               {"ir_version", info.ir_version},
               {"opsets", info.opsets},
               {"producer", info.producer},
               {"inputs", to_json(info.inputs)},
               {"outputs", to_json(info.outputs)},
               {"operators", info.operators},
               {"nodes", info.nodes},
               {"parameters", info.parameters},
               {"weight_bytes", info.weight_bytes},
               {"assumed_sizes", info.assumed_sizes},
               {"flops", nullptr},
               {"uncounted_nodes", info.uncounted_nodes},
               {"peak_activation_bytes", nullptr},
               {"unknown_because", info.unknown_because}};
  if (info.flops) json["flops"] = *info.flops;
  if (info.peak_activation_bytes) json["peak_activation_bytes"] = *info.peak_activation_bytes;
  return json;
}

Json to_json(const PlanInfo& info) {
  Json json = {{"kind", "plan"},
               {"format_version", info.format_version},
               {"file_bytes", info.file_bytes},
               {"tool_version", info.tool_version},
               {"target", info.target},
               {"engine_version", info.engine_version},
               {"providers", info.providers},
               {"allow_fallback", info.allow_fallback},
               {"cores", info.cores},
               {"streams", info.streams},
               {"workspace_bytes", info.workspace_bytes},
               {"model_sha256", info.model_digest},
               {"source_sha256", info.source_digest},
               {"origin", embedded(info.origin_json)},
               {"data_sha256", info.data_digest},
               {"cpu_features", info.cpu_features},
               {"gpu", info.gpu},
               {"inputs", to_json(info.inputs)},
               {"outputs", to_json(info.outputs)},
               {"precision", info.precision},
               {"precision_details", embedded(info.precision_json)},
               {"preprocessing", info.preprocessing},
               {"labels", info.labels},
               {"acceptance", embedded(info.acceptance_json)},
               {"tried", embedded(info.tried_json)},
               {"has_engine", info.has_engine},
               {"engine_notes", info.engine_notes},
               {"signed_by", info.signed_by},
               {"sealed_here", info.sealed_here}};
  json["profiles"] = Json::array();
  for (const PlanProfile& profile : info.profiles) json["profiles"].push_back(to_json(profile));
  json["sections"] = Json::array();
  for (const PlanSection& section : info.sections) {
    json["sections"].push_back({{"name", section.name},
                                {"offset_bytes", section.offset_bytes},
                                {"size_bytes", section.size_bytes},
                                {"sha256", section.sha256}});
  }
  return json;
}

Json to_json(const std::vector<NodeVerdict>& verdicts) {
  Json nodes = Json::array();
  for (const NodeVerdict& verdict : verdicts) {
    Json node = {{"node", verdict.node},
                 {"operator", operator_name(verdict)},
                 {"verdict", to_string(verdict.verdict)}};
    if (!verdict.reason.empty()) node["reason"] = verdict.reason;
    if (!verdict.remedy.empty()) node["remedy"] = verdict.remedy;
    nodes.push_back(std::move(node));
  }
  return nodes;
}

Json to_json(const OptimizeReport& report) {
  const auto list = [](const std::vector<Change>& changes) {
    Json json = Json::array();
    for (const Change& change : changes)
      json.push_back({{"pass", change.pass}, {"node", change.node}, {"what", change.what}});
    return json;
  };
  Json json = {
      {"nodes_before", report.nodes_before}, {"nodes_after", report.nodes_after}, {"passes", Json::array()}};
  for (const PassRun& pass : report.passes) {
    json["passes"].push_back({{"pass", pass.pass}, {"changes", pass.changes}, {"time_ns", pass.time_ns}});
  }
  json["changes"] = list(report.changes);
  json["declined"] = list(report.declined);
  return json;
}

Json to_json(const std::vector<OutputComparison>& comparison) {
  Json json = Json::object();
  for (const OutputComparison& output : comparison) {
    const ErrorMetrics& metrics = output.metrics;
    json[output.output] = {{"samples", output.samples},
                           {"worst_sample", output.worst_sample},
                           {"max_rel", metrics.max_rel},
                           {"max_abs", metrics.max_abs},
                           {"mean_abs", metrics.mean_abs},
                           {"rms", metrics.rms},
                           {"snr_db", metrics.snr_db},
                           {"cosine", metrics.cosine},
                           {"nan_mismatches", metrics.nan_mismatches},
                           {"infinity_mismatches", metrics.infinity_mismatches},
                           {"count", metrics.count}};
  }
  return json;
}

Json to_json(const EquivalenceReport& report) {
  Json corners = Json::array();
  for (const ComparedCorner& corner : report.corners) {
    Json outputs = Json::array();
    for (const ComparedOutput& output : corner.outputs) {
      outputs.push_back({{"output", output.output},
                         {"dtype", to_string(output.dtype)},
                         {"max_rel", output.metrics.max_rel},
                         {"max_abs", output.metrics.max_abs},
                         {"nan_mismatches", output.metrics.nan_mismatches},
                         {"infinity_mismatches", output.metrics.infinity_mismatches},
                         {"limit", output.limit},
                         {"random", output.random},
                         {"only_nan", output.only_nan},
                         {"passed", output.passed}});
    }
    corners.push_back({{"shapes", corner.shapes},
                       {"data", corner.data},
                       {"runs", corner.runs},
                       {"not_run", corner.not_run},
                       {"outputs", std::move(outputs)}});
  }
  return {{"engine", report.engine},
          {"passed", !report.difference},
          {"corners", std::move(corners)},
          {"corners_left_out", report.corners_left_out}};
}

Json to_json(const Culprit& culprit) {
  Json changes = Json::array();
  for (const Change& change : culprit.changes)
    changes.push_back({{"node", change.node}, {"what", change.what}});
  return {{"pass", culprit.pass},
          {"round", culprit.round},
          {"changes", std::move(changes)},
          {"first_value", culprit.value},
          {"node", culprit.node}};
}

Json to_json(const PrecisionReport& report) {
  Json json = {{"type", to_string(report.type)},
               {"samples", report.samples},
               {"rounds", report.rounds},
               {"nodes_16_bit", report.nodes_16_bit},
               {"nodes_float32", report.nodes_float32},
               {"casts", report.casts},
               {"weight_bytes_before", report.weight_bytes_before},
               {"weight_bytes_after", report.weight_bytes_after},
               {"everything_float32", report.everything_float32},
               {"proven", report.proven},
               {"kept", Json::array()},
               {"outputs", Json::object()}};
  for (const KeptInFloat32& node : report.kept) {
    Json entry = {{"node", node.node}, {"operator", node.op_type}, {"reason", node.reason}};
    if (node.stats) entry["figures"] = to_json(*node.stats);
    json["kept"].push_back(std::move(entry));
  }
  for (const PlannedOutput& output : report.outputs) {
    json["outputs"][output.name] = {
        {"max_rel", output.max_rel}, {"snr_db", number(output.snr_db)}, {"nan_or_infinity", output.broken}};
  }
  return json;
}

}  // namespace tarmac
