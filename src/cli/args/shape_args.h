// Shapes on the command line: "input:1x3x224x224".
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tarmac/contract.h"
#include "tarmac/plan.h"
#include "tarmac/tensor.h"

namespace tarmac::cli {

/// "1x3x224x224"; "" is a scalar's shape. Errors: kUsage.
Result<Shape> parse_shape(const std::string& text);

/// "NAME:1x3x224x224". The name ends at the last colon, since names of inputs may hold colons. Errors:
/// kUsage.
Result<std::pair<std::string, Shape>> parse_named_shape(const std::string& text);

/// The same with '?' for sizes that are left open (kOpenSize): "NAME:1x3x?x?".
Result<std::pair<std::string, Shape>> parse_open_shape(const std::string& text);

/// Each text is "NAME:MIN,OPT,MAX" (or one shape for all three), several of them in one text separated by
/// semicolons: one profile. Errors: kUsage, also when a size of OPT is not between those of MIN and MAX.
Result<ShapeRanges> parse_profile(const std::string& text);

/// "NAME:1x3x96x96", several of them separated by semicolons: shapes that belong together. Errors: kUsage.
Result<InputShapes> parse_bucket(const std::string& text);

}  // namespace tarmac::cli
