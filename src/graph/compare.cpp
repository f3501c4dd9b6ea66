#include <bit>
#include <set>
#include <unordered_map>
#include <unordered_set>

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
      if (fa.name != fb.name || fa.domain != fb.domain || fa.overload != fb.overload ||
          fa.opsets != fb.opsets || fa.attributes != fb.attributes) {
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
      return "outputs: " + std::to_string(a.outputs().size()) + " against " +
             std::to_string(b.outputs().size());
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
      pair(&va, &vb);
      if (auto difference = weights(va, vb); !difference.empty()) return difference;
    }
    if (a.extra != b.extra) return "sparse initializers or other fields carried along differ";
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
      if (const auto it = pair_.find(va); it != pair_.end()) {
        if (it->second != vb)
          return "'" + va->name() + "' stands for '" + it->second->name() + "' and '" + vb->name() + "'";
        continue;
      }
      if (!pair(va, vb)) return "'" + vb->name() + "' stands for '" + va->name() + "' and another value";
      if (options_.names && va->name() != vb->name())
        return "value '" + va->name() + "' against '" + vb->name() + "'";
      if (auto difference = weights(*va, *vb); !difference.empty()) return difference;
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

  /// Notes that two values are the same; false if `b` is another value's partner already.
  bool pair(const Value* a, const Value* b) {
    pair_.emplace(a, b);
    return partners_.insert(b).second;
  }

  static std::string weights(const Value& a, const Value& b) {
    if ((a.initializer() != nullptr) != (b.initializer() != nullptr) ||
        a.is_sparse_initializer() != b.is_sparse_initializer()) {
      return "'" + a.name() + "' is an initializer on one side only";
    }
    if (a.initializer() == nullptr || identical(*a.initializer(), *b.initializer())) return {};
    return "initializer '" + a.name() + "' has other values";
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
          [&](const auto& held) {
            return attribute(held, std::get<std::decay_t<decltype(held)>>(ib->second));
          },
          ia->second);
      if (!difference.empty()) return "attribute '" + key + "': " + difference;
    }
    return {};
  }

  template <typename T>
  std::string attribute(const T& a, const T& b) {
    return a == b ? "" : "other values";
  }
  /// By bits: a NaN is the same as itself, 0 and -0 are not.
  std::string attribute(float a, float b) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) ? "" : "other values";
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
  std::unordered_set<const Value*> partners_;
};

}  // namespace

std::string structural_difference(const Model& a, const Model& b, const CompareOptions& options) {
  return Comparison(options).models(a, b);
}

}  // namespace tarmac
