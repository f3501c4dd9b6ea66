// The report as a JSON value, shared by report.json and the data inside report.html.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "report/report.h"

namespace tarmac::report {

/// Keys in the order of the schema; pictures carry "jpeg_base64" and "png_base64" only on request.
nlohmann::ordered_json to_json(const DeployReport& report, bool with_pictures);

}  // namespace tarmac::report
