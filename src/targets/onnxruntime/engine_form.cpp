#include "targets/onnxruntime/engine_form.h"

#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

namespace tarmac::onnxruntime {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kMark = "TARMACOP";
constexpr std::size_t kTailBytes = 8 + kMark.size();

Json names_of(const std::vector<DType>& dtypes) {
  Json names = Json::array();
  for (const DType dtype : dtypes) names.push_back(to_string(dtype));
  return names;
}

Json describe(const DrivingCall& call) {
  Json attributes = Json::object();
  for (const auto& [name, value] : call.kernel->attributes())
    std::visit([&, key = name](const auto& held) { attributes[key] = held; }, value);
  const ops::Operator& op = call.kernel->op();
  return {{"operator", op.name},
          {"version", op.version},
          {"attributes", std::move(attributes)},
          {"present", call.kernel->present()},
          {"inputs", names_of(call.inputs)},
          {"outputs", names_of(call.outputs)}};
}

Error damaged(const std::string& what) {
  return make_error(ErrorCode::kInvalidModel, "the engine's list of driving operators is damaged: " + what);
}

std::vector<DType> dtypes_of(const Json& names) {
  std::vector<DType> dtypes;
  for (const Json& name : names) dtypes.push_back(dtype_from_string(name.get<std::string>()));
  return dtypes;
}

/// Throws Json::exception.
Result<DrivingCall> read_call(const Json& json) {
  const auto name = json.at("operator").get<std::string>();
  const ops::Operator* op = ops::find_operator(ops::kDomain, name, json.at("version").get<std::int64_t>());
  if (op == nullptr) return damaged("this Tarmac has no operator '" + name + "'");
  ops::Attributes given;
  for (const ops::AttributeSpec& spec : op->attributes) {
    if (const auto found = json.at("attributes").find(spec.name); found != json.at("attributes").end()) {
      std::visit([&](auto kind) { given[spec.name] = found->get<decltype(kind)>(); }, spec.value);
    }
  }
  TARMAC_TRY(auto attributes, ops::complete_attributes(*op, given));
  DrivingCall call;
  TARMAC_TRY(call.kernel,
             DrivingOperator::create(*op, std::move(attributes), json.at("present").get<std::uint64_t>()));
  call.inputs = dtypes_of(json.at("inputs"));
  call.outputs = dtypes_of(json.at("outputs"));
  if (call.inputs.size() > kMaxOperands || call.outputs.size() > kMaxOperands)
    return damaged(name + " has too many inputs or outputs");
  return call;
}

}  // namespace

std::string pack_engine(std::string ort_file, const std::vector<DrivingCall>& calls) {
  Json list = Json::array();
  for (const DrivingCall& call : calls) list.push_back(describe(call));
  const std::string text = list.dump();
  ort_file += text;
  for (int shift = 0; shift < 64; shift += 8)
    ort_file += static_cast<char>(static_cast<std::uint64_t>(text.size()) >> shift & 0xFFU);
  return ort_file.append(kMark);
}

Result<EngineForm> unpack_engine(std::span<const std::byte> engine) {
  const auto is_mark = [](std::span<const std::byte> bytes) {
    return std::memcmp(bytes.data(), kMark.data(), kMark.size()) == 0;
  };
  if (engine.size() < kTailBytes || !is_mark(engine.last(kMark.size()))) return damaged("it is not there");
  const auto tail = engine.last(kTailBytes);
  std::uint64_t size = 0;
  for (std::size_t i = 0; i < 8; ++i) size |= std::to_integer<std::uint64_t>(tail[i]) << (8 * i);
  const std::size_t before = engine.size() - kTailBytes;
  if (size > before) return damaged("its size is " + std::to_string(size));
  const auto text = engine.first(before).last(size);
  EngineForm form{engine.first(before - size), {}};
  const auto* begin = reinterpret_cast<const char*>(text.data());
  const Json list = Json::parse(begin, begin + text.size(), nullptr, false);
  if (!list.is_array()) return damaged("it is no JSON list");
  try {
    for (const Json& json : list) {
      TARMAC_TRY(form.calls.emplace_back(), read_call(json));
    }
  } catch (const Json::exception& error) {
    return damaged(error.what());
  }
  return form;
}

}  // namespace tarmac::onnxruntime
