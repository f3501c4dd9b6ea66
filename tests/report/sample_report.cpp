#include "report/sample_report.h"

#include <algorithm>
#include <cstdlib>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <random>
#include <string>

namespace tarmac::test {
using namespace report;
namespace {

const std::vector<std::string> kClasses = {"red", "yellow", "green"};
constexpr const char* kHostileName = "/head/<script>alert(1)</script>/\"Conv\" & 'Relu' {{data}}";

AccuracyResult accuracy(std::int64_t wrong) {
  auto metrics = *ClassificationMetrics::create(kClasses);
  const std::vector<std::int64_t> samples = {181, 9, 107};
  for (std::size_t c = 0; c < samples.size(); ++c) {
    for (std::int64_t i = 0; i < samples[c]; ++i) {
      const std::size_t predicted = c != 1 && i < wrong ? 2 - c : c;
      std::vector<float> logits(3, 0.0F);
      logits[predicted] = 1;
      const std::vector<std::int64_t> label = {static_cast<std::int64_t>(c)};
      if (!metrics.add(Tensor::from<float>({1, 3}, logits), label)) std::abort();
    }
  }
  return summarize_accuracy(metrics);
}

RunResult run(const std::string& variant, const std::string& target, double median_us, std::int64_t wrong) {
  RunResult result;
  result.variant = variant;
  result.target = target;
  result.threads = 2;
  result.accuracy = accuracy(wrong);
  std::mt19937 random(static_cast<unsigned>(median_us));
  std::lognormal_distribution<double> noise(0, 0.08);
  std::vector<std::int64_t> times(2000);
  for (std::int64_t& time : times) time = static_cast<std::int64_t>(median_us * 1000 * noise(random));
  times[7] *= 6;
  result.latency = *summarize_latency(times);
  result.histogram = *make_histogram(times, 40);
  result.throughput = ThroughputResult{1.7e6 / median_us, 1, 2};
  result.peak_memory_bytes = static_cast<std::uint64_t>(90e6 + median_us * 20e3);
  result.compile_ns = 180'000'000;
  for (int i = 0; i < 24; ++i) {
    const std::string name =
        i == 3 ? kHostileName
               : "/backbone/block" + std::to_string(i / 4) + "/conv" + std::to_string(i % 4) + "/Conv";
    const double share = median_us * 1000 / 24 * (24 - i) / 12.5;
    result.node_times.push_back({name, i % 5 == 4 ? "Add" : "Conv", static_cast<std::int64_t>(share)});
  }
  return result;
}

std::vector<std::byte> lamp(int lit) {
  cv::Mat image(150, 60, CV_8UC3, cv::Scalar(46, 42, 40));
  const cv::Scalar lights[] = {{40, 40, 220}, {40, 200, 230}, {90, 200, 60}};
  for (int i = 0; i < 3; ++i) {
    const cv::Scalar color = i == lit ? lights[i] : cv::Scalar(70, 70, 70);
    cv::circle(image, {30, 30 + 45 * i}, 17, color, cv::FILLED, cv::LINE_AA);
  }
  std::vector<unsigned char> jpeg;
  cv::imencode(".jpg", image, jpeg);
  const auto* begin = reinterpret_cast<const std::byte*>(jpeg.data());
  return {begin, begin + jpeg.size()};
}

std::vector<ReportPicture> pictures() {
  std::vector<ReportPicture> all;
  for (int i = 0; i < 40; ++i) {
    ReportPicture picture;
    const int lit = i % 3;
    picture.name =
        "test/" + kClasses[static_cast<std::size_t>(lit)] + "/picture_" + std::to_string(i) + ".jpg";
    picture.label = kClasses[static_cast<std::size_t>(lit)];
    picture.jpeg = lamp(lit);
    for (const char* variant : {"original", "int8"}) {
      const bool wrong = i == 11 || (i == 22 && std::string(variant) == "int8");
      picture.predictions.push_back(
          {variant, "openvino", wrong ? kClasses[static_cast<std::size_t>((lit + 1) % 3)] : picture.label,
           wrong ? 0.54 : 0.97});
    }
    all.push_back(std::move(picture));
  }
  return all;
}

void add_tables(DeployReport& report) {
  report.acceptance = {
      {"accuracy drop", "openvino", "fp32", "at_most", 0.01, 0.0, "fraction", true, "top-1"},
      {"accuracy drop", "openvino", "int8", "at_most", 0.02, 0.0034, "fraction", true, "top-1"},
      {"latency p99", "openvino", "int8", "at_most", 5e6, 1.31e6, "ns", true, {}},
      {"latency p99", "onnxruntime", "int8", "at_most", 1e6, 1.93e6, "ns", false, {}},
      {"peak memory", "", "", "at_most", 500e6, 131e6, "bytes", true, {}},
      {"throughput", "openvino", "int8", "at_least", 500, 1600, "1/s", true, {}},
      {"difference from reference",
       "onnxruntime",
       "original",
       "at_most",
       0.01,
       std::nullopt,
       "fraction",
       false,
       {}}};
  report.files = {
      {"original model", "original", "examples/traffic_light/model.onnx", 2'412'331, std::string(64, 'a')},
      {"optimised model", "fp32", "build/demo/model.fp32.onnx", 2'380'112, std::string(64, 'b')},
      {"quantised model", "int8", "build/demo/model.int8.onnx", 655'870, std::string(64, 'c')}};
  report.passes = {
      {"fold_constants", "fp32", 14, 3'100'000, "14 nodes became constants"},
      {"fuse_conv_bn", "fp32", 8, 1'200'000, "8 BatchNormalization nodes went into their Conv"},
      {"remove_identity", "fp32", 0, 90'000, ""},
      {"quantize_static", "int8", 21, 812'000'000, "QuantizeLinear / DequantizeLinear around 21 nodes"}};
  for (int i = 0; i < 21; ++i) {
    const std::string name =
        "/backbone/block" + std::to_string(i / 4) + "/conv" + std::to_string(i % 4) + "/Conv";
    report.precision.push_back({"openvino", "int8", name, "Conv", "int8", ""});
  }
  report.precision.push_back({"openvino", "int8", "/head/Softmax", "Softmax", "float32",
                              "Softmax has no integer kernel on openvino"});
  report.precision.push_back({"openvino", "int8", kHostileName, "Conv", "float32",
                              "INT8 costs 1.20 points of top-1", 0.012, 21.5, 90'000, 41'000});
  report.checks = {
      {"openvino", true, "", 25, 25, {}},
      {"onnxruntime",
       true,
       "",
       25,
       24,
       {{kHostileName, "GridSample", "unsupported", "no kernel for mode=cubic with 5-D input.",
         "Use mode=linear, or choose target openvino."}}},
      {"tensorrt", false, "libnvinfer.so.10 is not on this machine; install TensorRT", 25, 0, {}}};
  ErrorMetrics close;
  close.max_abs = 3.2e-6;
  close.max_rel = 4.1e-7;
  close.snr_db = 128.4;
  close.cosine = 1;
  close.count = 96;
  report.equivalence = {
      {"fp32", "ONNX Runtime 1.32.0", "batch=1", "pictures/test", 32, "logits", "float32", close, 1e-3, true,
       ""},
      {"fp32", "ONNX Runtime 1.32.0", "batch=8", "made up", 3, "logits", "float32", close, 1e-3, true, ""}};
  report.references = {{"PyTorch 2.9.0", "original", "openvino", "logits", 32, close, 0.01, true},
                       {"PyTorch 2.9.0", "original", "onnxruntime", "logits", 32, close, 0.01, true}};
  report.calibration = CalibrationFacts{
      "minmax", 128, "train/ (128 of 1,187 pictures, seed 0)", std::string(64, 'd'), 1'900'000'000, 47};
  report.geometry = GeometryComparison{
      "image", "pictures/test", 297, 0.31, 1.5, 14.25, {{"original", "openvino", 0.9966, 0.9933}}};
  report.exported = ExportFacts{"torch",
                                "models.py:detector",
                                std::string(64, 'e'),
                                "PyTorch 2.9.0",
                                "TorchScript",
                                17,
                                61,
                                25,
                                0.01,
                                "2 made-up samples",
                                false,
                                {{"logits", "float32", 4.1e-7, 3.0e-8, 2}, {"zero", "float32", {}, {}, 2}},
                                {"the input 'flag' is not used and was dropped"}};
  report.stages = {{"check", 420'000'000},   {"optimize", 12'000'000},    {"quantize", 2'700'000'000},
                   {"compile", 900'000'000}, {"evaluate", 6'100'000'000}, {"bench", 12'000'000'000}};
}

}  // namespace

DeployReport sample_report() {
  DeployReport report;
  report.model_name = "traffic_light";
  report.model_sha256 = std::string(64, 'a');
  report.contract = "examples/traffic_light/deploy.yaml";
  report.created_utc = "2026-01-31T12:00:00Z";
  report.passed = false;
  report.failures = {"latency p99 of int8 on onnxruntime is 1.93 ms, the contract allows 1 ms"};
  report.notes = {"target tensorrt was skipped: libnvinfer.so.10 is not on this machine"};
  report.machine = {"Intel(R) Xeon(R) Processor @ 2.10GHz", 2, 8'200'000'000, "Linux 6.1.0, Debian 12", ""};
  report.versions = {
      {"tarmac", "0.1.0"}, {"openvino", "2026.4.0"}, {"onnxruntime", "1.32.0"}, {"onnx", "1.23.2"}};
  report.baseline_variant = "original";
  report.final_variant = "int8";
  report.runs = {run("original", "openvino", 2600, 2), run("fp32", "openvino", 2450, 2),
                 run("int8", "openvino", 1050, 3),     run("original", "onnxruntime", 2900, 2),
                 run("fp32", "onnxruntime", 2700, 2),  run("int8", "onnxruntime", 1500, 3)};
  report.pictures = pictures();
  report.scenes = SceneSheet{{{"original", "openvino", 0, 5, lamp(0)}, {"int8", "openvino", 0, 5, lamp(1)}},
                             {{"int8", "openvino", 40, lamp(2)}}};
  add_tables(report);
  return report;
}

}  // namespace tarmac::test
