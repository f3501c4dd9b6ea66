#include <array>
#include <utility>

#include "passes/foreign_operators.h"
#include "passes/lift.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace tarmac {
namespace {

using Adopt = Result<Adoption> (*)(Model&, PassContext&, Node&);
constexpr std::array<Adopt, 5> kAdopters = {adopt_attention, adopt_deform_conv, adopt_bev_pool,
                                            adopt_pillar_scatter, adopt_grid_sampler};

/// Custom nodes for which there is an operator that does something close, but not the same.
constexpr std::array<std::pair<const char*, const char*>, 7> kOthers = {{
    {"NMSRotated", "gives as many indices as boxes are left; RotatedNms gives a fixed number and a count"},
    {"TRTBatchedRotatedNMS", "sorts boxes by class and score; RotatedNms keeps their indices"},
    {"RotateTRT", "turns a picture by an angle that is known at run time only"},
    {"InverseTRT", "inverts matrices, which ONNX has no operator for"},
    {"QKVTRT", "is attention with a scale that the plugin keeps to itself"},
    {"MMCVRoiAlign", "RoiAlign takes boxes and their pictures apart"},
    {"VoxelGeneratorPlugin", "numbers voxels in another order than Voxelize"},
}};

}  // namespace

Status adopt_custom_operators(Model& model, PassContext& context) {
  std::vector<Node*> nodes;
  for_each_node(*model.graph, [&](Node& node) {
    if (!node.domain.empty() && node.domain != "tarmac") nodes.push_back(&node);
  });
  std::vector<Value*> replaced;
  for (Node* node : nodes) {
    for (const Adopt adopt : kAdopters) {
      if (node->output(0) == nullptr) continue;
      TARMAC_TRY(const Adoption done, adopt(model, context, *node));
      if (!done.why.empty()) context.decline(*node, node->op_type + " stays: " + done.why);
      if (done.replacement == nullptr) continue;
      context.changed(*node, "put " + done.what + " in place of " + node->domain + "." + node->op_type);
      node->graph().replace_uses(*node->output(0), *done.replacement);
      replaced.push_back(node->output(0));
      break;
    }
    for (const auto& [name, why] : kOthers) {
      if (is_foreign(*node, name)) context.decline(*node, node->op_type + " stays: it " + why);
    }
  }
  erase_unused(std::move(replaced));
  return {};
}

}  // namespace tarmac
