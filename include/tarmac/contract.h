// The contract, deploy.yaml version 1: what a model eats, where it runs, how fast, and how much accuracy it
// may lose. Paths in the file are relative to the file; here they are joined with its folder.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tarmac/camera.h"
#include "tarmac/result.h"
#include "tarmac/tensor.h"

namespace tarmac {

/// One size of an input's shape: a number, or a symbol ("batch") that is bound when the model runs.
struct InputDim {
  std::int64_t size = 0;  ///< > 0, or 0 when `symbol` names it.
  std::string symbol;

  [[nodiscard]] bool fixed() const { return symbol.empty(); }
  bool operator==(const InputDim&) const = default;
};

/// OpenCV's INTER_NEAREST, INTER_LINEAR, INTER_CUBIC, INTER_AREA, INTER_LANCZOS4.
enum class Interpolation { kNearest, kLinear, kCubic, kArea, kLanczos4 };

enum class ResizeMode {
  kStretch,    ///< To exactly `size`; the aspect ratio is not kept.
  kLetterbox,  ///< By min(H/h, W/w), sizes rounded half to even; the rest is pad_value, the odd row or column
               ///< last.
  kFitShorter,  ///< By max(H/h, W/w), sizes rounded half to even: covers `size`, one side may be longer.
};

/// Values in the order of the decoded channels; gray uses the first.
using PadValue = std::array<std::uint8_t, 3>;

/// A camera's frames as they lie in memory, instead of picture files.
struct RawFormat {
  PixelFormat format = PixelFormat::kNv12;
  int height = 0;
  int width = 0;
  int row_bytes = 0;  ///< From one row to the next, of both planes of NV12.
  YuvMatrix matrix = YuvMatrix::kBt601;
  YuvRange range = YuvRange::kLimited;
};
/// Decodes to 8 bits a channel. An EXIF orientation is ignored (as cv2.IMREAD_COLOR |
/// cv2.IMREAD_IGNORE_ORIENTATION).
struct DecodeStep {
  ColorOrder color = ColorOrder::kRGB;
  std::optional<RawFormat> raw{};  ///< Absent: picture files.
};
/// Straightens what the lens bent; outside the camera's picture lies black. The size stays, and must be that
/// which the camera was calibrated for.
struct UndistortStep {
  int height = 0;
  int width = 0;
  Lens lens;
};
struct ResizeStep {
  int height = 0;
  int width = 0;
  Interpolation interpolation = Interpolation::kLinear;
  ResizeMode mode = ResizeMode::kStretch;
  PadValue pad_value{};  ///< Used by kLetterbox.
};
/// Cuts height × width out; centred at floor((h - height) / 2), or at (top, left).
struct CropStep {
  int height = 0;
  int width = 0;
  bool centered = true;
  int top = 0;
  int left = 0;
};
struct PadStep {
  int top = 0;
  int bottom = 0;
  int left = 0;
  int right = 0;
  PadValue pad_value{};
};
/// (x * scale - mean[c]) / std[c]; mean and std have one value a channel.
struct NormalizeStep {
  double scale = 1.0;
  std::vector<double> mean;
  std::vector<double> std;
};
using PreprocessStep = std::variant<DecodeStep, UndistortStep, ResizeStep, CropStep, PadStep, NormalizeStep>;

/// How undistortion, resizing and colours come together.
enum class Geometry {
  kOpenCv,  ///< Step by step, as OpenCV's functions do, rounded to 8 bits after each.
  kFused,   ///< One bilinear interpolation of the camera's own values, not rounded before the normalisation.
};

struct InputSpec {
  std::string name;
  std::vector<InputDim> shape;
  DType dtype = DType::kFloat32;
  Layout layout = Layout::kNone;
  Geometry geometry = Geometry::kOpenCv;
  /// Empty when the input takes ready tensors; otherwise decode comes first, undistort (if any) second,
  /// normalize (if any) last.
  std::vector<PreprocessStep> preprocess;

