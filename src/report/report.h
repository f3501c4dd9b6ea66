// What a deployment did and found, as plain data, and its two files: report.json for programs, report.html
// for people.
//
// report.json is one object whose keys are the field names below, with "schema" = "tarmac.deploy_report" and
// "schema_version" first. Units are in the names; fractions are in [0, 1]. An absent optional and a number
// that is not finite are null; empty lists are []. Keys are only ever added within a schema version. Pictures
// are in report.html only: "pictures" and "scenes" in report.json have everything but `jpeg` and `png`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "metrics/agreement.h"
#include "metrics/classification.h"
#include "metrics/detection.h"
#include "metrics/detection_3d.h"
#include "metrics/error_metrics.h"
#include "metrics/latency.h"
#include "metrics/segmentation.h"
#include "tarmac/result.h"

namespace tarmac::report {

inline constexpr int kReportSchemaVersion = 1;

struct NamedVersion {
  std::string name;     ///< "tarmac", "openvino", "onnxruntime", "onnx", …
  std::string version;  ///< As the component itself says.
};

struct MachineFacts {
  std::string cpu;
  int logical_cores = 0;
  std::uint64_t memory_bytes = 0;
  std::string operating_system;
  std::string accelerator;  ///< GPU name; empty without one.
};

/// One line of the contract's acceptance. `unit` says what the numbers are: "fraction" (shown as %), "ns",
/// "bytes", "1/s", "m/s" or "" (plain).
struct AcceptanceRow {
  std::string criterion;          ///< "accuracy drop", "latency p99", …
  std::string target;             ///< Empty when it is about no single target.
  std::string variant;            ///< Empty when it is about no single variant.
  std::string bound = "at_most";  ///< "at_most" or "at_least"
  double limit = 0;
  std::optional<double> measured;  ///< Absent: could not be measured, which is a failure.
  std::string unit;
  bool passed = false;
  std::string metric;  ///< Of a drop: "top-1", "mean IoU", "mAP", "nuScenes mAP", "agreement".
};

struct ClassResult {
  std::string name;
  std::int64_t samples = 0;      ///< Pixels for mean_iou, labelled boxes for map and nuscenes.
  std::optional<double> recall;  ///< Per-class accuracy.
  std::optional<double> precision;
  std::optional<double> f1;
  std::optional<double> iou;
  std::optional<double> ap;  ///< Mean over IoU 0.5 to 0.95; for nuscenes over the distances.
  std::optional<double> ap50;
  std::vector<double> ap_by_distance;  ///< In the order of AccuracyResult::by_distance; for nuscenes.
  std::optional<Errors3d> errors;      ///< For nuscenes.
};

/// mAP where a detection counts whose centre is less than this away.
struct DistanceResult {
  double distance_m = 0;
  double map = 0;
};

/// The frames at one place in their scenes, from 0.
struct FrameResult {
  std::int64_t frame = 0;
  std::int64_t boxes = 0;          ///< Labelled ones.
  double map = 0;                  ///< At 2 m.
  std::optional<double> velocity;  ///< Velocity error, m/s.
};

/// The contract's metric, and what else it says; what another metric would say is absent.
struct AccuracyResult {
  std::string metric = "top1_accuracy";  ///< Or "mean_iou", "map", "nuscenes", "agreement".
  std::string name = "top-1";            ///< For people: "mean IoU", "mAP", "nuScenes mAP", "agreement".
  double value = 0;                      ///< In [0, 1], more is better.
  std::int64_t samples = 0;
  std::optional<double> balanced_accuracy;
  std::optional<double> pixel_accuracy;
  std::optional<double> map50;
  std::optional<double> nds;       ///< nuScenes' score without its attributes.
  std::optional<Errors3d> errors;  ///< Mean over the classes.
  std::vector<DistanceResult> by_distance;
  std::vector<FrameResult> by_frame;     ///< Of frames in order.
  std::optional<std::int64_t> unusable;  ///< Detections that held numbers that are not finite.
  std::optional<double> mean_agreement;  ///< `value` is that of the worst sample.
  std::string worst_sample;              ///< For agreement.
  std::vector<ClassResult> classes;      ///< In the order of the confusion matrix.
  std::vector<std::vector<std::int64_t>>
      confusion;  ///< [label][prediction], samples or pixels; may be empty.
};

/// Mean time of a node in one inference, by its ONNX name; engines may report a fused group under one name.
struct NodeTime {
  std::string name;
  std::string op_type;
  std::int64_t time_ns = 0;
};

struct ThroughputResult {
  double samples_per_s = 0;
  int batch = 1;
  int streams = 1;
};

/// How far a carried state strays from the original's: ‖a − r‖ / ‖r‖ by the frame's place in its scene.
struct DriftResult {
  std::string output;
  std::vector<double> by_frame;
};

/// One variant of the model on one target.
struct RunResult {
  std::string variant;  ///< "original", "fp32", "int8", …
  std::string target;   ///< "openvino", "onnxruntime", …
  std::string failure;  ///< Why it did not run; empty when it did.
  int threads = 0;      ///< Core budget that it ran under; 0 when not limited.
  std::optional<AccuracyResult> accuracy;
  std::vector<DriftResult> drift{};  ///< One a state; empty without state.
  std::optional<LatencySummary> latency;
  std::optional<LatencyHistogram> histogram;
  std::optional<ThroughputResult> throughput;
  std::optional<std::uint64_t> peak_memory_bytes;
  std::optional<std::int64_t> compile_ns;
  std::vector<NodeTime> node_times;
};

/// What is deployed on a target, under one fault of the contract's robustness.
struct RobustnessRow {
  std::string fault;  ///< "never_reset", "drop images[axis 1: 2]", …
  std::string variant;
  std::string target;
  AccuracyResult accuracy;
  std::optional<double> drop;  ///< Against the same without the fault; 0.01 is one percentage point.
};

struct FileFacts {
  std::string label;    ///< "original model", "int8 plan for openvino", …
  std::string variant;  ///< Empty when it belongs to none.
  std::string path;
  std::uint64_t size_bytes = 0;
  std::string sha256;
};

struct PassResult {
  std::string name;
  std::string variant;       ///< Variant it made; empty when common to all.
  std::int64_t changes = 0;  ///< Rewrites applied.
  std::int64_t time_ns = 0;
  std::string detail;
};

struct NodePrecision {
  std::string target;   ///< Empty: the same for all.
  std::string variant;  ///< "int8", "fp16", "bf16".
  std::string node;
  std::string op_type;
  std::string precision;  ///< "int8", "float32", …
  std::string reason;     ///< Why it is not quantised; may be empty when it is.
  std::optional<double>
      sensitivity{};  ///< Loss of the metric with this group alone in INT8 or out of it; a fraction.
  std::optional<double> snr_db{};  ///< Of the group's output in INT8.
  std::optional<std::int64_t> float_ns{};
  std::optional<std::int64_t> int8_ns{};
};

struct NodeVerdict {
  std::string node;
  std::string op_type;
  std::string verdict;  ///< "supported", "unsupported", "unknown", …
  std::string reason;
  std::string remedy;
};

struct TargetCheck {
  std::string target;
  bool available = false;
  std::string reason;  ///< Why it is not available.
  std::int64_t nodes_total = 0;
  std::int64_t nodes_supported = 0;
  std::vector<NodeVerdict> nodes;  ///< Those that are not plainly supported; may hold all.
};

/// Our outputs beside those that the training framework recorded.
struct ReferenceComparison {
  std::string reference;  ///< Where the reference comes from: "PyTorch 2.9.0".
  std::string variant;
  std::string target;
  std::string output;  ///< Tensor name.
  std::int64_t samples = 0;
  ErrorMetrics metrics;
  std::optional<double> max_rel_limit;  ///< Absent: shown, not judged.
  bool passed = true;
};

/// A rewritten model beside the original on the reference engine: one output at one corner of the shapes.
struct EquivalenceRow {
  std::string variant;
  std::string engine;
  std::string shapes;     ///< "batch=4, height=224"; empty when the model leaves no size open.
  std::string data;       ///< Where the samples come from, or "made up".
  std::int64_t runs = 0;  ///< Of both models, on a batch each.
  std::string output;
  std::string dtype;
  ErrorMetrics metrics;
  double limit = 0;  ///< For max_rel of floats; for integers the share of elements that may differ.
  bool passed = true;
  std::string note;  ///< Why nothing is proven here; empty when it is.
};

struct CalibrationFacts {
  std::string method;  ///< "minmax", "entropy", …
  std::int64_t samples = 0;
  std::string data;    ///< Path or description of the calibration set.
  std::string sha256;  ///< Of the calibration cache.
  std::int64_t time_ns = 0;
  std::int64_t tensors = 0;  ///< Tensors whose range was observed.
};

struct GeometryAccuracy {
  std::string variant;
  std::string target;
  double fused = 0;   ///< The metric of the evaluation with `geometry: fused`, as deployed.
  double opencv = 0;  ///< The same with `geometry: opencv`.
};

/// One interpolation beside OpenCV's steps, on the same pictures. Levels are those of 8 bits, 0 to 255.
struct GeometryComparison {
  std::string input;
  std::string data;  ///< Where the pictures come from.
  std::int64_t samples = 0;
  double mean_levels = 0;  ///< Of |fused - opencv| over every channel of every pixel.
  double p99_levels = 0;   ///< In steps of 1/256.
  double max_levels = 0;
  std::vector<GeometryAccuracy> accuracy;  ///< Empty without an evaluation.
};

struct Prediction {
  std::string variant;
  std::string target;
  std::string label;
  double confidence = 0;  ///< Softmax probability of `label`, in [0, 1].
};

struct ReportPicture {
  std::string name;
  std::string label;            ///< The truth.
  std::vector<std::byte> jpeg;  ///< From encode_thumbnail(); may be empty.
  std::vector<Prediction> predictions;

