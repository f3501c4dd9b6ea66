#include "deploy/export_report.h"

#include "plan/bounded_json.h"

namespace tarmac {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostText = 4000;
constexpr std::size_t kMostRows = 4096;
constexpr std::size_t kShown = 200;

const Json& member(const Json& object, const char* key) {
  static const Json null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

std::string text_of(const Json& object, const char* key) {
  const Json& value = member(object, key);
  return value.is_string() ? value.get<std::string>().substr(0, kMostText) : std::string();
}

std::int64_t count_of(const Json& object, const char* key) {
  const Json& value = member(object, key);
  return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

/// Infinity, which JSON lacks, comes as text.
std::optional<double> number_of(const Json& object, const char* key) {
  const Json& value = member(object, key);
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

/// With the exporters' exit codes, which are the program's.
ErrorCode code_of(int exit_status) {
  switch (exit_status) {
    case 2:
      return ErrorCode::kUsage;
    case 3:
      return ErrorCode::kUnsupported;
    case 4:
      return ErrorCode::kInvalidInput;
    case 5:
      return ErrorCode::kAcceptance;
    case 130:
      return ErrorCode::kCancelled;
    default:
      return ErrorCode::kInternal;
  }
}

}  // namespace

Result<report::ExportFacts> read_export_report(std::string_view text) {
  const auto json = parse_json(text);
  if (!json || !json->is_object() || !member(*json, "errors").is_array() ||
      text_of(*json, "exporter").empty()) {
    return make_error(ErrorCode::kInternal,
                      "the exporter did not answer with its report as one JSON object but with: " +
                          std::string(text.empty() ? "nothing" : text.substr(0, kShown)));
  }
  report::ExportFacts facts;
  facts.framework = text_of(*json, "framework");
  facts.exporter = text_of(*json, "exporter");
  facts.opset = count_of(*json, "opset");
  facts.nodes_before = count_of(*json, "nodes_before");
  facts.nodes_after = count_of(*json, "nodes_after");
  facts.max_rel_limit = number_of(*json, "max_error").value_or(0);
  facts.data = text_of(*json, "data");
  for (const Json& row : member(*json, "errors")) {
    if (!row.is_object() || facts.outputs.size() == kMostRows) break;
    facts.outputs.push_back({text_of(row, "output"), text_of(row, "dtype"), number_of(row, "max_rel"),
                             number_of(row, "mean_rel"), count_of(row, "samples")});
  }
  if (const Json& notes = member(*json, "notes"); notes.is_array()) {
    for (const Json& note : notes) {
      if (note.is_string() && facts.notes.size() < kMostRows)
        facts.notes.push_back(note.get<std::string>().substr(0, kMostText));
    }
  }
  return facts;
}

Error export_failure(int exit_status, std::string_view text, const std::string& last_words) {
  const ErrorCode code = code_of(exit_status);
  const auto json = parse_json(text);
  const Json error = json && json->is_object() ? member(*json, "error") : Json();
  if (error.is_object() && !text_of(error, "message").empty()) {
    const std::string remedy = text_of(error, "remedy");
    return make_error(code, text_of(error, "message") + (remedy.empty() ? "" : "; " + remedy));
  }
  return make_error(code, "ended with status " + std::to_string(exit_status) +
                              (last_words.empty() ? " and said nothing" : "; its last words: " + last_words));
}

}  // namespace tarmac