  [[nodiscard]] bool is_picture() const { return !preprocess.empty(); }
  /// Whether its files are a camera's frames instead of pictures.
  [[nodiscard]] bool is_raw() const;
};

enum class DataKind {
  kFolder,   ///< Pictures below a folder, in the order of their paths; for inputs that take tensors .npy, or
             ///< .npz with an array for each of several inputs, one sample a file.
  kList,     ///< A text file: one picture a line, optionally a tab and its label; '#' begins a comment line.
  kTensors,  ///< .npz with one array an input, or .npy for a model with one input; samples along the first
             ///< axis.
  kVideo,    ///< A video file, or all below a folder in the order of their paths; one sample a frame.
};
enum class LabelSource {
  kNone,
  kFromFolder,  ///< The first folder below DataSource::path names the label.
  kFromFile,    ///< The list's second column, or the .npz array "labels"; see docs/contract.md.
  kMasks,       ///< A label map for each picture, below DataSource::truth.
  kBoxes,       ///< Boxes for each picture, in the COCO file DataSource::truth.
};

struct DataSource {
  DataKind kind = DataKind::kFolder;
  std::filesystem::path path;
  std::filesystem::path root;  ///< What a list's lines are relative to; default: the list's folder.
  LabelSource labels = LabelSource::kNone;
  std::filesystem::path truth;          ///< The folder of label maps, or the COCO file.
  std::int64_t stride = 1;              ///< Every how many frames of a video count.
  std::optional<std::int64_t> samples;  ///< Take this many, stratified by label; all when absent.
  std::uint64_t seed = 0;               ///< Which ones `samples` takes.
};

/// All in [0, 1], and more is better.
enum class EvaluationMetric {
  kTop1,       ///< Share of samples whose largest score is that of their label.
  kMeanIou,    ///< Intersection over union of label maps, mean over the classes.
  kMeanAp,     ///< COCO's average precision of boxes, mean over the classes and IoU 0.5, 0.55, … 0.95.
  kNuScenes,   ///< nuScenes' average precision of 3-D boxes by the distance of their centres.
  kAgreement,  ///< With the float model, on the sample where it is least; needs no labels.
};
/// What agreement compares; formulas in docs/contract.md.
enum class AgreementKind {
  kValues,   ///< Share of the output's power that is reproduced.
  kClasses,  ///< Share of places where the same class has the largest score.
  kBoxes,    ///< Share of detections that match.
};
/// How a detector's outputs become boxes; formulas in docs/contract.md.
enum class DetectionDecoder {
  kBoxes,        ///< They are boxes already.
  kFastestDet,   ///< The raw head of FastestDet.
  kYolov8,       ///< The raw head of anchor-free YOLO models, from YOLOv8 on.
  kCenterPoint,  ///< The maps of a CenterPoint head: 3-D boxes.
};
/// The maps of a CenterPoint head by the names of the outputs, as the operator BoxDecode3d has them, H rows
/// along y and W columns along x.
struct CenterPointOutputs {
  std::string heatmap;   ///< [N, classes, H, W], logits.
  std::string offset;    ///< [N, 2, H, W]: of the middle in its cell, x and y in cells.
  std::string height;    ///< [N, 1, H, W]: z of the box's middle, metres.
  std::string size;      ///< [N, 3, H, W]: log dx, log dy, log dz.
  std::string rotation;  ///< [N, 2, H, W]: sine and cosine of the yaw.
  std::string velocity;  ///< [N, 2, H, W]: vx, vy; empty: there is none.
  /// Of the map: lower x, y, z, upper x, y, z in metres.
  std::array<double, 6> range{};
  std::array<double, 2> cell{};  ///< Metres along x and y.
  std::int64_t max_boxes = 100;  ///< In a sample.
  double min_distance = 0;       ///< Metres; of two boxes of a class that are closer, the better stays.
};
/// The inputs that 3-D boxes are drawn with.
struct CameraViews {
  std::string images;  ///< uint8 [N, cameras, 3, height, width], RGB.
  /// [N, cameras, 4, 4]: (x, y, z, 1) in metres to (u d, v d, d, 1), with u and v in parts of the picture's
  /// width and height from its upper left corner and d the depth.
  std::string projection;
};
/// A detector's outputs by name; samples along the first axis, or without it for a batch of one.
struct DetectionOutputs {
  std::string boxes;    ///< [N, K, 4]: x1, y1, x2, y2 in pixels of the model's input.
  std::string scores;   ///< [N, K]
  std::string classes;  ///< [N, K]: indices into Contract::labels.
  std::string count;    ///< [N]: how many of K are detections; empty: those with a score above 0.
  DetectionDecoder decoder = DetectionDecoder::kBoxes;
  std::string head{};     ///< Of the other decoders, instead of the above; empty: the only output.
  double min_score = 0;   ///< What is below is no detection.
  double max_iou = 0.45;  ///< Of a raw head: overlap with a better box of the class, above which one goes.
  int input_height = 0;   ///< Pixels of the model's input; for kFastestDet.
  int input_width = 0;
  std::optional<CenterPointOutputs> center_point{};  ///< Of kCenterPoint, instead of the above.
  std::optional<CameraViews> view{};                 ///< Of 3-D boxes.
};
/// How the data says where one drive ends and another begins. A video is always a scene of its own.
enum class SceneSource {
  kOne,      ///< All samples are one scene.
  kFolders,  ///< Pictures that lie in one folder.
  kColumn,   ///< Neighbours with the same text in the list's last column.
  kArray,    ///< Neighbours with the same number in the .npz array "scenes".
};
/// An output that is an input of the next run.
struct StateSpec {
  std::string output;
  std::string input;
  std::filesystem::path first;  ///< .npy with what a scene begins with; empty: zeros.
};
/// Samples are frames in order; they are read one at a time.
struct SequenceSpec {
  SceneSource scenes = SceneSource::kOne;
  std::vector<StateSpec> state;
};

struct EvaluationSpec {
  EvaluationMetric metric = EvaluationMetric::kTop1;
  /// Empty: the model has one output; for agreement every output, and the least of them counts.
  std::string output;
  DetectionOutputs detections;  ///< For kMeanAp and kNuScenes, and agreement of kBoxes.
  AgreementKind compare = AgreementKind::kValues;
  /// What parts two classes with one score; for agreement of kBoxes the least score of a detection.
  double threshold = 0;
};

/// Outputs of the framework that trained the model, for named pictures or tensors.
struct ReferenceSpec {
  std::filesystem::path outputs;  ///< .npy, samples along the first axis.
  std::filesystem::path inputs;   ///< A list of pictures (.txt), or tensors (.npy, .npz).
  std::filesystem::path root;     ///< What the list's lines are relative to; default: the list's folder.
  std::string output;             ///< Empty: the model has one output.
  double max_relative_error = 0;  ///< 0.01 is 1 %.
};

struct TargetSpec {
  std::string name;
  std::vector<std::string> providers;  ///< ONNX Runtime only, most wanted first; empty: the target's default.
  bool allow_fallback = false;         ///< Whether the next provider may be used when one is missing.
  std::optional<int> cores;            ///< Core budget; absent: all.

