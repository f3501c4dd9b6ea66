#include "plan/manifest.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "plan/bounded_json.h"
#include "plan/tensor_spec.h"

namespace tarmac {
namespace {

using Json = nlohmann::json;

std::string dump(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Json to_json(const TensorSpec& spec) {
  Json json{{"name", spec.name}, {"dtype", to_string(spec.dtype)}, {"shape", nullptr}};
  if (!spec.shape) return json;
  json["shape"] = Json::array();
  for (const TensorDim& dim : *spec.shape) {
    std::visit([&](const auto& value) { json["shape"].push_back(value); }, dim);
  }
  return json;
}

Json to_json(const std::vector<TensorSpec>& specs) {
  Json json = Json::array();
  for (const TensorSpec& spec : specs) json.push_back(to_json(spec));
  return json;
}

Json to_json(const std::vector<PlanProfile>& profiles) {
  Json json = Json::array();
  for (const PlanProfile& profile : profiles) {
    Json shapes = Json::object();
    for (const auto& [name, range] : profile.shapes) {
      shapes[name] = {{"min", range.min}, {"opt", range.opt}, {"max", range.max}};
    }
    json.push_back({{"shapes", std::move(shapes)}, {"buckets", profile.buckets}});
  }
  return json;
}

/// Free JSON that the plan carries along.
Result<Json> embedded(const std::string& text, const char* what) {
  if (text.empty()) return Json(nullptr);
  if (auto json = parse_json(text)) return *std::move(json);
  return make_error(ErrorCode::kInvalidInput, std::string("the plan's ") + what + " is not JSON");
}

Error wrong(const std::string& key, const Json& found, const char* expected) {
  std::string shown = dump(found);
  if (shown.size() > 80) shown = shown.substr(0, 80) + "…";
  return make_error(ErrorCode::kInvalidModel,
                    "the plan's manifest has '" + key + "': " + shown + ", expected " + expected, {},
                    "manifest.json");
}

const Json& member(const Json& object, const std::string& key) {
  static const Json null;
  const auto it = object.find(key);
  return it == object.end() ? null : *it;
}

// Each reader takes null (absent) as the default.
Status read(const Json& json, const std::string& key, std::string& value) {
  if (json.is_null()) return {};
  if (!json.is_string()) return wrong(key, json, "text");
  value = json.get<std::string>();
  return {};
}

Status read(const Json& json, const std::string& key, bool& value) {
  if (json.is_null()) return {};
  if (!json.is_boolean()) return wrong(key, json, "true or false");
  value = json.get<bool>();
  return {};
}

Status read(const Json& json, const std::string& key, std::int64_t& value) {
  const bool fits =
      json.is_number_integer() &&
      (!json.is_number_unsigned() || json.get<std::uint64_t>() <= std::numeric_limits<std::int64_t>::max());
  if (!fits || json.get<std::int64_t>() < 0) return wrong(key, json, "a whole number from 0 on");
  value = json.get<std::int64_t>();
  return {};
}

Status read(const Json& json, const std::string& key, std::uint64_t& value) {
  if (json.is_null()) return {};
  std::int64_t number = 0;
  TARMAC_CHECK_OK(read(json, key, number));
  value = static_cast<std::uint64_t>(number);
  return {};
}

Status read(const Json& json, const std::string& key, int& value) {
  if (json.is_null()) return {};
  std::int64_t wide = 0;
  TARMAC_CHECK_OK(read(json, key, wide));
  if (wide > std::numeric_limits<int>::max()) return wrong(key, json, "a number below 2^31");
  value = static_cast<int>(wide);
  return {};
}

Status read(const Json& json, const std::string& key, TensorDim& dim);
Status read(const Json& json, const std::string& key, TensorSpec& spec);
Status read(const Json& json, const std::string& key, InputShapes& shapes);
Status read(const Json& json, const std::string& key, PlanProfile& profile);

template <typename T>
Status read(const Json& json, const std::string& key, std::vector<T>& values) {
  if (json.is_null()) return {};
  if (!json.is_array()) return wrong(key, json, "a list");
  for (const Json& item : json) TARMAC_CHECK_OK(read(item, key, values.emplace_back()));
  return {};
}

Status read(const Json& json, const std::string& key, TensorDim& dim) {
  if (json.is_string()) {
    dim = json.get<std::string>();
    return {};
  }
  std::int64_t size = 0;
  TARMAC_CHECK_OK(read(json, key, size));
  dim = size;
  return {};
}

Status read(const Json& json, const std::string& key, TensorSpec& spec) {
  if (!json.is_object()) return wrong(key, json, "a tensor's name, dtype and shape");
  TARMAC_CHECK_OK(read(member(json, "name"), key + ".name", spec.name));
  std::string dtype;
  TARMAC_CHECK_OK(read(member(json, "dtype"), key + ".dtype", dtype));
  spec.dtype = dtype_from_string(dtype);
  if (spec.name.empty() || spec.dtype == DType::kUndefined)
    return wrong(key, json, "a tensor's name and dtype");
  if (const Json& shape = member(json, "shape"); !shape.is_null()) {
    TARMAC_CHECK_OK(read(shape, key + ".shape", spec.shape.emplace()));
  }
  spec.type = describe_tensor(spec.dtype, spec.shape);
  return {};
}

Status read(const Json& json, const std::string& key, ProfileSpec& range) {
  if (!json.is_object()) return wrong(key, json, "min, opt and max");
  TARMAC_CHECK_OK(read(member(json, "min"), key + ".min", range.min));
  TARMAC_CHECK_OK(read(member(json, "opt"), key + ".opt", range.opt));
  TARMAC_CHECK_OK(read(member(json, "max"), key + ".max", range.max));
  bool ordered = range.min.size() == range.max.size() && range.opt.size() == range.max.size();
  for (std::size_t i = 0; ordered && i < range.min.size(); ++i) {
    ordered = range.min[i] <= range.opt[i] && range.opt[i] <= range.max[i];
  }
  if (!ordered) return wrong(key, json, "min ≤ opt ≤ max of one rank");
  return {};
}

Status read(const Json& json, const std::string& key, InputShapes& shapes) {
  if (!json.is_object()) return wrong(key, json, "shapes by input name");
  for (const auto& [name, shape] : json.items()) {
    TARMAC_CHECK_OK(read(shape, key + "." + name, shapes[name]));
  }
  return {};
}

Status read(const Json& json, const std::string& key, PlanProfile& profile) {
  if (!json.is_object() || !member(json, "shapes").is_object()) return wrong(key, json, "shapes and buckets");
  for (const auto& [name, range] : member(json, "shapes").items()) {
    TARMAC_CHECK_OK(read(range, key + "." + name, profile.shapes[name]));
  }
  return read(member(json, "buckets"), key + ".buckets", profile.buckets);
}

void read_embedded(const Json& json, std::string& text) {
  if (!json.is_null()) text = dump(json);
}

}  // namespace

Result<std::string> write_manifest(const PlanInfo& info) {
  TARMAC_TRY(const Json precision, embedded(info.precision_json, "precision details"));
  TARMAC_TRY(const Json acceptance, embedded(info.acceptance_json, "acceptance record"));
  TARMAC_TRY(const Json tried, embedded(info.tried_json, "table of candidates"));
  TARMAC_TRY(const Json origin, embedded(info.origin_json, "record of its origin"));
  const Json json{{"tool_version", info.tool_version},
                  {"target", info.target},
                  {"engine_version", info.engine_version},
                  {"providers", info.providers},
                  {"allow_fallback", info.allow_fallback},
                  {"cores", info.cores},
                  {"streams", info.streams},
                  {"workspace_bytes", info.workspace_bytes},
                  {"model_digest", info.model_digest},
                  {"source_digest", info.source_digest},
                  {"origin", origin},
                  {"data_digest", info.data_digest},
                  {"cpu_features", info.cpu_features},
                  {"gpu", info.gpu},
                  {"inputs", to_json(info.inputs)},
                  {"outputs", to_json(info.outputs)},
                  {"profiles", to_json(info.profiles)},
                  {"precision", info.precision},
                  {"precision_details", precision},
                  {"preprocessing", info.preprocessing},
                  {"preprocessing_fingerprint", info.preprocessing_fingerprint},
                  {"labels", info.labels},
                  {"acceptance", acceptance},
                  {"tried", tried},
                  {"engine_notes", info.engine_notes}};
  return dump(json, 1);
}

Result<PlanInfo> read_manifest(std::string_view text) {
  const auto json = parse_json(text);
  if (!json || !json->is_object()) {
    return make_error(ErrorCode::kInvalidModel, "the plan's manifest is not a JSON object", {},
                      "manifest.json");
  }
  PlanInfo info;
  const auto field = [&](const char* key, auto& value) { return read(member(*json, key), key, value); };
  TARMAC_CHECK_OK(field("tool_version", info.tool_version));
  TARMAC_CHECK_OK(field("target", info.target));
  TARMAC_CHECK_OK(field("engine_version", info.engine_version));
  TARMAC_CHECK_OK(field("providers", info.providers));
  TARMAC_CHECK_OK(field("allow_fallback", info.allow_fallback));
  TARMAC_CHECK_OK(field("cores", info.cores));
  TARMAC_CHECK_OK(field("streams", info.streams));
  TARMAC_CHECK_OK(field("workspace_bytes", info.workspace_bytes));
  TARMAC_CHECK_OK(field("model_digest", info.model_digest));
  TARMAC_CHECK_OK(field("source_digest", info.source_digest));
  TARMAC_CHECK_OK(field("data_digest", info.data_digest));
  TARMAC_CHECK_OK(field("cpu_features", info.cpu_features));
  TARMAC_CHECK_OK(field("gpu", info.gpu));
  TARMAC_CHECK_OK(field("inputs", info.inputs));
  TARMAC_CHECK_OK(field("outputs", info.outputs));
  TARMAC_CHECK_OK(field("profiles", info.profiles));
  TARMAC_CHECK_OK(field("precision", info.precision));
  TARMAC_CHECK_OK(field("preprocessing", info.preprocessing));
  TARMAC_CHECK_OK(field("preprocessing_fingerprint", info.preprocessing_fingerprint));
  TARMAC_CHECK_OK(field("labels", info.labels));
  TARMAC_CHECK_OK(field("engine_notes", info.engine_notes));
  read_embedded(member(*json, "precision_details"), info.precision_json);
  read_embedded(member(*json, "acceptance"), info.acceptance_json);
  read_embedded(member(*json, "tried"), info.tried_json);
  read_embedded(member(*json, "origin"), info.origin_json);
  for (const auto* key : {"target", "engine_version", "model_digest"}) {
    if (member(*json, key).is_null()) return wrong(key, nullptr, "text");
  }
  return info;
}

}  // namespace tarmac
