#include "passes/deformable_attention.h"

#include <algorithm>

#include "passes/lift.h"
#include "passes/region.h"
#include "passes/rewrite.h"

namespace tarmac {
namespace {

constexpr int kMaxMoves = 16;
constexpr std::size_t kMaxLevels = 32;

bool moves_data(const Node& node) {
  const auto is_float = [](const Value* value) {
    return value != nullptr && value->type.is_tensor() && is_floating_point(value->type.dtype);
  };
  if (node.is("Cast")) return is_float(node.input(0)) && is_float(node.output(0));
  return node.is("Transpose") || node.is("Reshape") || node.is("Flatten") || node.is("Squeeze") ||
         node.is("Unsqueeze") || node.is("Identity");
}

/// The node behind `value`, past nodes that only move data, which are added to `path`, last one first.
Node* origin(Value* value, std::vector<Node*>& path) {
  Node* node = value->producer();
  for (int i = 0; i < kMaxMoves && node != nullptr && moves_data(*node); ++i) {
    path.push_back(node);
    if (node->input(0) == nullptr) return nullptr;
    node = node->input(0)->producer();
  }
  return node;
}

std::optional<std::int64_t> number(const SymbolicDim& dim) {
  return dim.known() ? std::optional(dim.factor()) : std::nullopt;
}

class Matcher {
 public:
  Matcher(const Node& sum, const SymbolicShapes& shapes, std::string& why)
      : sum_(sum), shapes_(shapes), why_(why) {}

  std::optional<DeformableAttention> run() {
    if (!find_samples()) return std::nullopt;
    if (!check_samplers() || !read_samples() || !read_result() || !read_weights() || !read_values() ||
        !read_sampling())
      return std::nullopt;
    return std::move(found_);
  }

 private:
  bool decline(std::string why) {
    why_ = std::move(why);
    return false;
  }

  /// sum ← Mul(samples, weights) with samples ← Concat(GridSample…) or one GridSample.
  bool find_samples() {
    const Node* product = sum_.input(0) == nullptr ? nullptr : sum_.input(0)->producer();
    if (product == nullptr || !product->is("Mul") || &product->graph() != &sum_.graph()) return false;
    for (const std::size_t side : {0U, 1U}) {
      path_.clear();
      Node* node = origin(product->input(side), path_);
      if (node == nullptr) continue;
      samplers_.clear();
      if (node->is("GridSample")) {
        samplers_ = {node};
      } else if (node->is("Concat")) {
        for (Value* part : node->inputs()) {
          std::vector<Node*> ignored;
          Node* sampler = part == nullptr ? nullptr : origin(part, ignored);
          if (sampler == nullptr || !sampler->is("GridSample")) break;
          samplers_.push_back(sampler);
        }
        if (samplers_.size() != node->inputs().size()) continue;
        concat_ = node;
      } else {
        continue;
      }
      weights_ = product->input(1 - side);
      return true;
    }
    return false;
  }

  bool check_samplers() {
    if (samplers_.size() > kMaxLevels) return decline("more than 32 maps are sampled");
    for (const Node* sampler : samplers_) {
      const std::string at = "GridSample '" + sampler->label() + "' ";
      const auto mode = sampler->attribute_or<std::string>("mode", "bilinear");
      if (mode != "bilinear" && mode != "linear")
        return decline(at + "samples with mode " + mode + ", the operator bilinearly");
      const auto padding = sampler->attribute_or<std::string>("padding_mode", "zeros");
      if (padding != "zeros") return decline(at + "pads with " + padding + ", the operator with zeros");
      if (sampler->attribute_or<std::int64_t>("align_corners", 0) != 0)
        return decline(at + "has align_corners = 1, the operator 0");
      const SymbolicShape* map = shapes_.shape(sampler->input(0));
      const SymbolicShape* grid = shapes_.shape(sampler->input(1));
      if (map == nullptr || grid == nullptr || map->size() != 4 || grid->size() != 4)
        return decline(at + "is not known to sample pictures");
      if (!(*map)[1].known() || !(*map)[2].known() || !(*map)[3].known() || !(*grid)[2].known())
        return decline(at + "has a map or a number of points of unknown size; --fix-shape may help");
      if (!is_float_up_to_32(sampler->input(0)->type) || !is_float_up_to_32(sampler->input(1)->type) ||
          !is_float_up_to_32(weights_->type))
        return decline(at + "computes in another type than float32, float16 or bfloat16");
      if (reader_besides_shapes(*sampler->output(0)) == nullptr)
        return decline("something else reads the samples of " + at);
      const SymbolicShape& first = *shapes_.shape(samplers_[0]->input(0));
      const SymbolicShape& first_grid = *shapes_.shape(samplers_[0]->input(1));
      if (!((*map)[1] == first[1]) || !((*grid)[2] == first_grid[2]))
        return decline("the levels have different numbers of channels or points");
    }
    const SymbolicShape& map = *shapes_.shape(samplers_[0]->input(0));
    found_.depth = map[1].factor();
    found_.points = (*shapes_.shape(samplers_[0]->input(1)))[2].factor();
    if (found_.depth <= 0 || found_.points <= 0) return decline("there are no channels or no points");
    return true;
  }

