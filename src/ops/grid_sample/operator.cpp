#include "ops/grid_sample/operator.h"

#include <algorithm>
#include <limits>

#include "ops/shapes.h"

namespace tarmac::ops {
namespace {

constexpr const char* kName = "GridSample";

/// The kernels count elements of a map in 32 bits and positions along an axis in float.
Status check_sizes(const Type& x) {
  std::int64_t map = 1;
  for (std::size_t axis = 2; x.shape && axis < x.shape->size(); ++axis) {
    const Dim& dim = (*x.shape)[axis];
    const bool too_long = dim.known() && *dim.size > grid::kLongestAxis;
    if (too_long ||
        (dim.known() && *dim.size > 0 && map > (std::numeric_limits<std::int32_t>::max() - 1) / *dim.size)) {
      return make_error(ErrorCode::kInvalidInput, std::string(kName) + ": the input 'X' is " + to_string(x) +
                                                      ", expected axes of at most " +
                                                      std::to_string(grid::kLongestAxis) +
                                                      " elements and maps of less than 2^31");
    }
    if (dim.known() && *dim.size > 0) map *= *dim.size;
  }
  return {};
}

Result<std::vector<Type>> infer(const Attributes& attributes, std::span<const Type> inputs) {
  TARMAC_TRY(const auto settings, grid::read_settings(attributes));
  const Type& x = inputs[0];
  const Type& grid = inputs[1];
  const bool known = x.shape || grid.shape;
  if (!known) return std::vector<Type>{Type::tensor(x.dtype)};
  const std::size_t rank = x.shape ? x.shape->size() : grid.shape->size();
  if (rank != 4 && rank != 5) {
    return make_error(ErrorCode::kInvalidInput, std::string(kName) + ": the input 'X' is " + to_string(x) +
                                                    " and 'grid' " + to_string(grid) +
                                                    ", expected tensors of rank 4 or 5");
  }
  if (settings.mode == grid::Mode::kCubic && rank != 4) {
    return make_error(ErrorCode::kInvalidInput, std::string(kName) +
                                                    ": the mode 'cubic' is for rank 4, 'X' is " +
                                                    to_string(x) + " and 'grid' " + to_string(grid));
  }
  TARMAC_CHECK_OK(check_sizes(x));
  std::vector<Dim> expected(rank);
  expected[0] = dim_of(x, 0);
  expected[rank - 1] = Dim::of(static_cast<std::int64_t>(rank) - 2);
  TARMAC_CHECK_OK(check_shape(kName, "grid", grid, expected));
  TARMAC_TRY(const Dim batch, same_size(kName, "the batch", dim_of(x, 0), dim_of(grid, 0)));
  std::vector<Dim> shape = {batch, dim_of(x, 1)};
  for (std::size_t axis = 1; axis + 1 < rank; ++axis) shape.push_back(dim_of(grid, axis));
  return std::vector<Type>{Type::tensor(x.dtype, std::move(shape))};
}

}  // namespace

Result<grid::Settings> grid::read_settings(const Attributes& attributes) {
  const auto fail = [](const char* name, const std::string& found, const char* expected) {
    return make_error(ErrorCode::kInvalidModel, std::string(kName) + ": the attribute '" + name + "' is '" +
                                                    found + "', expected " + expected);
  };
  Settings settings;
  const auto& mode = get<std::string>(attributes, "mode");
  if (mode == "linear" || mode == "bilinear") {
    settings.mode = Mode::kLinear;
  } else if (mode == "nearest") {
    settings.mode = Mode::kNearest;
  } else if (mode == "cubic" || mode == "bicubic") {
    settings.mode = Mode::kCubic;
  } else {
    return fail("mode", mode, "linear, nearest or cubic");
  }
  const auto& padding = get<std::string>(attributes, "padding_mode");
  if (padding == "zeros") {
    settings.padding = Padding::kZeros;
  } else if (padding == "border") {
    settings.padding = Padding::kBorder;
  } else if (padding == "reflection") {
    settings.padding = Padding::kReflection;
  } else {
    return fail("padding_mode", padding, "zeros, border or reflection");
  }
  const std::int64_t align = get<std::int64_t>(attributes, "align_corners");
  if (align != 0 && align != 1) return fail("align_corners", std::to_string(align), "0 or 1");
  settings.align_corners = align == 1;
  return settings;
}

grid::Geometry grid::geometry_of(const ConstTensorView& x, const ConstTensorView& grid) {
  Geometry geometry;
  geometry.batch = x.dim(0);
  geometry.channels = x.dim(1);
  geometry.axes = static_cast<std::int64_t>(x.rank()) - 2;
  std::copy(x.shape.begin() + 2, x.shape.end(), std::end(geometry.sizes) - geometry.axes);
  geometry.positions = 1;
  for (std::size_t axis = 1; axis + 1 < grid.rank(); ++axis) geometry.positions *= grid.dim(axis);
  return geometry;
}

const Operator& grid_sample() {
  static const Operator op = {
      .name = kName,
      .version = 1,
      .doc =
          "y[n, c, p] = X[n, c] at the position grid[n, p] = (x, y) or (x, y, z), where -1 and 1 are the "
          "ends of an "
          "axis of s elements: the middles of its first and last one with align_corners, i = (x + 1) / 2 (s "
          "- 1), "
          "else their outer edges, i = ((x + 1) s - 1) / 2. Linear interpolation between the neighbours, the "
          "nearest "
          "one (halves go to the even one), or cubic convolution with A = -0.75 (4-D only). Neighbours "
          "outside the "
          "map count 0 (zeros), or the position is moved to the nearest end (border), or thrown back at the "
          "ends "
          "until it is inside (reflection); an element that is outside is never multiplied, so infinities "
          "there do "
          "no harm. A NaN coordinate counts as minus infinity: 0 with zeros, the first element otherwise; "
          "reflection from beyond 2^24 elements gives the first element. Of an empty map everything is 0. "
          "ONNX GridSample-22, torch.nn.functional.grid_sample.",
      .inputs = {{"X",
                  "[N, C, H, W] or [N, C, D, H, W]",
                  {DType::kFloat32, DType::kFloat16, DType::kBFloat16}},
                 {"grid",
                  "[N, Ho, Wo, 2] or [N, Do, Ho, Wo, 3]: x, y, z of each position, inside from -1 to 1",
                  {DType::kFloat32, DType::kFloat16, DType::kBFloat16}}},
      .outputs = {{"y",
                   "[N, C, Ho, Wo] or [N, C, Do, Ho, Wo], of X's type; computed in float32",
                   {DType::kFloat32, DType::kFloat16, DType::kBFloat16}}},
      .attributes = {{"align_corners",
                      "1: -1 and 1 are the middles of the outermost elements; 0: their edges",
                      std::int64_t{0}},
                     {"mode", "linear, nearest or cubic (also bilinear and bicubic)", std::string("linear")},
                     {"padding_mode", "zeros, border or reflection", std::string("zeros")}},
      .infer = infer,
      .reference = grid::make_reference,
      .cpu = grid::make_cpu,
  };
  return op;
}

}  // namespace tarmac::ops
