#include "conformance/case.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "graph/model_io.h"
#include "tensor/codec.h"
#include "tensor/io.h"

namespace tarmac::conformance {
namespace {

/// case.json beside the model.
struct Description {
  Tolerance own;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
};

Result<nlohmann::json> read_json(const std::filesystem::path& path) {
  TARMAC_TRY(const std::string text, read_file(path));
  auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object())
    return make_error(ErrorCode::kInvalidInput, "expected a JSON object", {}, path.string());
  return json;
}

Result<Description> read_description(const std::filesystem::path& folder) {
  TARMAC_TRY(const auto json, read_json(folder / "case.json"));
  return Description{{json.at("rtol"), json.at("atol"), 0}, json.at("inputs"), json.at("outputs")};
}

Verdict from_error(const char* stage, const Error& error) {
  const bool refused = error.code == ErrorCode::kUnsupported || error.code == ErrorCode::kUnavailable;
  return {refused ? Outcome::kRefused : Outcome::kWrong, std::string(stage) + ": " + error.str()};
}

Verdict run_data_set(Context& context, const std::filesystem::path& folder, const Description& description,
                     const Tolerances& tolerances) {
  for (std::size_t i = 0; i < description.inputs.size(); ++i) {
    auto tensor = read_tensor_proto(folder / ("input_" + std::to_string(i) + ".pb"));
    if (!tensor) return from_error("data", tensor.error());
    if (auto status = context.set_input(description.inputs[i], *std::move(tensor)); !status) {
      return from_error("input", status.error());
    }
  }
  if (auto status = context.run(); !status) return from_error("run", status.error());
  for (std::size_t i = 0; i < description.outputs.size(); ++i) {
    const std::string& name = description.outputs[i];
    auto expected = read_tensor_proto(folder / ("output_" + std::to_string(i) + ".pb"));
    if (!expected) return from_error("data", expected.error());
    auto found = context.output(name);
    if (!found) return from_error("output", found.error());
    Tolerance tolerance;
    if (const auto entry = tolerances.find(expected->dtype()); entry != tolerances.end()) {
      tolerance = entry->second;
      if (expected->dtype() == DType::kFloat32 || expected->dtype() == DType::kFloat64) {
        tolerance.rtol = std::max(tolerance.rtol, description.own.rtol);
        tolerance.atol = std::max(tolerance.atol, description.own.atol);
      }
    }
    const std::string reason = difference(*expected, *found, tolerance);
    if (!reason.empty()) return {Outcome::kWrong, "output '" + name + "': " + reason};
  }
  return {Outcome::kPassed, {}};
}

std::string first_far_element(const std::vector<double>& expected, const std::vector<double>& found,
                              const Tolerance& tolerance) {
  double largest = 0;
  for (const double value : expected) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double e = expected[i];
    const double f = found[i];
    if (e == f || (std::isnan(e) && std::isnan(f))) continue;
    const double allowed = tolerance.atol + tolerance.rtol * std::abs(e) + tolerance.of_largest * largest;
    if (std::isfinite(e) && std::abs(f - e) <= allowed) continue;
    return "element " + std::to_string(i) + " is " + std::to_string(f) + ", expected " + std::to_string(e);
  }
  return {};
}

}  // namespace

Result<Tolerances> read_tolerances(const std::filesystem::path& path) {
  TARMAC_TRY(const auto json, read_json(path));
  Tolerances tolerances;
  for (const auto& [name, entry] : json.items()) {
    const DType dtype = dtype_from_string(name);
    if (dtype == DType::kUndefined) continue;  // "_comment"
    tolerances[dtype] = {entry.at("rtol"), entry.at("atol"), entry.at("of_largest")};
  }
  return tolerances;
}

std::string difference(const Tensor& expected, const Tensor& found, const Tolerance& tolerance) {
  if (found.dtype() != expected.dtype() || found.shape() != expected.shape()) {
    return to_string(Type::tensor(found.dtype(), found.shape())) + ", expected " +
           to_string(Type::tensor(expected.dtype(), expected.shape()));
  }
  if (expected.dtype() == DType::kString)
    return expected.strings() == found.strings() ? "" : "strings differ";
  if (identical(expected, found)) return {};
  if (is_integer(expected.dtype()) && bit_width(expected.dtype()) == 64) return "values differ";
  const auto expected_values = to_doubles(expected);
  const auto found_values = to_doubles(found);
  if (!expected_values || !found_values) return "bytes differ";
  return first_far_element(*expected_values, *found_values, tolerance);
}

Verdict run_case(Target& target, const std::filesystem::path& folder, const Tolerances& tolerances,
                 const std::function<Status(Model&)>& prepare) {
  const auto description = read_description(folder);
  if (!description) return from_error("data", description.error());
  auto model = load_model(folder / "model.onnx");
  if (!model) return from_error("load", model.error());
  if (prepare) {
    if (auto status = prepare(*model); !status) return from_error("prepare", status.error());
  }
  CompileOptions options;
  options.cores = 1;  // the suite runs several cases at once
  const auto executable = target.compile(*model, options, no_progress());
  if (!executable) return from_error("compile", executable.error());
  const auto context = (*executable)->create_context();
  if (!context) return from_error("context", context.error());
  for (std::size_t i = 0;; ++i) {
    const auto data = folder / ("test_data_set_" + std::to_string(i));
    if (!std::filesystem::exists(data)) {
      return i == 0 ? Verdict{Outcome::kWrong, "data: no test data"} : Verdict{Outcome::kPassed, {}};
    }
    Verdict verdict = run_data_set(**context, data, *description, tolerances);
    if (verdict.outcome != Outcome::kPassed) return verdict;
  }
}

}  // namespace tarmac::conformance
