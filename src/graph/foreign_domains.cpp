// Projects that deploy to TensorRT export their plugins' nodes into ONNX's own domain, with the check
// switched off.
#include <algorithm>
#include <array>
#include <string_view>

#include "graph/proto.h"

namespace tarmac {
namespace {

/// The domain that ONNX Runtime gives such nodes.
constexpr const char* kPluginDomain = "trt.plugins";

constexpr std::array<std::string_view, 24> kPlugins = {"BEVPoolV2TRT",
                                                       "BEVPoolV2TRT2",
                                                       "GridSampler2DTRT",
                                                       "GridSampler2DTRT2",
                                                       "GridSampler3DTRT",
                                                       "GridSampler3DTRT2",
                                                       "InverseTRT",
                                                       "MMCVDeformConv2d",
                                                       "MMCVModulatedDeformConv2d",
                                                       "MMCVMultiScaleDeformableAttention",
                                                       "MMCVRoiAlign",
                                                       "ModulatedDeformableConv2dTRT",
                                                       "ModulatedDeformableConv2dTRT2",
                                                       "MultiScaleDeformableAttnTRT",
                                                       "MultiScaleDeformableAttnTRT2",
                                                       "MultiscaleDeformableAttnPlugin_TRT",
                                                       "PPScatterPlugin",
                                                       "PillarScatterPlugin",
                                                       "QKVTRT",
                                                       "QKVTRT2",
                                                       "RotateTRT",
                                                       "RotateTRT2",
                                                       "bev_pool_v2",
                                                       "grid_sampler"};

bool name_in(onnx::GraphProto& graph) {
  bool found = false;
  for (onnx::NodeProto& node : *graph.mutable_node()) {
    if ((node.domain().empty() || node.domain() == "ai.onnx") &&
        std::find(kPlugins.begin(), kPlugins.end(), node.op_type()) != kPlugins.end()) {
      node.set_domain(kPluginDomain);
      found = true;
    }
    for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) found = name_in(*attribute.mutable_g()) || found;
      for (onnx::GraphProto& nested : *attribute.mutable_graphs()) found = name_in(nested) || found;
    }
  }
  return found;
}

}  // namespace

void name_foreign_domains(onnx::ModelProto& proto) {
  if (!name_in(*proto.mutable_graph())) return;
  for (const auto& import : proto.opset_import()) {
    if (import.domain() == kPluginDomain) return;
  }
  auto* import = proto.add_opset_import();
  import->set_domain(kPluginDomain);
  import->set_version(1);
}

}  // namespace tarmac