  bool operator==(const TargetSpec&) const = default;
};

enum class PrecisionMode { kFp32, kInt8 };
/// How ranges of activations come from what was seen; see docs/contract.md.
enum class CalibrationMethod { kMinMax, kMovingAverage, kEntropy, kPercentile, kMse };
/// How INT8 is made; docs/quantization.md.
struct PrecisionSpec {
  PrecisionMode mode = PrecisionMode::kFp32;
  CalibrationMethod method = CalibrationMethod::kMinMax;
  bool equalize = true;            ///< Scale channels so that one scale a tensor serves them all.
  bool bias_correction = true;     ///< Take the mean of what rounding does to results into biases.
  bool adaptive_rounding = false;  ///< Round weights by what it does to results.
  /// Keep groups of nodes in float until the metric (else worst agreement) drops no further; 0.01 is one
  /// percentage point. Absent: all in INT8.
  std::optional<double> max_drop;
  /// kFloat16, kBFloat16: models that are made, measured and written beside those of `mode`.
  std::vector<DType> also;
};

/// What is done to the evaluation data, or to the state that is carried, to see what becomes of the metric.
enum class FaultKind {
  kNeverReset,   ///< State goes on from one scene into the next.
  kAlwaysReset,  ///< State begins anew with every frame.
  kDrop,         ///< A slice of an input, or all of it, is zeros.
  kLate,         ///< An input is that of some frames ago, the others are current.
  kShuffle,      ///< Slices of an input stand in another order.
};
struct FaultSpec {
  FaultKind kind = FaultKind::kNeverReset;
  std::string input{};        ///< Of the last three.
  std::optional<int> axis{};  ///< Of kDrop and kShuffle, in the input's shape; absent: kDrop drops all of it.
  std::int64_t index = 0;     ///< Of kDrop: which slice.
  int frames = 1;             ///< Of kLate; at the beginning of a scene its first frame repeats.
  std::uint64_t seed = 0;     ///< Of kShuffle: which order; no slice keeps its place.