  /// The layout of the samples from GridSample or Concat to the Mul.
  bool read_samples() {
    const auto points = SymbolicDim::of(found_.points);
    const auto depth = SymbolicDim::of(found_.depth);
    const auto count = SymbolicDim::of(static_cast<std::int64_t>(samplers_.size()));
    const std::vector<LetterAxis> sampled = {{{'N', {}}}, {{'D', depth}}, {{'Q', {}}}, {{'P', points}}};
    std::vector<LetterAxis> axes = sampled;
    if (concat_ != nullptr) {
      LetteredLayout::Form form;
      for (std::size_t l = 0; l < samplers_.size(); ++l) {
        auto layout = trace_layout(concat_->input(l), shapes_, {.casts = true});
        if (!layout || layout->steps.front().value != samplers_[l]->output(0)) return decline_layout();
        // Letters belong to the front here: the axes of the samples themselves.
        AxisLayout front = *layout;
        std::reverse(front.steps.begin(), front.steps.end());
        auto lettered = LetteredLayout::make(std::move(front), sampled);
        if (!lettered) return decline_layout();
        const LayoutStep& part = lettered->steps().front();
        LetteredLayout::Form this_form = lettered->form(part);
        // Batch and queries have the same sizes in all parts, or the Concat would fail.
        for (auto& axis : this_form) {
          for (auto& [letter, place, size] : axis) {
            if (letter == 'N' || letter == 'Q') size = SymbolicDim::of(1);
          }
        }
        if (l > 0 && this_form != form) return decline_layout();
        form = this_form;
        if (l > 0) continue;
        const auto axis = axis_index(concat_->attribute_or<std::int64_t>("axis", 0), part.axes.size());
        if (!axis) return decline_layout();
        std::vector<LetterAxis> joined;
        for (std::size_t i = 0; i < part.axes.size(); ++i) {
          auto letters = lettered->axis(part.axes[i]);
          if (!letters) return decline_layout();
          for (LetterPart& part_of : *letters) {
            if (part_of.letter == 'N' || part_of.letter == 'Q') part_of.size.reset();
          }
          if (i == *axis) {
            if (!letters->empty() && !(letters->size() == 1 && letters->front() == LetterPart{'P', points}))
              return decline_layout();
            letters->insert(letters->begin(), {'L', count});
          }
          joined.push_back(*std::move(letters));
        }
        axes = std::move(joined);
      }
    }
    Value* first = concat_ != nullptr ? concat_->output(0) : samplers_[0]->output(0);
    auto layout = LetteredLayout::make(start_layout(first, shapes_), axes);
    if (!layout) return decline_layout();
    found_.result = *std::move(layout);
    for (auto node = path_.rbegin(); node != path_.rend(); ++node) {
      // Before a Concat the path holds what lies between it and the Mul only.
      if (!found_.result.append(**node, shapes_)) return decline_layout();
    }
    return true;
  }

  bool decline_layout() { return decline("the axes of the samples could not be followed to the sum"); }

