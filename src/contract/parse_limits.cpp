#include <algorithm>

#include "contract/sections.h"
#include "contract/words.h"

namespace tarmac {
namespace {

constexpr int kMaxCores = 4096;
constexpr std::int64_t kMaxSize = std::int64_t{1} << 40U;

Result<std::string> parse_target_name(const Field& field) {
  TARMAC_TRY(std::string name, field.identifier("the name of a target, such as openvino"));
  const auto& known = field.source().options.known_targets;
  if (!known.empty() && std::find(known.begin(), known.end(), name) == known.end()) {
    const std::vector<std::string_view> words(known.begin(), known.end());
    return field.wrong_word(words);
  }
  return name;
}

Result<TargetSpec> parse_target(const Field& field) {
  TargetSpec target;
  if (field.is_scalar()) {
    TARMAC_TRY(target.name, parse_target_name(field));
    return target;
  }
  TARMAC_CHECK_OK(field.allow_keys({"name", "providers", "allow_fallback", "cores"}));
  TARMAC_TRY(const Field name, field.require("name"));
  TARMAC_TRY(target.name, parse_target_name(name));
  const auto providers = field.find("providers");
  if (providers && target.name != "onnxruntime")
    return providers->error("providers belong to onnxruntime; remove them");
  if (providers) {
    TARMAC_TRY(const auto elements, providers->elements("a list of providers, such as [CPU, CUDA]"));
    if (elements.empty()) return providers->wrong("at least one provider");
    for (const Field& element : elements) {
      TARMAC_TRY(std::string provider, element.identifier("the name of a provider, such as CPU"));
      if (std::find(target.providers.begin(), target.providers.end(), provider) != target.providers.end()) {
        return element.error("found the provider " + quote(provider) + " again; name each once");
      }
      target.providers.push_back(std::move(provider));
    }
  }
  if (const auto fallback = field.find("allow_fallback")) {
    if (!providers) return fallback->error("allow_fallback needs the key 'providers' beside it");
    TARMAC_TRY(target.allow_fallback, fallback->boolean());
  }
  if (const auto cores = field.find("cores")) {
    TARMAC_TRY(target.cores, cores->small_integer(1, kMaxCores));
  }
  return target;
}

Result<Shape> parse_profile_shape(const Field& field, const InputSpec& input) {
  TARMAC_TRY(const auto elements, field.elements("a list of sizes"));
  if (elements.size() != input.shape.size()) {
    return field.wrong("a list of " + std::to_string(input.shape.size()) + ", as in the input's shape");
  }
  Shape shape;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    TARMAC_TRY(const std::int64_t size, elements[i].integer(1, kMaxSize));
    if (input.shape[i].fixed() && size != input.shape[i].size) {
      return elements[i].wrong(std::to_string(input.shape[i].size) + ", as in the input's shape");
    }
    shape.push_back(size);
  }
  return shape;
}

/// A symbol has one value in each of min, opt and max, over all inputs: it is the same quantity.
Status bind_symbols(const Field& field, const InputSpec& input, const Shape& shape,
                    std::map<std::string, std::int64_t>& bound) {
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (input.shape[i].fixed()) continue;
    const auto [entry, is_new] = bound.emplace(input.shape[i].symbol, shape[i]);
    if (!is_new && entry->second != shape[i]) {
      return field.error("the symbol " + quote(entry->first) + " is " + std::to_string(shape[i]) +
                         " here but " + std::to_string(entry->second) +
                         " elsewhere; a symbol has one value in a profile");
    }
  }
  return {};
}

Result<std::vector<DType>> parse_also(const Field& field) {
  TARMAC_TRY(const auto elements, field.elements("a list of fp16 and bf16"));
  std::vector<DType> also;
  for (const Field& element : elements) {
    TARMAC_TRY(const DType type, element.choice(kFloatWords));
    if (std::find(also.begin(), also.end(), type) != also.end())
      return element.error(std::string("found ") + to_precision_word(type) + " again; name each once");
    also.push_back(type);
  }
  return also;
}

}  // namespace

Result<std::vector<TargetSpec>> parse_targets(const Field& field) {
  TARMAC_TRY(const auto elements, field.elements("a list of targets, such as [openvino, onnxruntime]"));
  if (elements.empty()) return field.wrong("at least one target");
  std::vector<TargetSpec> targets;
  for (const Field& element : elements) {
    TARMAC_TRY(TargetSpec target, parse_target(element));
    // Plans and results are told apart by the target's name.
    const auto same = [&](const TargetSpec& other) { return other.name == target.name; };
    if (std::any_of(targets.begin(), targets.end(), same))
      return element.error("found the target " + quote(target.name) + " again; name each once");
    targets.push_back(std::move(target));
  }
  return targets;
}

