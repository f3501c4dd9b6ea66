#include <set>
#include <unordered_map>

#include "graph/model_io.h"

namespace tarmac {
namespace {

/// Walks both graphs from their outputs at once and pairs up values. Dead nodes show up in the final counts.
class Comparison {
 public:
  explicit Comparison(CompareOptions options) : options_(options) {}

  std::string models(const Model& a, const Model& b) {
    if (a.opsets != b.opsets) return "the operator set versions differ";
    if (a.functions.size() != b.functions.size()) return "the numbers of local functions differ";
    std::string difference = graphs(*a.graph, *b.graph, true);
    for (std::size_t i = 0; difference.empty() && i < a.functions.size(); ++i) {
      const Function& fa = a.functions[i];
      const Function& fb = b.functions[i];
      const std::string where = "function '" + fa.name + "': ";
      if (fa.name != fb.name || fa.domain != fb.domain || fa.overload != fb.overload || fa.opsets != fb.opsets ||
          fa.attributes != fb.attributes) {
        return where + "the signatures differ";
      }
      if (auto inner = attributes(fa.defaults, fb.defaults); !inner.empty()) return where + inner;
      if (auto inner = graphs(*fa.body, *fb.body, true); !inner.empty()) return where + inner;
    }
    return difference;
  }

 private:
  std::string graphs(const Graph& a, const Graph& b, bool outermost) {
    if (a.inputs().size() != b.inputs().size()) {
      return "inputs: " + std::to_string(a.inputs().size()) + " against " + std::to_string(b.inputs().size());
    }
    if (a.outputs().size() != b.outputs().size()) {
      return "outputs: " + std::to_string(a.outputs().size()) + " against " + std::to_string(b.outputs().size());
    }
    for (std::size_t i = 0; i < a.inputs().size(); ++i) {
      const Value& va = *a.inputs()[i];
      const Value& vb = *b.inputs()[i];
      if ((outermost || options_.names) && va.name() != vb.name()) {
        return "input " + std::to_string(i) + " is '" + va.name() + "' against '" + vb.name() + "'";
      }
      if (!(va.type == vb.type)) {
        return "input '" + va.name() + "' is " + to_string(va.type) + " against " + to_string(vb.type);
      }
      pair_[&va] = &vb;
    }
    for (std::size_t i = 0; i < a.outputs().size(); ++i) {
      const Value& va = *a.outputs()[i];
      const Value& vb = *b.outputs()[i];
      if ((outermost || options_.names) && va.name() != vb.name()) {
        return "output " + std::to_string(i) + " is '" + va.name() + "' against '" + vb.name() + "'";
      }
      if (!(va.type == vb.type)) {
        return "output '" + va.name() + "' is " + to_string(va.type) + " against " + to_string(vb.type);
      }
      if (auto difference = values(&va, &vb); !difference.empty()) return difference;
    }
    if (a.nodes().size() != b.nodes().size()) {
      return "nodes: " + std::to_string(a.nodes().size()) + " against " + std::to_string(b.nodes().size());
    }
    return {};
  }

  /// Compares everything that `a` and `b` depend on; a work list, since graphs are deep.
  std::string values(const Value* a, const Value* b) {
    std::vector<std::pair<const Value*, const Value*>> open{{a, b}};
    while (!open.empty()) {
      const auto [va, vb] = open.back();
      open.pop_back();
      if (va == nullptr && vb == nullptr) continue;
      if (va == nullptr || vb == nullptr) {
        return "an optional input is left out on one side (" + (va != nullptr ? va : vb)->name() + ")";
      }
      const auto [it, fresh] = pair_.try_emplace(va, vb);
      if (!fresh) {
        if (it->second != vb) return "'" + va->name() + "' stands for '" + it->second->name() + "' and '" + vb->name() + "'";
        if (!va->is_input() || va->initializer() == nullptr) continue;
      }
      if (options_.names && va->name() != vb->name()) return "value '" + va->name() + "' against '" + vb->name() + "'";
      if ((va->initializer() != nullptr) != (vb->initializer() != nullptr)) {
        return "'" + va->name() + "' is an initializer on one side only";
      }
      if (va->initializer() != nullptr && !identical(*va->initializer(), *vb->initializer())) {
        return "initializer '" + va->name() + "' has other values";
      }
      const Node* na = va->producer();
      const Node* nb = vb->producer();
      if ((na == nullptr) != (nb == nullptr) || va->output_index() != vb->output_index()) {
        return "'" + va->name() + "' and '" + vb->name() + "' come from different places";
      }
      if (na == nullptr) continue;
      if (auto difference = nodes(*na, *nb); !difference.empty()) return difference;
      for (std::size_t i = 0; i < na->inputs().size(); ++i) open.emplace_back(na->input(i), nb->input(i));
    }
    return {};
  }

  std::string nodes(const Node& a, const Node& b) {
    const std::string where = "node '" + a.label() + "': ";
    if (a.op_type != b.op_type || a.domain != b.domain || a.overload != b.overload) {
      return where + a.domain + "." + a.op_type + " against " + b.domain + "." + b.op_type;
    }
    if (options_.names && a.name != b.name) return where + "named '" + b.name + "' on the other side";
    if (a.inputs().size() != b.inputs().size() || a.outputs().size() != b.outputs().size()) {
      return where + "other numbers of inputs or outputs";
    }
    const auto difference = attributes(a.attributes, b.attributes);
    return difference.empty() ? "" : where + difference;
  }

  template <typename Map>
  std::string attributes(const Map& a, const Map& b) {
    std::set<std::string> keys;
    for (const auto& [key, value] : a) keys.insert(key);
    for (const auto& [key, value] : b) keys.insert(key);
    for (const std::string& key : keys) {
      const auto ia = a.find(key);
      const auto ib = b.find(key);
      if (ia == a.end() || ib == b.end()) return "attribute '" + key + "' is on one side only";
      if (ia->second.index() != ib->second.index()) return "attribute '" + key + "' has another type";
      const auto difference = std::visit(
          [&](const auto& held) { return attribute(held, std::get<std::decay_t<decltype(held)>>(ib->second)); },
          ia->second);
      if (!difference.empty()) return "attribute '" + key + "': " + difference;
    }
    return {};
  }

  template <typename T>
  std::string attribute(const T& a, const T& b) {
    return a == b ? "" : "other values";
  }
  std::string attribute(const Tensor& a, const Tensor& b) { return identical(a, b) ? "" : "another tensor"; }
  std::string attribute(const GraphPtr& a, const GraphPtr& b) { return graphs(*a, *b, false); }
  template <typename T>
  std::string attribute(const std::vector<T>& a, const std::vector<T>& b) {
    if (a.size() != b.size()) return "other numbers of values";
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (auto difference = attribute(a[i], b[i]); !difference.empty()) return difference;
    }
    return {};
  }

  CompareOptions options_;
  std::unordered_map<const Value*, const Value*> pair_;
};

}  // namespace

std::string structural_difference(const Model& a, const Model& b, const CompareOptions& options) {
  return Comparison(options).models(a, b);
}

}  // namespace tarmac