  [[nodiscard]] bool wrong() const;  ///< Some prediction differs from the label.
};

/// A frame of a 3-D detector's evaluation, as one variant sees it.
struct ScenePicture {
  std::string variant;
  std::string target;
  std::int64_t scene = 0;
  std::int64_t frame = 0;       ///< The how manieth of its scene.
  std::vector<std::byte> jpeg;  ///< The views with boxes and the map beside them, with the truth.
};

/// What a variant sees over time.
struct SceneAnimation {
  std::string variant;
  std::string target;
  std::int64_t frames = 0;
  std::vector<std::byte> png;  ///< The map, animated.
};

/// Of a 3-D detector whose contract says how boxes are drawn.
struct SceneSheet {
  std::vector<ScenePicture> pictures;  ///< Frame by frame, the variants of each.
  std::vector<SceneAnimation> maps;
};

/// One output of the exported model beside the source framework's.
struct ExportedOutput {
  std::string name;
  std::string dtype;
  std::optional<double> max_rel;  ///< max |a - r| / max |r|, r the framework's; absent: infinite.
  std::optional<double> mean_rel;
  std::int64_t samples = 0;
};

/// How the ONNX model was made, where the contract names a model of another framework.
struct ExportFacts {
  std::string format;         ///< The contract's word: "torch", "tflite", …
  std::string source;         ///< As the contract names it: "models.py:detector".
  std::string source_sha256;  ///< Over the files that it is made from; empty when they are not all known.
  std::string framework;      ///< "torch 2.5.1"
  std::string exporter;       ///< "torchscript", "tf2onnx 1.17", …
  std::int64_t opset = 0;
  std::int64_t nodes_before = 0;  ///< As the exporter gave it.
  std::int64_t nodes_after = 0;   ///< Simplified.
  double max_rel_limit = 0;
  std::string data;     ///< What was compared: "2 made-up samples".
  bool reused = false;  ///< Nothing had changed since it was made.
  std::vector<ExportedOutput> outputs;
  std::vector<std::string> notes;
};

struct StageTime {
  std::string name;
  std::int64_t time_ns = 0;
};

struct DeployReport {
  std::string model_name;
  std::string model_sha256;
  std::string contract;     ///< Path of deploy.yaml.
  std::string created_utc;  ///< ISO 8601: "2026-01-31T12:00:00Z".
  bool passed = false;
  std::vector<std::string> failures;  ///< Why not passed, a sentence each.
  std::vector<std::string> notes;     ///< What a reader must know: fallbacks, skipped targets, warnings.
  MachineFacts machine;
  std::vector<NamedVersion> versions;
  std::string baseline_variant;  ///< The variant that drops and speed-ups refer to.
  std::string final_variant;     ///< The variant that is deployed.
  std::vector<AcceptanceRow> acceptance;
  std::vector<RunResult> runs;
  std::vector<RobustnessRow> robustness;
  std::optional<ExportFacts> exported;  ///< Absent where the contract names an ONNX file.
  std::vector<FileFacts> files;
  std::vector<PassResult> passes;
  std::vector<NodePrecision> precision;
  std::vector<TargetCheck> checks;
  std::vector<ReferenceComparison> references;
  std::vector<EquivalenceRow> equivalence;
  std::optional<CalibrationFacts> calibration;
  std::optional<GeometryComparison> geometry;  ///< Absent where the contract says opencv.
  std::vector<ReportPicture> pictures;
  std::optional<SceneSheet> scenes;  ///< Absent for what is no 3-D detector, or has no pictures to draw on.
  std::vector<StageTime> stages;
};

/// What a finished evaluation says, class by class.
AccuracyResult summarize_accuracy(const ClassificationMetrics& metrics);
AccuracyResult summarize_accuracy(const SegmentationMetrics& metrics);
AccuracyResult summarize_accuracy(const DetectionMetrics& metrics);
AccuracyResult summarize_accuracy(const DetectionMetrics3d& metrics);
/// `worst_sample` names the one of metrics.worst_sample().
AccuracyResult summarize_accuracy(const AgreementMetrics& metrics, std::string worst_sample);

/// The text of report.json.
std::string render_json(const DeployReport& report);

/// The text of report.html: self-contained, without network access; pictures with a wrong prediction come
/// first.
std::string render_html(const DeployReport& report);

/// Writes report.json and report.html into `folder` (made when missing), each whole or not at all. Errors:
/// kIo, kNotFound.
Status write_report(const DeployReport& report, const std::filesystem::path& folder);

}  // namespace tarmac::report
