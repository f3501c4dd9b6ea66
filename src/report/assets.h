// The parts of report.html, embedded at build time from the files beside this one.
#pragma once

#include <string_view>

namespace tarmac::assets {

extern const std::string_view
    kTemplate;                          ///< template.html, with {{style}}, {{chart}}, {{script}} and {{data}}
extern const std::string_view kStyle;   ///< style.css
extern const std::string_view kChart;   ///< Chart.js
extern const std::string_view kScript;  ///< dom.js, charts.js, sections.js

}  // namespace tarmac::assets
