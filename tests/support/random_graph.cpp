#include "support/random_graph.h"

#include <algorithm>
#include <set>

#include "support/expect.h"
#include "support/random_graph_builder.h"
#include "tensor/codec.h"

namespace tarmac::test {
namespace {

const Ingredient& choose(RandomBuilder& b, const std::vector<const Ingredient*>& ingredients) {
  std::int64_t total = 0;
  for (const Ingredient* ingredient : ingredients) total += ingredient->weight;
  std::int64_t left = b.below(total);
  for (const Ingredient* ingredient : ingredients) {
    left -= ingredient->weight;
    if (left < 0) return *ingredient;
  }
  return *ingredients.back();
}

/// Inputs of the kinds that networks have, some of their sizes left open.
void add_inputs(RandomBuilder& b, RandomModel& made) {
  const std::int64_t batch = b.between(1, 3);
  const bool open_batch = b.chance(0.35);
  const bool open_others = b.chance(0.25);
  const std::int64_t count = b.between(1, 3);
  for (std::int64_t i = 0; i < count; ++i) {
    Item item{nullptr, b.real(), {}, 1, true};
    switch (b.below(6)) {
      case 0:
      case 1:
        item.shape = {batch, 2 * b.between(1, 4), b.between(4, 9), b.between(4, 9)};
        break;
      case 2:
        item.shape = {batch, b.between(2, 6), 2 * b.between(1, 4)};
        break;
      case 3:
        item.shape = {batch, b.between(2, 8)};
        break;
      case 4:
        item = {nullptr, b.chance(0.7) ? DType::kInt64 : DType::kInt32, {batch, b.between(2, 6)}, 5, true};
        break;
      default:
        if (i == 0) {
          item.shape = {b.between(2, 8)};
        } else {
          item = {nullptr, DType::kBool, {}, 1, true};
        }
    }
    std::vector<Dim> dims;
    for (std::size_t axis = 0; axis < item.shape.size(); ++axis) {
      const bool open = axis == 0 ? open_batch : open_others && b.chance(0.4);
      if (!open) {
        dims.push_back(Dim::of(item.shape[axis]));
      } else if (axis == 0 && item.shape[0] == batch) {
        dims.push_back(Dim::named("batch"));
      } else {
        dims.push_back(b.chance(0.5) ? Dim() : Dim::named("d" + std::to_string(i) + std::to_string(axis)));
      }
    }
    item.value = &b.graph().add_input("input" + std::to_string(i), Type::tensor(item.dtype, dims));
    std::vector<double> values(static_cast<std::size_t>(elements(item.shape)));
    for (double& value : values) {
      value = item.dtype == DType::kBool ? (b.chance(0.5) ? 1 : 0)
              : is_integer(item.dtype)   ? static_cast<double>(b.between(0, 5))
                                         : b.uniform(-1, 1);
    }
    made.inputs[item.value->name()] = expect_ok(from_doubles(item.dtype, item.shape, values));
    b.items().push_back(item);
  }
}

/// What nothing reads, and a few values that are read as well.
void add_outputs(RandomBuilder& b, Graph& graph, bool open) {
  std::set<const Value*> chosen;
  const auto add = [&](const Item& item) {
    if (item.value->producer() == nullptr || &item.value->graph() != &graph ||
        !chosen.insert(item.value).second)
      return;
    if (!open && b.chance(0.7)) {
      item.value->type = Type::tensor(item.dtype, item.shape);
    } else if (b.chance(0.5)) {
      item.value->type = Type::tensor(item.dtype, std::vector<Dim>(item.shape.size()));
    } else {
      item.value->type = Type::tensor(item.dtype);
    }
    graph.add_output(*item.value);
  };
  std::vector<Item> items = b.items();
  std::reverse(items.begin(), items.end());
  for (const Item& item : items) {
    const bool wanted = item.value->uses().empty() ? b.chance(0.7) : b.chance(0.08);
    if (graph.outputs().empty() || (wanted && graph.outputs().size() < 8)) add(item);
  }
}

}  // namespace

RandomModel random_model(std::uint64_t seed) {
  std::mt19937_64 head(seed * 0x9E3779B97F4A7C15U + 1);
  const auto below = [&](std::uint64_t n) { return (head() >> 11U) % n; };
  RandomModel made;
  Model& model = made.model;
  const std::int64_t opset = 11 + static_cast<std::int64_t>(below(13));
  model.ir_version = opset <= 18 ? 8 : 10;
  model.opsets[""] = opset;
  model.graph = std::make_unique<Graph>();
  model.graph->name = "random_" + std::to_string(seed);
  const std::uint64_t kind = below(10);
  const DType real = kind == 0 ? DType::kFloat16 : kind == 1 ? DType::kFloat64 : DType::kFloat32;
  RandomBuilder b(head(), *model.graph, opset, real);
  add_inputs(b, made);

  // A graph keeps to some of the ingredients, so that they meet often.
  std::vector<const Ingredient*> ingredients;
  for (const auto* list : {&movement_ingredients(), &compute_ingredients(), &pattern_ingredients()}) {
    for (const Ingredient& ingredient : *list) {
      if (b.chance(0.45)) ingredients.push_back(&ingredient);
    }
  }
  if (ingredients.empty()) ingredients.push_back(&compute_ingredients().front());
  const auto wanted = static_cast<std::size_t>(b.chance(0.5) ? b.between(1, 10) : b.between(10, 50));
  for (int attempt = 0; attempt < 200 && model.graph->nodes().size() < wanted; ++attempt) {
    const Ingredient& ingredient = choose(b, ingredients);
    if (ingredient.add(b)) made.recipe += (made.recipe.empty() ? "" : " ") + std::string(ingredient.name);
  }
  const bool nothing_made = std::none_of(b.items().begin(), b.items().end(),
                                         [](const Item& item) { return item.value->producer() != nullptr; });
  if (nothing_made) b.op("Identity", {b.items().front().value}, b.items().front());
  bool open = false;
  for (const Value* input : model.graph->inputs()) open = open || !input->type.static_shape();
  add_outputs(b, *model.graph, open);
  return made;
}

}  // namespace tarmac::test
