// The words of deploy.yaml for each enumeration: one table serves reading, did-you-mean and to_string().
#pragma once

#include "contract/field.h"
#include "tarmac/contract.h"

namespace tarmac {

inline constexpr Choice<DType> kDtypeWords[] = {
    {"float32", DType::kFloat32}, {"float16", DType::kFloat16}, {"bfloat16", DType::kBFloat16},
    {"float64", DType::kFloat64}, {"uint8", DType::kUint8},     {"int8", DType::kInt8},
    {"uint16", DType::kUint16},   {"int16", DType::kInt16},     {"uint32", DType::kUint32},
    {"int32", DType::kInt32},     {"uint64", DType::kUint64},   {"int64", DType::kInt64},
    {"bool", DType::kBool}};
inline constexpr Choice<ModelFormat> kModelFormatWords[] = {
    {"torch", ModelFormat::kTorch},   {"saved_model", ModelFormat::kSavedModel},
    {"keras", ModelFormat::kKeras},   {"frozen_graph", ModelFormat::kFrozenGraph},
    {"tflite", ModelFormat::kTflite}, {"paddle", ModelFormat::kPaddle}};
inline constexpr Choice<TorchExporter> kTorchExporterWords[] = {{"auto", TorchExporter::kAuto},
                                                                {"torchscript", TorchExporter::kTorchScript},
                                                                {"dynamo", TorchExporter::kDynamo}};
inline constexpr Choice<Layout> kLayoutWords[] = {{"NCHW", Layout::kNCHW}, {"NHWC", Layout::kNHWC}};
inline constexpr Choice<ColorOrder> kColorWords[] = {
    {"RGB", ColorOrder::kRGB}, {"BGR", ColorOrder::kBGR}, {"GRAY", ColorOrder::kGray}};
inline constexpr Choice<Interpolation> kInterpolationWords[] = {{"nearest", Interpolation::kNearest},
                                                                {"linear", Interpolation::kLinear},
                                                                {"cubic", Interpolation::kCubic},
                                                                {"area", Interpolation::kArea},
                                                                {"lanczos4", Interpolation::kLanczos4}};
inline constexpr Choice<ResizeMode> kResizeModeWords[] = {{"stretch", ResizeMode::kStretch},
                                                          {"letterbox", ResizeMode::kLetterbox},
                                                          {"fit_shorter", ResizeMode::kFitShorter}};
inline constexpr Choice<PixelFormat> kPixelFormatWords[] = {{"nv12", PixelFormat::kNv12},
                                                            {"yuyv", PixelFormat::kYuyv},
                                                            {"rgb", PixelFormat::kRgb},
                                                            {"bgr", PixelFormat::kBgr}};
inline constexpr Choice<YuvMatrix> kYuvMatrixWords[] = {{"bt601", YuvMatrix::kBt601},
                                                        {"bt709", YuvMatrix::kBt709}};
inline constexpr Choice<YuvRange> kYuvRangeWords[] = {{"limited", YuvRange::kLimited},
                                                      {"full", YuvRange::kFull}};
inline constexpr Choice<LensModel> kLensWords[] = {{"radial_tangential", LensModel::kRadialTangential},
                                                   {"fisheye", LensModel::kFisheye}};
inline constexpr Choice<Geometry> kGeometryWords[] = {{"opencv", Geometry::kOpenCv},
                                                      {"fused", Geometry::kFused}};
inline constexpr Choice<SceneSource> kSceneWords[] = {{"one", SceneSource::kOne},
                                                      {"folders", SceneSource::kFolders},
                                                      {"column", SceneSource::kColumn},
                                                      {"array", SceneSource::kArray}};
inline constexpr Choice<EvaluationMetric> kMetricWords[] = {{"top1", EvaluationMetric::kTop1},
                                                            {"miou", EvaluationMetric::kMeanIou},
                                                            {"map", EvaluationMetric::kMeanAp},
                                                            {"nuscenes", EvaluationMetric::kNuScenes},
                                                            {"agreement", EvaluationMetric::kAgreement}};
inline constexpr Choice<AgreementKind> kAgreementWords[] = {{"values", AgreementKind::kValues},
                                                            {"classes", AgreementKind::kClasses},
                                                            {"boxes", AgreementKind::kBoxes}};
inline constexpr Choice<DetectionDecoder> kDecoderWords[] = {{"boxes", DetectionDecoder::kBoxes},
                                                             {"fastestdet", DetectionDecoder::kFastestDet},
                                                             {"yolov8", DetectionDecoder::kYolov8},
                                                             {"centerpoint", DetectionDecoder::kCenterPoint}};
inline constexpr Choice<PrecisionMode> kPrecisionWords[] = {{"fp32", PrecisionMode::kFp32},
                                                            {"int8", PrecisionMode::kInt8}};
inline constexpr Choice<DType> kFloatWords[] = {{"fp16", DType::kFloat16}, {"bf16", DType::kBFloat16}};
inline constexpr Choice<FaultKind> kFaultWords[] = {{"never_reset", FaultKind::kNeverReset},
                                                    {"always_reset", FaultKind::kAlwaysReset},
                                                    {"drop", FaultKind::kDrop},
                                                    {"late", FaultKind::kLate},
                                                    {"shuffle", FaultKind::kShuffle}};
inline constexpr Choice<CalibrationMethod> kMethodWords[] = {
    {"minmax", CalibrationMethod::kMinMax},
    {"moving-average", CalibrationMethod::kMovingAverage},
    {"entropy", CalibrationMethod::kEntropy},
    {"percentile", CalibrationMethod::kPercentile},
    {"mse", CalibrationMethod::kMse}};

/// "fp16", "bf16".
const char* to_precision_word(DType type);

}  // namespace tarmac