Result<PrecisionSpec> parse_precision(const Field& field, const Contract& contract) {
  TARMAC_CHECK_OK(field.allow_keys(
      {"mode", "method", "equalize", "bias_correction", "adaptive_rounding", "max_drop", "also"}));
  PrecisionSpec precision;
  TARMAC_TRY(const Field mode, field.require("mode"));
  TARMAC_TRY(precision.mode, mode.choice(kPrecisionWords));
  if (precision.mode == PrecisionMode::kInt8 && !contract.calibration) {
    return mode.error("int8 needs data.calibration, which is missing");
  }
  if (precision.mode != PrecisionMode::kInt8) {
    for (const char* key : {"method", "equalize", "bias_correction", "adaptive_rounding", "max_drop"}) {
      if (const auto found = field.find(key))
        return found->error(std::string(key) + " belongs to mode int8; remove it");
    }
  }
  if (const auto method = field.find("method")) {
    TARMAC_TRY(precision.method, method->choice(kMethodWords));
  }
  for (const auto& [key, flag] :
       {std::pair("equalize", &precision.equalize), std::pair("bias_correction", &precision.bias_correction),
        std::pair("adaptive_rounding", &precision.adaptive_rounding)}) {
    if (const auto found = field.find(key)) {
      TARMAC_TRY(*flag, found->boolean());
    }
  }
  if (const auto drop = field.find("max_drop")) {
    TARMAC_TRY(precision.max_drop, drop->percent());
  }
  if (const auto also = field.find("also")) {
    TARMAC_TRY(precision.also, parse_also(*also));
  }
  return precision;
}

Result<std::map<std::string, ProfileSpec>> parse_profiles(const Field& field, const Contract& contract) {
  TARMAC_TRY(const auto entries, field.entries("a map from input names to {min, opt, max}"));
  std::map<std::string, ProfileSpec> profiles;
  std::map<std::string, std::int64_t> bound[3];
  std::vector<std::string_view> names;
  for (const InputSpec& input : contract.inputs) names.push_back(input.name);
  for (const auto& [name, entry] : entries) {
    const InputSpec* input = contract.find_input(name);
    if (input == nullptr) {
      return entry.error("there is no input " + quote(name) + "; allowed: " + join(names));
    }
    TARMAC_CHECK_OK(entry.allow_keys({"min", "opt", "max"}));
    ProfileSpec& profile = profiles[name];
    const std::pair<const char*, Shape*> shapes[] = {
        {"min", &profile.min}, {"opt", &profile.opt}, {"max", &profile.max}};
    for (std::size_t i = 0; i < 3; ++i) {
      TARMAC_TRY(const Field shape, entry.require(shapes[i].first));
      TARMAC_TRY(*shapes[i].second, parse_profile_shape(shape, *input));
      TARMAC_CHECK_OK(bind_symbols(shape, *input, *shapes[i].second, bound[i]));
    }
    for (std::size_t i = 0; i < input->shape.size(); ++i) {
      if (profile.min[i] > profile.opt[i] || profile.opt[i] > profile.max[i]) {
        return entry.error("found min " + to_string(profile.min) + ", opt " + to_string(profile.opt) +
                           ", max " + to_string(profile.max) + "; expected min <= opt <= max in dimension " +
                           std::to_string(i));
      }
    }
  }
  return profiles;
}

Result<AcceptanceSpec> parse_acceptance(const Field& field, const Contract& contract) {
  TARMAC_CHECK_OK(
      field.allow_keys({"fp32_drop", "int8_drop", "fp16_drop", "bf16_drop", "nds_drop", "velocity_error_rise",
                        "latency_p50", "latency_p99", "throughput", "memory"}));
  AcceptanceSpec acceptance;
  for (const auto& [key, drop] :
       {std::pair("fp32_drop", &acceptance.fp32_drop), std::pair("int8_drop", &acceptance.int8_drop),
        std::pair("fp16_drop", &acceptance.fp16_drop), std::pair("bf16_drop", &acceptance.bf16_drop)}) {
    const auto value = field.find(key);
    if (!value) continue;
    if (!contract.evaluation) return value->error("a drop needs the section 'evaluation', which is missing");
    TARMAC_TRY(*drop, value->percent());
  }
  if (const auto drop = field.find("int8_drop"); drop && contract.precision.mode != PrecisionMode::kInt8) {
    return drop->error("int8_drop needs precision: {mode: int8}");
  }
  for (const Choice<DType>& type : kFloatWords) {
    const auto& also = contract.precision.also;
    const auto drop = field.find(std::string(type.word) + "_drop");
    if (drop && std::find(also.begin(), also.end(), type.value) == also.end()) {
      return drop->error(std::string(type.word) + "_drop needs precision: {also: [" + std::string(type.word) +
                         "]}");
    }
  }
  for (const char* key : {"nds_drop", "velocity_error_rise"}) {
    const auto value = field.find(key);
    if (value && (!contract.evaluation || contract.evaluation->metric != EvaluationMetric::kNuScenes))
      return value->error(std::string(key) + " needs evaluation: {metric: nuscenes}");
  }
  if (const auto drop = field.find("nds_drop")) {
    TARMAC_TRY(acceptance.nds_drop, drop->percent());
  }
  if (const auto rise = field.find("velocity_error_rise")) {
    TARMAC_TRY(acceptance.velocity_error_rise, rise->metres_per_second());
  }
  if (const auto latency = field.find("latency_p50")) {
    TARMAC_TRY(acceptance.latency_p50_ms, latency->milliseconds());
  }
  if (const auto latency = field.find("latency_p99")) {
    TARMAC_TRY(acceptance.latency_p99_ms, latency->milliseconds());
    if (acceptance.latency_p50_ms && *acceptance.latency_p50_ms > *acceptance.latency_p99_ms) {
      return latency->error("the limit of latency_p99 is below that of latency_p50, which cannot be");
    }
  }
  if (const auto throughput = field.find("throughput")) {
    TARMAC_TRY(acceptance.throughput_per_s, throughput->rate_per_second());
  }
  if (const auto memory = field.find("memory")) {
    TARMAC_TRY(acceptance.memory_bytes, memory->bytes());
  }
  return acceptance;
}

}  // namespace tarmac
