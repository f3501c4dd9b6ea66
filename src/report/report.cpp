#include "report/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "base/file.h"
#include "report/assets.h"
#include "report/json.h"

namespace tarmac::report {
namespace {

/// JSON text; bytes that are not UTF-8 become U+FFFD rather than an exception.
std::string dump(const nlohmann::ordered_json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// Inside <script> only '<' can end the element or open a comment; JSON allows it as an escape.
std::string without_tags(const std::string& json) {
  std::string text;
  text.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      text += "\\u003c";
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace

bool ReportPicture::wrong() const {
  return std::any_of(predictions.begin(), predictions.end(),
                     [this](const Prediction& prediction) { return prediction.label != label; });
}

std::string render_json(const DeployReport& report) { return dump(to_json(report, false), 2) + "\n"; }

std::string render_html(const DeployReport& report) {
  const std::string data = without_tags(dump(to_json(report, true), -1));
  // One pass from left to right, so that a name which looks like a marker stays what it is.
  std::string html;
  std::string_view rest = assets::kTemplate;
  while (!rest.empty()) {
    const std::size_t at = rest.find("{{");
    const std::size_t end = at == std::string_view::npos ? at : rest.find("}}", at);
    if (end == std::string_view::npos) break;
    html += rest.substr(0, at);
    const std::string_view marker = rest.substr(at + 2, end - at - 2);
    if (marker == "style") html += assets::kStyle;
    if (marker == "chart") html += assets::kChart;
    if (marker == "script") html += assets::kScript;
    if (marker == "data") html += data;
    rest = rest.substr(end + 2);
  }
  return html += rest;
}

Status write_report(const DeployReport& report, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return make_error(ErrorCode::kIo, "cannot make the folder for the report: " + error.message(), {},
                      folder.string());
  }
  TARMAC_CHECK_OK(write_file(folder / "report.json", render_json(report)));
  return write_file(folder / "report.html", render_html(report));
}

}  // namespace tarmac::report
