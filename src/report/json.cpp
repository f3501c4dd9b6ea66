#include "report/json.h"

#include <nlohmann/json.hpp>
#include <string_view>

namespace tarmac::report {
namespace {

using Json = nlohmann::ordered_json;

/// RFC 4648.
std::string base64(std::span<const std::byte> bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto at = [&](std::size_t k) {
      return i + k < bytes.size() ? std::to_integer<unsigned>(bytes[i + k]) : 0U;
    };
    const unsigned group = at(0) << 16U | at(1) << 8U | at(2);
    text += kDigits[group >> 18U];
    text += kDigits[group >> 12U & 63U];
    text += i + 1 < bytes.size() ? kDigits[group >> 6U & 63U] : '=';
    text += i + 2 < bytes.size() ? kDigits[group & 63U] : '=';
  }
  return text;
}

template <typename T, typename ToJson>
Json list(const std::vector<T>& values, const ToJson& convert) {
  Json array = Json::array();
  for (const T& value : values) array.push_back(convert(value));
  return array;
}

template <typename T>
Json number_or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

template <typename T, typename ToJson>
Json object_or_null(const std::optional<T>& value, const ToJson& convert) {
  return value ? convert(*value) : Json(nullptr);
}

Json from_machine(const MachineFacts& machine) {
  return {{"cpu", machine.cpu},
          {"logical_cores", machine.logical_cores},
          {"memory_bytes", machine.memory_bytes},
          {"operating_system", machine.operating_system},
          {"accelerator", machine.accelerator}};
}

Json from_version(const NamedVersion& version) {
  return {{"name", version.name}, {"version", version.version}};
}

Json from_acceptance(const AcceptanceRow& row) {
  return {{"criterion", row.criterion}, {"target", row.target}, {"variant", row.variant},
          {"bound", row.bound},         {"limit", row.limit},   {"measured", number_or_null(row.measured)},
          {"unit", row.unit},           {"passed", row.passed}, {"metric", row.metric}};
}

Json from_errors(const Errors3d& errors) {
  return {{"translation_m", errors.translation},
          {"scale", errors.scale},
          {"orientation_rad", errors.orientation},
          {"velocity_m_per_s", number_or_null(errors.velocity)}};
}

Json from_distance(const DistanceResult& row) { return {{"distance_m", row.distance_m}, {"map", row.map}}; }

Json from_frame(const FrameResult& row) {
  return {{"frame", row.frame},
          {"boxes", row.boxes},
          {"map", row.map},
          {"velocity_m_per_s", number_or_null(row.velocity)}};
}

Json from_drift(const DriftResult& row) { return {{"output", row.output}, {"by_frame", row.by_frame}}; }

Json from_class(const ClassResult& result) {
  return {{"name", result.name},
          {"samples", result.samples},
          {"recall", number_or_null(result.recall)},
          {"precision", number_or_null(result.precision)},
          {"f1", number_or_null(result.f1)},
          {"iou", number_or_null(result.iou)},
          {"ap", number_or_null(result.ap)},
          {"ap50", number_or_null(result.ap50)},
          {"ap_by_distance", result.ap_by_distance},
          {"errors", object_or_null(result.errors, from_errors)}};
}

Json from_accuracy(const AccuracyResult& accuracy) {
  return {{"metric", accuracy.metric},
          {"name", accuracy.name},
          {"value", accuracy.value},
          {"samples", accuracy.samples},
          {"balanced_accuracy", number_or_null(accuracy.balanced_accuracy)},
          {"pixel_accuracy", number_or_null(accuracy.pixel_accuracy)},
          {"map50", number_or_null(accuracy.map50)},
          {"nds", number_or_null(accuracy.nds)},
          {"errors", object_or_null(accuracy.errors, from_errors)},
          {"by_distance", list(accuracy.by_distance, from_distance)},
          {"by_frame", list(accuracy.by_frame, from_frame)},
          {"unusable", number_or_null(accuracy.unusable)},
          {"mean_agreement", number_or_null(accuracy.mean_agreement)},
          {"worst_sample", accuracy.worst_sample},
          {"classes", list(accuracy.classes, from_class)},
          {"confusion", accuracy.confusion}};
}

Json from_latency(const LatencySummary& latency) {
  return {{"samples", latency.samples}, {"min_ns", latency.min_ns},       {"max_ns", latency.max_ns},
          {"mean_ns", latency.mean_ns}, {"stddev_ns", latency.stddev_ns}, {"p50_ns", latency.p50_ns},
          {"p90_ns", latency.p90_ns},   {"p99_ns", latency.p99_ns},       {"p999_ns", latency.p999_ns}};
}

Json from_histogram(const LatencyHistogram& histogram) {
  return {{"first_ns", histogram.first_ns}, {"bin_ns", histogram.bin_ns}, {"counts", histogram.counts}};
}

Json from_throughput(const ThroughputResult& throughput) {
  return {{"samples_per_s", throughput.samples_per_s},
          {"batch", throughput.batch},
          {"streams", throughput.streams}};
}

Json from_node_time(const NodeTime& node) {
  return {{"name", node.name}, {"op_type", node.op_type}, {"time_ns", node.time_ns}};
}

Json from_run(const RunResult& run) {
  return {{"variant", run.variant},
          {"target", run.target},
          {"failure", run.failure},
          {"threads", run.threads},
          {"accuracy", object_or_null(run.accuracy, from_accuracy)},
          {"drift", list(run.drift, from_drift)},
          {"latency", object_or_null(run.latency, from_latency)},
          {"histogram", object_or_null(run.histogram, from_histogram)},
          {"throughput", object_or_null(run.throughput, from_throughput)},
          {"peak_memory_bytes", number_or_null(run.peak_memory_bytes)},
          {"compile_ns", number_or_null(run.compile_ns)},
          {"node_times", list(run.node_times, from_node_time)}};
}

Json from_robustness(const RobustnessRow& row) {
  return {{"fault", row.fault},
          {"variant", row.variant},
          {"target", row.target},
          {"accuracy", from_accuracy(row.accuracy)},
          {"drop", number_or_null(row.drop)}};
}

Json from_exported_output(const ExportedOutput& output) {
  return {{"name", output.name},
          {"dtype", output.dtype},
          {"max_rel", number_or_null(output.max_rel)},
          {"mean_rel", number_or_null(output.mean_rel)},
          {"samples", output.samples}};
}

Json from_export(const ExportFacts& facts) {
  return {{"format", facts.format},
          {"source", facts.source},
          {"source_sha256", facts.source_sha256},
          {"framework", facts.framework},
          {"exporter", facts.exporter},
          {"opset", facts.opset},
          {"nodes_before", facts.nodes_before},
          {"nodes_after", facts.nodes_after},
          {"max_rel_limit", facts.max_rel_limit},
          {"data", facts.data},
          {"reused", facts.reused},
          {"outputs", list(facts.outputs, from_exported_output)},
          {"notes", facts.notes}};
}

Json from_file(const FileFacts& file) {
  return {{"label", file.label},
          {"variant", file.variant},
          {"path", file.path},
          {"size_bytes", file.size_bytes},
          {"sha256", file.sha256}};
}

Json from_pass(const PassResult& pass) {
  return {{"name", pass.name},
          {"variant", pass.variant},
          {"changes", pass.changes},
          {"time_ns", pass.time_ns},
          {"detail", pass.detail}};
}

Json from_precision(const NodePrecision& row) {
  return {{"target", row.target},
          {"variant", row.variant},
          {"node", row.node},
          {"op_type", row.op_type},
          {"precision", row.precision},
          {"reason", row.reason},
          {"sensitivity", number_or_null(row.sensitivity)},
          {"snr_db", number_or_null(row.snr_db)},
          {"float_ns", row.float_ns ? Json(*row.float_ns) : Json()},
          {"int8_ns", row.int8_ns ? Json(*row.int8_ns) : Json()}};
}

Json from_verdict(const NodeVerdict& row) {
  return {{"node", row.node},
          {"op_type", row.op_type},
          {"verdict", row.verdict},
          {"reason", row.reason},
          {"remedy", row.remedy}};
}

Json from_check(const TargetCheck& check) {
  return {{"target", check.target},
          {"available", check.available},
          {"reason", check.reason},
          {"nodes_total", check.nodes_total},
          {"nodes_supported", check.nodes_supported},
          {"nodes", list(check.nodes, from_verdict)}};
}

Json from_metrics(const ErrorMetrics& metrics) {
  return {{"max_abs", metrics.max_abs},
          {"mean_abs", metrics.mean_abs},
          {"rms", metrics.rms},
          {"max_rel", metrics.max_rel},
          {"max_elementwise_rel", metrics.max_elementwise_rel},
          {"mean_elementwise_rel", metrics.mean_elementwise_rel},
          {"snr_db", metrics.snr_db},
          {"cosine", metrics.cosine},
          {"count", metrics.count},
          {"nan_mismatches", metrics.nan_mismatches},
          {"infinity_mismatches", metrics.infinity_mismatches}};
}

Json from_reference(const ReferenceComparison& row) {
  return {{"reference", row.reference},
          {"variant", row.variant},
          {"target", row.target},
          {"output", row.output},
          {"samples", row.samples},
          {"metrics", from_metrics(row.metrics)},
          {"max_rel_limit", number_or_null(row.max_rel_limit)},
          {"passed", row.passed}};
}

Json from_equivalence(const EquivalenceRow& row) {
  return {{"variant", row.variant}, {"engine", row.engine},
          {"shapes", row.shapes},   {"data", row.data},
          {"runs", row.runs},       {"output", row.output},
          {"dtype", row.dtype},     {"metrics", from_metrics(row.metrics)},
          {"limit", row.limit},     {"passed", row.passed},
          {"note", row.note}};
}

Json from_calibration(const CalibrationFacts& facts) {
  return {{"method", facts.method}, {"samples", facts.samples}, {"data", facts.data},
          {"sha256", facts.sha256}, {"time_ns", facts.time_ns}, {"tensors", facts.tensors}};
}

Json from_geometry_accuracy(const GeometryAccuracy& row) {
  return {{"variant", row.variant}, {"target", row.target}, {"fused", row.fused}, {"opencv", row.opencv}};
}

Json from_geometry(const GeometryComparison& row) {
  return {{"input", row.input},
          {"data", row.data},
          {"samples", row.samples},
          {"mean_levels", row.mean_levels},
          {"p99_levels", row.p99_levels},
          {"max_levels", row.max_levels},
          {"accuracy", list(row.accuracy, from_geometry_accuracy)}};
}

Json from_prediction(const Prediction& prediction) {
  return {{"variant", prediction.variant},
          {"target", prediction.target},
          {"label", prediction.label},
          {"confidence", prediction.confidence}};
}

Json from_picture(const ReportPicture& picture, bool with_jpeg) {
  Json json = {{"name", picture.name},
               {"label", picture.label},
               {"wrong", picture.wrong()},
               {"predictions", list(picture.predictions, from_prediction)}};
  if (with_jpeg) json["jpeg_base64"] = base64(picture.jpeg);
  return json;
}

Json from_scene_picture(const ScenePicture& picture, bool with_jpeg) {
  Json json = {{"variant", picture.variant},
               {"target", picture.target},
               {"scene", picture.scene},
               {"frame", picture.frame}};
  if (with_jpeg) json["jpeg_base64"] = base64(picture.jpeg);
  return json;
}

Json from_scene_animation(const SceneAnimation& map, bool with_png) {
  Json json = {{"variant", map.variant}, {"target", map.target}, {"frames", map.frames}};
  if (with_png) json["png_base64"] = base64(map.png);
  return json;
}

Json from_scenes(const SceneSheet& sheet, bool with_pictures) {
  Json json = {{"pictures", Json::array()}, {"maps", Json::array()}};
  for (const ScenePicture& picture : sheet.pictures)
    json["pictures"].push_back(from_scene_picture(picture, with_pictures));
  for (const SceneAnimation& map : sheet.maps)
    json["maps"].push_back(from_scene_animation(map, with_pictures));
  return json;
}

Json from_stage(const StageTime& stage) { return {{"name", stage.name}, {"time_ns", stage.time_ns}}; }

}  // namespace

