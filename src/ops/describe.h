// The reference of the driving operators, written from their rows.
#pragma once

#include <string>

namespace tarmac::ops {

/// Markdown: for each operator its formula and source, inputs, outputs and attributes.
std::string operators_markdown();

}  // namespace tarmac::ops
