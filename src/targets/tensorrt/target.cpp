#include "targets/common/node_check.h"
#include "targets/tensorrt/known_issues.h"
#include "targets/tensorrt/rules.h"
#include "targets/tensorrt/tensorrt_target.h"

namespace tarmac {
namespace {

class TensorRtTarget final : public Target {
 public:
  [[nodiscard]] std::string name() const override { return "tensorrt"; }
  [[nodiscard]] std::string version() const override { return {}; }
  [[nodiscard]] Status available() const override { return not_built(); }

  Result<std::vector<NodeVerdict>> check(const Model& model, const CompileOptions& /*options*/,
                                         Progress& progress) override {
    NodeCheck check;
    check.issues = tensorrt::known_issues();
    check.refuse = tensorrt::find_refusal;
    return check_nodes(model, check, probes_, progress);
  }

  Result<std::unique_ptr<Executable>> compile(const Model& /*model*/, const CompileOptions& /*options*/,
                                              Progress& /*progress*/) override {
    return not_built();
  }

 private:
  static Error not_built() {
    return make_error(ErrorCode::kUnavailable,
                      "target tensorrt checks models (tarmac check --target tensorrt), and "
                      "python -m tarmac.export to-tensorrt builds its engines; this version runs none");
  }

  ProbeCache probes_;
};

}  // namespace

Target& tensorrt_target() {
  static TensorRtTarget target;
  return target;
}

}  // namespace tarmac