Json to_json(const DeployReport& report, bool with_pictures) {
  Json pictures = Json::array();
  for (const bool wrong : {true, false}) {
    for (const ReportPicture& picture : report.pictures) {
      if (picture.wrong() == wrong) pictures.push_back(from_picture(picture, with_pictures));
    }
  }
  return {{"schema", "tarmac.deploy_report"},
          {"schema_version", kReportSchemaVersion},
          {"model_name", report.model_name},
          {"model_sha256", report.model_sha256},
          {"contract", report.contract},
          {"created_utc", report.created_utc},
          {"passed", report.passed},
          {"failures", report.failures},
          {"notes", report.notes},
          {"machine", from_machine(report.machine)},
          {"versions", list(report.versions, from_version)},
          {"baseline_variant", report.baseline_variant},
          {"final_variant", report.final_variant},
          {"acceptance", list(report.acceptance, from_acceptance)},
          {"runs", list(report.runs, from_run)},
          {"robustness", list(report.robustness, from_robustness)},
          {"exported", object_or_null(report.exported, from_export)},
          {"files", list(report.files, from_file)},
          {"passes", list(report.passes, from_pass)},
          {"precision", list(report.precision, from_precision)},
          {"checks", list(report.checks, from_check)},
          {"references", list(report.references, from_reference)},
          {"equivalence", list(report.equivalence, from_equivalence)},
          {"calibration", object_or_null(report.calibration, from_calibration)},
          {"geometry", object_or_null(report.geometry, from_geometry)},
          {"pictures", std::move(pictures)},
          {"scenes", report.scenes ? from_scenes(*report.scenes, with_pictures) : Json()},
          {"stages", list(report.stages, from_stage)}};
}

}  // namespace tarmac::report