  bool read_result() {
    LetteredLayout& result = found_.result;
    const LayoutStep& before = result.steps().back();
    const SymbolicShape* in = shapes_.shape(before.value);
    const SymbolicShape* product = shapes_.shape(sum_.input(0));
    const auto axes = axes_of(sum_, 1);
    if (in == nullptr || product == nullptr || product->size() != in->size())
      return decline("the weights add axes to the samples");
    if (!axes) return decline("the axes of the sum are not constant");
    std::vector<bool> reduced(before.axes.size(), false);
    for (const std::int64_t axis : *axes) {
      const auto at = axis_index(axis, before.axes.size());
      if (!at) return decline("the axes of the sum are out of range");
      reduced[*at] = true;
    }
    AtomGroup summed;
    LayoutStep after;
    after.value = sum_.output(0);
    const bool keeps = sum_.attribute_or<std::int64_t>("keepdims", 1) != 0;
    for (std::size_t i = 0; i < before.axes.size(); ++i) {
      if (!reduced[i]) after.axes.push_back(before.axes[i]);
      if (!reduced[i]) continue;
      summed.insert(summed.end(), before.axes[i].begin(), before.axes[i].end());
      if (keeps) after.axes.emplace_back();
    }
    AtomGroup wanted = result.atoms("LP");
    std::sort(summed.begin(), summed.end());
    std::sort(wanted.begin(), wanted.end());
    if (summed != wanted) return decline("the sum is not over the levels and points alone");
    result.append(std::move(after));
    found_.sum = result.steps().size() - 1;
    follow_result(result, sum_.graph(), shapes_);
    return find_heads();
  }

  /// The heads are what is joined with the channels in the result, else what the weights have as an axis.
  bool find_heads() {
    const LetteredLayout& result = found_.result;
    std::optional<SymbolicDim> heads;
    for (std::size_t i = found_.sum; i < result.steps().size() && !heads; ++i) {
      for (const AtomGroup& group : result.steps()[i].axes) {
        const auto letters = result.axis(group);
        if (letters && letters->size() == 2 && (*letters)[0].letter == 'N' && (*letters)[1].letter == 'D')
          heads = (*letters)[0].size;
      }
    }
    if (!heads) {
      const auto weights = trace_layout(weights_, shapes_, {});
      const AtomGroup all = found_.result.atoms("N");
      if (weights && !weights->steps.back().axes.empty() && !all.empty()) {
        const AtomGroup& batch = weights->steps.back().axes.front();
        if (batch.size() > 1) heads = weights->atoms[batch.back()].size;
      }
    }
    const auto count = heads ? number(*heads) : 1;
    if (!count || *count <= 0) return decline("the number of heads is not known");
    found_.heads = *count;
    if (*count > 1 && !found_.result.split('N', SymbolicDim::of(*count), 'M'))
      return decline("batch and heads could not be told apart");
    return true;
  }

  [[nodiscard]] LetterAxis batch_and_heads() const {
    return {{'B', {}}, {'M', SymbolicDim::of(found_.heads)}};
  }

  bool read_weights() {
    const SymbolicShape* shape = shapes_.shape(weights_);
    const std::size_t rank = step_before_sum().axes.size();
    if (shape == nullptr || shape->size() > rank) return decline("the shape of the weights is not known");
    std::vector<LetterAxis> axes;
    for (std::size_t i = 0; i < rank; ++i) {
      // The layout may have been refined since, but the letters of an axis stay.
      const auto letters = found_.result.axis(step_before_sum().axes[i]);
      if (!letters) return decline_layout();
      const bool present = i + shape->size() >= rank;
      const bool spread = !present || (*shape)[i + shape->size() - rank].is(1);
      LetterAxis axis;
      for (const LetterPart& part : *letters) {
        const bool channels = part.letter == 'D';
        if (channels != spread)
          return decline(channels ? "the weights differ from channel to channel"
                                  : "the weights are spread over batch, queries, levels or points");
        if (channels) continue;
        if (part.letter == 'N') {
          axis.push_back({'B', {}, part.place});
        } else if (part.letter == 'Q') {
          axis.push_back({'Q', {}, part.place});
        } else {
          axis.push_back(part);
        }
      }
      if (present) axes.push_back(std::move(axis));
    }
    auto layout =
        LetteredLayout::make(trace_layout(weights_, shapes_, {.casts = true, .spreads = true}), axes);
    if (!layout || !layout->chosen().empty()) return decline("the axes of the weights could not be followed");
    found_.weights = *std::move(layout);
    return true;
  }

  [[nodiscard]] const LayoutStep& step_before_sum() const { return found_.result.steps()[found_.sum - 1]; }