  bool operator==(const FaultSpec&) const = default;
};

/// Concrete shapes an input will see; every size of `opt` lies between those of `min` and `max`.
struct ProfileSpec {
  Shape min;
  Shape opt;
  Shape max;
};

/// Limits that the deployed model must keep; absent ones are not checked.
struct AcceptanceSpec {
  std::optional<double>
      fp32_drop;  ///< Loss of the metric against the original; 0.01 is one percentage point.
  std::optional<double> int8_drop;  ///< The same for the INT8 model.
  std::optional<double> fp16_drop;  ///< The same for that of PrecisionSpec::also.
  std::optional<double> bf16_drop;
  /// Loss of the nuScenes score of every deployed model; 0.01 is one percentage point.
  std::optional<double> nds_drop;
  std::optional<double> velocity_error_rise;  ///< Of every deployed model, m/s.
  std::optional<double> latency_p50_ms;       ///< Median time of one inference.
  std::optional<double> latency_p99_ms;       ///< 99th percentile.
  std::optional<double> throughput_per_s;     ///< At least this many samples a second.
  std::optional<std::uint64_t> memory_bytes;  ///< Peak resident memory of the process.
};

/// Where a model comes from that is not ONNX yet; the words of deploy.yaml and of `python -m tarmac.export`.
enum class ModelFormat { kTorch, kSavedModel, kKeras, kFrozenGraph, kTflite, kPaddle };
/// Which of PyTorch's exporters: the TorchScript-based one, torch.export, or the one that works.
enum class TorchExporter { kAuto, kTorchScript, kDynamo };

/// An input as the exporter is told of it.
struct SourceInput {
  std::string name;
  DType dtype = DType::kUndefined;  ///< kUndefined: the source says it itself.
  std::vector<InputDim> shape;      ///< A symbol is an axis of any size.
};

/// A model in its framework, from which deploy() makes the ONNX file.
struct ModelSource {
  ModelFormat format = ModelFormat::kTorch;
  std::string written;         ///< As the contract names it: "models.py:detector".
  std::filesystem::path path;  ///< File, folder, or PREFIX of Paddle's files; empty for an importable module.
  std::string module;          ///< "package.module" to import, from the contract's folder first.
  std::string factory;         ///< What in the module makes the model; empty: the module's own.
  /// Files and folders beside `path` that the export is made from.
  std::vector<std::filesystem::path> depends;
  std::vector<SourceInput>
      inputs;  ///< As the ONNX model shall have them; the contract's where `model` says none.
  /// Two sizes of each dynamic axis, by its symbol, that made-up inputs have; from the profiles where `model`
  /// says none.
  std::map<std::string, std::array<std::int64_t, 2>> sizes;
  std::vector<std::string> outputs;      ///< Empty: the source says them itself.
  std::filesystem::path weights;         ///< Empty: none but what the source loads itself.
  std::string signature;                 ///< Of a SavedModel; empty: its default.
  Layout layout = Layout::kNHWC;         ///< Of inputs with four axes that TensorFlow has as NHWC.
  Layout output_layout = Layout::kNHWC;  ///< The same for outputs.
  TorchExporter exporter = TorchExporter::kAuto;
  std::optional<int> opset;         ///< Absent: the exporter's own choice.
  std::optional<double> max_error;  ///< Against the framework, relative; 0.01 is 1 %. Absent: the exporter's.
  std::filesystem::path data;       ///< .npz to compare on; empty: made-up values.
  bool simplify = true;
  std::filesystem::path python;  ///< The interpreter; empty: see docs/contract.md.
  double limit_s = 1800;         ///< The exporter is ended after this long.
};

struct Contract {
  std::filesystem::path file;  ///< As given to load_contract().
  std::string name;
  std::filesystem::path model;        ///< ONNX; empty where it is to be made from `source`.
  std::optional<ModelSource> source;  ///< What the model is exported from.
  std::vector<InputSpec> inputs;      ///< In the file's order.
  std::vector<std::string> labels;    ///< Class names by index; may be empty.
  std::optional<DataSource> calibration;
  std::optional<DataSource> evaluation_data;
  std::optional<SequenceSpec> sequence;        ///< Absent: samples are independent of each other.
  std::optional<DetectionOutputs> detections;  ///< What the outputs of a detector mean.
  std::optional<EvaluationSpec> evaluation;
  std::vector<FaultSpec> robustness;  ///< Evaluated one by one on what is deployed.
  std::optional<ReferenceSpec> reference;
  std::vector<TargetSpec> targets;  ///< At least one; "openvino" when the file names none.
  PrecisionSpec precision;
  std::map<std::string, ProfileSpec> profiles;  ///< By input name.
  AcceptanceSpec acceptance;

