// MultiScaleDeformableAttention in ONNX operators, for any batch and number of queries.
#include <fmt/format.h>

#include "passes/deformable_attention.h"

namespace tarmac {
namespace {

const char* text_type(DType dtype) {
  return dtype == DType::kFloat16 ? "float16" : dtype == DType::kBFloat16 ? "bfloat16" : "float";
}

/// Lines of a graph's body.
class Lines {
 public:
  template <typename... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    text_ += "  " + fmt::format(format, std::forward<Args>(args)...) + "\n";
  }
  void integers(const char* name, const std::vector<std::int64_t>& values) {
    add("{} = Constant <value = int64[{}] {{{}}}> ()", name, values.size(), fmt::join(values, ", "));
  }
  /// Numbers of another type than float32 come from float32 ones.
  void floats(const std::string& name, const std::string& shape, const std::vector<double>& values,
              DType dtype) {
    std::string list;
    for (const double value : values) list += fmt::format("{}{:#.9g}", list.empty() ? "" : ", ", value);
    const bool narrow = dtype != DType::kFloat32;
    add("{}{} = Constant <value = float{} {{{}}}> ()", name, narrow ? "_float" : "", shape, list);
    if (narrow) add("{0} = Cast <to = {1}> ({0}_float)", name, static_cast<int>(dtype));
  }
  /// `from` in the other type.
  void cast(const std::string& name, const std::string& from, DType source, DType target) {
    if (source == target) {
      add("{} = Identity ({})", name, from);
    } else {
      add("{} = Cast <to = {}> ({})", name, static_cast<int>(target), from);
    }
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::vector<double> sizes_of(const std::vector<AttentionLevel>& levels) {
  std::vector<double> sizes;
  for (const AttentionLevel& level : levels) {
    sizes.push_back(static_cast<double>(level.width));
    sizes.push_back(static_cast<double>(level.height));
  }
  return sizes;
}

/// The name of an input, of this rank, with an entry for each of the value's batch.
std::string spread_batch(const std::string& input, std::size_t rank, bool spread, Lines& lines) {
  if (!spread) return input;
  lines.add("{0}_batch = Shape <end = 1> ({0})", input);
  lines.add("{0}_turns = Div (batch, {0}_batch)", input);
  lines.integers((input + "_before").c_str(), {1});
  lines.integers((input + "_behind").c_str(), std::vector<std::int64_t>(rank - 1, 1));
  lines.add("{0}_turned = Concat <axis = 0> ({0}_before, {0}_turns, {0}_behind)", input);
  lines.add("{0}_alone = Unsqueeze ({0}, {0}_before)", input);
  lines.add("{0}_repeated = Expand ({0}_alone, {0}_turned)", input);
  lines.add("{0}_rest = Shape <start = 1> ({0})", input);
  lines.add("{0}_shape = Concat <axis = 0> (batch, {0}_rest)", input);
  lines.add("{0}_spread = Reshape ({0}_repeated, {0}_shape)", input);
  return input + "_spread";
}

void add_locations(const AttentionDefinition& of, const std::string& sampling, Lines& lines) {
  const auto levels = static_cast<std::int64_t>(of.levels.size());
  if (of.reference == ReferenceForm::kNone) {
    lines.add("locations = Identity ({})", sampling);
    return;
  }
  lines.cast("references", spread_batch("reference_points", 4, of.references_spread, lines), of.references,
             of.sampling);
  if (of.reference == ReferenceForm::kBoxes) {
    lines.integers("between", {2, 4});
    lines.add("boxes = Unsqueeze (references, between)");
    lines.integers("zero", {0});
    lines.integers("two_i", {2});
    lines.integers("four", {4});
    lines.integers("last", {5});
    lines.add("centres = Slice (boxes, zero, two_i, last)");
    lines.add("extents = Slice (boxes, two_i, four, last)");
    lines.floats("half", "", {0.5 / static_cast<double>(of.points)}, of.sampling);
    lines.add("halves = Mul (extents, half)");
    lines.add("moved = Mul ({}, halves)", sampling);
    lines.add("locations = Add (centres, moved)");
    return;
  }
  lines.floats("sizes", fmt::format("[1, 1, 1, {}, 1, 2]", levels), sizes_of(of.levels), of.sampling);
  lines.add("moved = Div ({}, sizes)", sampling);
  if (of.reference == ReferenceForm::kLevels) {
    lines.integers("between", {2, 4});
    lines.add("spread = Unsqueeze (references, between)");
    lines.add("locations = Add (spread, moved)");
    return;
  }
  const std::int64_t count = of.reference_count;
  lines.integers("between", {2, 3, 4});
  lines.add("spread = Unsqueeze (references, between)");
  lines.integers("grouped_shape", {0, 0, of.heads, levels, of.points / count, count, 2});
  lines.add("grouped = Reshape (moved, grouped_shape)");
  lines.add("located = Add (spread, grouped)");
  lines.integers("located_shape", {0, 0, of.heads, levels, of.points, 2});
  lines.add("locations = Reshape (located, located_shape)");
}

}  // namespace

std::string AttentionDefinition::overload() const {
  std::string word;
  for (const AttentionLevel& level : levels)
    word += fmt::format("{}x{}at{}_", level.height, level.width, level.start);
  word += fmt::format("{}heads_{}channels_{}points", heads, depth, points);
  if (softmax) word += "_softmax";
  if (reference == ReferenceForm::kLevels) word += "_levels";
  if (reference == ReferenceForm::kBoxes) word += "_boxes";
  if (reference == ReferenceForm::kPoints) word += fmt::format("_{}references", reference_count);
  if (mask) word += "_mask";
  if (sampling_spread) word += "_fewoffsets";
  if (weights_spread) word += "_fewweights";
  if (references_spread) word += "_fewreferences";
  for (const DType dtype : {value, sampling, weights, references}) {
    if (dtype != DType::kFloat32) {
      word += fmt::format("_{}_{}_{}_{}", text_type(value), text_type(sampling), text_type(weights),
                          text_type(references));
      break;
    }
  }
  return word;
}

std::string AttentionDefinition::body(std::int64_t opset) const {
  const auto count = static_cast<std::int64_t>(levels.size());
  Lines lines;
  if (sampling_spread || weights_spread || references_spread) lines.add("batch = Shape <end = 1> (value)");
  const std::string offsets = spread_batch("sampling", 6, sampling_spread, lines);
  const std::string factors = spread_batch("attention_weights", 5, weights_spread, lines);
  add_locations(*this, offsets, lines);
  lines.floats("two", "", {2.0}, sampling);
  lines.floats("one", "", {1.0}, sampling);
  lines.add("doubled = Mul (locations, two)");
  lines.add("grids = Sub (doubled, one)");
  lines.integers("rows", {1});
  lines.integers("grid_shape", {0, -1, points, 2});
  std::string parts;
  for (std::int64_t l = 0; l < count; ++l) {
    const auto& [height, width, start] = levels[static_cast<std::size_t>(l)];
    lines.integers(fmt::format("start_{}", l).c_str(), {start});
    lines.integers(fmt::format("end_{}", l).c_str(), {start + height * width});
    lines.add("rows_{0} = Slice (value, start_{0}, end_{0}, rows)", l);
    lines.add("turned_{0} = Transpose <perm = [0, 2, 3, 1]> (rows_{0})", l);
    lines.integers(fmt::format("map_shape_{}", l).c_str(), {-1, depth, height, width});
    lines.add("map_{0} = Reshape (turned_{0}, map_shape_{0})", l);
    lines.add("level_{0} = Constant <value = int64 {{{0}}}> ()", l);
    lines.add("places_{0} = Gather <axis = 3> (grids, level_{0})", l);
    lines.add("by_head_{0} = Transpose <perm = [0, 2, 1, 3, 4]> (places_{0})", l);
    lines.add("flat_{0} = Flatten <axis = 2> (by_head_{0})", l);
    lines.add("grid_{0} = Reshape (flat_{0}, grid_shape)", l);
    lines.add(
        "samples_{0} = GridSample <mode = \"{1}\", padding_mode = \"zeros\", align_corners = 0> (map_{0}, "
        "grid_{0})",
        l, opset >= 20 ? "linear" : "bilinear");
    parts += fmt::format("{}samples_{}", l == 0 ? "" : ", ", l);
  }
  lines.add("samples = Concat <axis = 3> ({})", parts);
  lines.integers("joined_shape", {0, 0, 0, -1});
  lines.add("joined = Reshape ({}, joined_shape)", factors);
  lines.add("weighed = {} (joined)", softmax ? "Softmax <axis = -1>" : "Identity");
  lines.cast("typed", "weighed", weights, value);
  lines.add("weights_by_head = Transpose <perm = [0, 2, 1, 3]> (typed)");
  lines.add("weights_flat = Flatten <axis = 2> (weights_by_head)");
  lines.integers("weights_shape", {0, 1, -1, count * points});
  lines.add("weights = Reshape (weights_flat, weights_shape)");
  lines.add("products = Mul (samples, weights)");
  lines.integers("points", {-1});
  lines.add("sums = ReduceSum <keepdims = 0> (products, points)");
  lines.add("by_query = Transpose <perm = [2, 0, 1]> (sums)");
  lines.integers("output_shape", {0, -1, heads * depth});
  lines.add("heads_joined = Reshape (by_query, output_shape)");
  lines.add("{} = Transpose <perm = [1, 0, 2]> (heads_joined)", mask ? "attended" : "y");
  if (mask) {
    lines.add("seen = Cast <to = {}> (mask)", static_cast<int>(value));
    lines.add("seen_column = Unsqueeze (seen, points)");
    lines.add("y = Mul (attended, seen_column)");
  }
  // Types are left to the call; the parser wants some.
  std::string inputs =
      "float value, int64 spatial_shapes, int64 level_start_index, float sampling, "
      "float attention_weights";
  if (mask || reference != ReferenceForm::kNone) inputs += ", float reference_points";
  if (mask) inputs += ", float value_scale, bool mask";
  return fmt::format("definition ({}) => (float y) {{\n{}}}", inputs, lines.text());
}

}  // namespace tarmac
