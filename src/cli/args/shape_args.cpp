#include "cli/args/shape_args.h"

#include <charconv>

#include "passes/infer_shapes.h"

namespace tarmac::cli {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

Error bad_shape(const std::string& text) {
  return make_error(ErrorCode::kUsage, "expected a shape such as 1x3x224x224, found '" + text + "'");
}

/// The name and the rest of "NAME:REST".
Result<std::pair<std::string, std::string>> split_name(const std::string& text, const std::string& example) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) {
    return make_error(ErrorCode::kUsage, "expected NAME:SHAPE such as " + example + ", found '" + text + "'");
  }
  return std::pair{text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace

Result<Shape> parse_shape(const std::string& text) {
  Shape shape;
  if (text.empty()) return shape;
  for (const std::string& part : split(text, 'x')) {
    std::int64_t size = 0;
    const auto [end, problem] = std::from_chars(part.data(), part.data() + part.size(), size);
    if (problem != std::errc() || end != part.data() + part.size() || size < 0) return bad_shape(text);
    shape.push_back(size);
  }
  return shape;
}

Result<std::pair<std::string, Shape>> parse_named_shape(const std::string& text) {
  TARMAC_TRY(auto named, split_name(text, "input:1x3x224x224"));
  TARMAC_TRY(auto shape, parse_shape(named.second));
  return std::pair{std::move(named.first), std::move(shape)};
}

Result<std::pair<std::string, Shape>> parse_open_shape(const std::string& text) {
  TARMAC_TRY(auto named, split_name(text, "input:1x3x?x?"));
  Shape shape;
  for (const std::string& part : split(named.second, 'x')) {
    if (part == "?") {
      shape.push_back(kOpenSize);
      continue;
    }
    TARMAC_TRY(const Shape size, parse_shape(part));
    if (size.empty()) return bad_shape(named.second);
    shape.push_back(size.front());
  }
  return std::pair{std::move(named.first), std::move(shape)};
}

Result<ShapeRanges> parse_profile(const std::string& text) {
  ShapeRanges profile;
  for (const std::string& part : split(text, ';')) {
    TARMAC_TRY(const auto named, split_name(part, "'input:1x3x224x224,4x3x224x224,8x3x224x224'"));
    std::vector<std::string> parts = split(named.second, ',');
    if (parts.size() == 1) parts = {parts[0], parts[0], parts[0]};
    if (parts.size() != 3) {
      return make_error(ErrorCode::kUsage, "a profile has one shape, or three (MIN,OPT,MAX); found " +
                                               std::to_string(parts.size()) + " in '" + part + "'");
    }
    ProfileSpec spec;
    TARMAC_TRY(spec.min, parse_shape(parts[0]));
    TARMAC_TRY(spec.opt, parse_shape(parts[1]));
    TARMAC_TRY(spec.max, parse_shape(parts[2]));
    bool ordered = spec.min.size() == spec.opt.size() && spec.opt.size() == spec.max.size();
    for (std::size_t i = 0; ordered && i < spec.opt.size(); ++i) {
      ordered = spec.min[i] <= spec.opt[i] && spec.opt[i] <= spec.max[i];
    }
    if (!ordered) {
      return make_error(ErrorCode::kUsage, "every size must have MIN <= OPT <= MAX, found '" + part + "'");
    }
    if (!profile.emplace(named.first, std::move(spec)).second) {
      return make_error(ErrorCode::kUsage,
                        "input '" + named.first + "' stands twice in the profile '" + text + "'");
    }
  }
  return profile;
}

Result<InputShapes> parse_bucket(const std::string& text) {
  InputShapes bucket;
  for (const std::string& part : split(text, ';')) {
    TARMAC_TRY(auto named, parse_named_shape(part));
    if (!bucket.insert(std::move(named)).second) {
      return make_error(ErrorCode::kUsage, "an input stands twice in the bucket '" + text +
                                               "'; separate buckets are separate --bucket options");
    }
  }
  return bucket;
}

}  // namespace tarmac::cli