  /// Null when there is no such input.
  [[nodiscard]] const InputSpec* find_input(std::string_view name) const;
};

struct ContractOptions {
  /// False where only the preprocessing matters (a vehicle without the data): files and folders are not
  /// looked up.
  bool files_must_exist = true;
  /// Names that `targets:` may use; empty accepts any.
  std::vector<std::string> known_targets;
};

/// Reads and checks deploy.yaml. Errors: kInvalidInput or kNotFound with context "file:line", saying what was
/// found and what is allowed; kIo; kResourceExhausted above 1 MiB. YAML anchors, aliases, tags and several
/// documents in one file are refused.
Result<Contract> load_contract(const std::filesystem::path& file, const ContractOptions& options = {});

/// As load_contract(), from text; `file` gives the folder of relative paths and the name in messages.
Result<Contract> parse_contract(std::string_view text, const std::filesystem::path& file,
                                const ContractOptions& options = {});

const char* to_string(ModelFormat format);
const char* to_string(TorchExporter exporter);
const char* to_string(Layout layout);
const char* to_string(ColorOrder color);
const char* to_string(Interpolation interpolation);
const char* to_string(ResizeMode mode);
const char* to_string(PixelFormat format);
const char* to_string(YuvMatrix matrix);
const char* to_string(YuvRange range);
const char* to_string(LensModel model);
const char* to_string(Geometry geometry);
const char* to_string(EvaluationMetric metric);
const char* to_string(AgreementKind kind);
const char* to_string(DetectionDecoder decoder);
const char* to_string(PrecisionMode mode);
const char* to_string(FaultKind kind);
const char* to_string(CalibrationMethod method);

}  // namespace tarmac