  bool read_values() {
    const auto depth = SymbolicDim::of(found_.depth);
    Value* whole = nullptr;
    std::vector<LetterAxis> whole_axes;
    for (const Node* sampler : samplers_) {
      const SymbolicShape& map = *shapes_.shape(sampler->input(0));
      AttentionLevel level{map[2].factor(), map[3].factor(), 0};
      if (level.height <= 0 || level.width <= 0) return decline("a level has no cells");
      auto lettered =
          LetteredLayout::make(trace_layout(sampler->input(0), shapes_, {.choices = false, .casts = true}),
                               {batch_and_heads(), {{'D', depth}}, {{'H', map[2]}}, {{'W', map[3]}}});
      if (!lettered) return decline_value();
      if (samplers_.size() == 1) {
        for (const std::size_t atom : lettered->atoms("HW")) lettered->set_letter(atom, 'S');
        found_.levels = {level};
        found_.value = *std::move(lettered);
        return true;
      }
      const LayoutStep& front = lettered->steps().front();
      std::size_t axis = 0;
      Value* const source = read_part(front, axis, level);
      if (source == nullptr) return decline_value();
      if (front.axes[axis] != lettered->atoms("HW")) return decline_value();
      std::vector<LetterAxis> axes;
      for (std::size_t i = 0; i < front.axes.size(); ++i) {
        auto letters = lettered->axis(front.axes[i]);
        if (!letters) return decline_value();
        for (LetterPart& part : *letters) {
          if (part.letter == 'B') part.size.reset();
        }
        if (i == axis) letters = LetterAxis{{'S', {}}};
        axes.push_back(*std::move(letters));
      }
      if (whole != nullptr && (source != whole || axes != whole_axes))
        return decline("the levels are not parts of one value in one layout");
      whole = source;
      whole_axes = std::move(axes);
      found_.levels.push_back(level);
    }
    auto layout =
        LetteredLayout::make(trace_layout(whole, shapes_, {.choices = false, .casts = true}), whole_axes);
    if (!layout) return decline_value();
    found_.value = *std::move(layout);
    if (!layout_size_known(found_.value, "S")) return decline("the number of rows of the value is not known");
    return true;
  }

  static bool layout_size_known(const LetteredLayout& layout, std::string_view letters) {
    return layout.layout().size(layout.atoms(letters)).known();
  }

  bool decline_value() {
    return decline("the maps could not be followed to one value, split by level (constant sizes are needed)");
  }

  /// What Split, Slice or, from newer exporters, SplitToSequence takes the level's rows from, and where; null
  /// where they come from elsewhere.
  Value* read_part(const LayoutStep& front, std::size_t& axis, AttentionLevel& level) const {
    const Node* node = front.value->producer();
    if (node == nullptr || &node->graph() != &sum_.graph()) return nullptr;
    if (node->is("Slice")) return read_slice(front, *node, axis, level);
    std::size_t part = front.value->output_index();
    std::optional<std::vector<std::int64_t>> sizes;
    if (node->is("SequenceAt")) {
      const auto index = small_integers(node->input(1));
      node = node->input(0)->producer();
      if (node == nullptr || !node->is("SplitToSequence") || !index || index->size() != 1) return nullptr;
      sizes = small_integers(node->input(1));
      if (!sizes || constant_of(node->input(1))->shape().size() != 1) return nullptr;
      const auto at = axis_index(index->front(), sizes->size());
      if (!at) return nullptr;
      part = *at;
    } else if (!node->is("Split")) {
      return nullptr;
    }
    const auto at = axis_index(node->attribute_or<std::int64_t>("axis", 0), front.axes.size());
    if (!at) return nullptr;
    axis = *at;
    for (std::size_t i = 0; i < part; ++i) {
      const SymbolicShape* before = sizes ? nullptr : shapes_.shape(node->output(i));
      if (!sizes && (before == nullptr || before->size() <= axis || !(*before)[axis].known())) return nullptr;
      level.start += sizes ? (*sizes)[i] : (*before)[axis].factor();
    }
    return node->input(0);
  }

  Value* read_slice(const LayoutStep& front, const Node& node, std::size_t& axis,
                    AttentionLevel& level) const {
    const auto starts = small_integers(node.input(1));
    const auto axes = small_integers(node.input(3));
    const auto steps =
        node.input(4) == nullptr ? std::vector<std::int64_t>{1} : small_integers(node.input(4));
    const SymbolicShape* whole = shapes_.shape(node.input(0));
    if (!starts || !axes || starts->size() != 1 || axes->size() != 1 ||
        steps != std::vector<std::int64_t>{1} || whole == nullptr)
      return nullptr;
    const auto at = axis_index(axes->front(), front.axes.size());
    if (!at || !(*whole)[*at].known()) return nullptr;
    axis = *at;
    const std::int64_t rows = (*whole)[axis].factor();
    level.start = starts->front() < 0 ? starts->front() + rows : starts->front();
    return level.start >= 0 && level.start + level.height * level.width <= rows ? node.input(0) : nullptr;
  }

  bool read_sampling() {
    const auto points = SymbolicDim::of(found_.points);
    const auto count = SymbolicDim::of(static_cast<std::int64_t>(samplers_.size()));
    const Value* source = nullptr;
    LetteredLayout::Form form;
    for (std::size_t l = 0; l < samplers_.size(); ++l) {
      auto layout = LetteredLayout::make(
          trace_layout(samplers_[l]->input(1), shapes_,
                       {.scalars = true, .shifts = true, .blocks = true, .casts = true}),
          {batch_and_heads(), {{'Q', {}}}, {{'P', points}}, {{'X', SymbolicDim::of(2)}}});
      if (!layout) return decline("the axes of the sampling grid could not be followed");
      const auto chosen = layout->chosen();
      if (samplers_.size() == 1 ? !chosen.empty() : chosen.size() != 1)
        return decline("the levels' grids are not slices of one tensor");
      for (const std::size_t atom : chosen) {
        const AxisAtom& level = layout->layout().atoms[atom];
        if (!(level.size == count) || level.chosen != static_cast<std::int64_t>(l))
          return decline("the levels' grids are not slices of one tensor, in order");
        layout->set_letter(atom, 'L');
      }
      const auto wanted = axes_of_letters(*layout, {"B", "Q", "M", "L", "P", "X"});
      const LayoutStep* step = location_step(*layout, true, wanted);
      if (step == nullptr)
        return decline("the sampling grid is not 2 · location - 1 of one tensor of all levels");
      if (l == 0) {
        source = step->value;
        form = layout->form(*step);
        found_.sampling = *std::move(layout);
      } else if (step->value != source || layout->form(*step) != form) {
        return decline("the levels' grids are not slices of one tensor");
      }
    }
    return true;
  }

  const Node& sum_;
  const SymbolicShapes& shapes_;
  std::string& why_;
  DeformableAttention found_;
  std::vector<Node*> samplers_;  ///< one a level
  std::vector<Node*> path_;      ///< from the Mul back to Concat or GridSample
  const Node* concat_ = nullptr;
  Value* weights_ = nullptr;
};

}  // namespace

std::vector<AtomGroup> axes_of_letters(const LetteredLayout& layout, const std::vector<std::string>& axes) {
  std::vector<AtomGroup> groups;
  for (const std::string& letters : axes) groups.push_back(layout.atoms(letters));
  return groups;
}

void follow_result(LetteredLayout& result, const Graph& graph, const SymbolicShapes& shapes) {
  for (int i = 0; i < kMaxMoves; ++i) {
    const Node* next = reader_besides_shapes(*result.steps().back().value);
    if (next == nullptr || &next->graph() != &graph || !moves_data(*next)) break;
    if (!result.append(*next, shapes)) break;
  }
}

bool holds_locations(const LayoutStep& step, bool from_grid) {
  return nearly(step.factor, from_grid ? 2.0 : 1.0, DType::kFloat32) &&
         nearly(step.offset, from_grid ? -1.0 : 0.0, DType::kFloat32);
}

const LayoutStep* location_step(const LetteredLayout& sampling, bool from_grid,
                                const std::vector<AtomGroup>& wanted) {
  const auto& steps = sampling.steps();
  std::size_t first = 0;
  while (first < steps.size() && !holds_locations(steps[first], from_grid)) ++first;
  if (first == steps.size()) return nullptr;
  const LayoutStep* step = closest_step(sampling.layout(), wanted, first);
  return step != nullptr && holds_locations(*step, from_grid) ? step : nullptr;
}

std::optional<DeformableAttention> match_deformable_attention(const Node& sum, const SymbolicShapes& shapes,
                                                              std::string& why) {
  return Matcher(sum, shapes, why).run();
}

}  // namespace tarmac
