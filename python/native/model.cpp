#include "model.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <nlohmann/json.hpp>

#include "arrays.h"
#include "graph/model_io.h"
#include "json.h"
#include "plan/tensor_spec.h"
#include "report/model_json.h"
#include "runtime/inspect.h"

namespace tarmac::python {
namespace {

/// A graph inside an attribute, with the model that it lies in.
struct Nested {
  std::shared_ptr<const Model> model;
  const Graph* graph = nullptr;
};

nb::list names(const std::vector<Value*>& values) {
  nb::list list;
  for (const Value* value : values) list.append(value == nullptr ? std::string() : value->name());
  return list;
}

template <typename T>
nb::object to_python(const T& value, const std::shared_ptr<const Model>& model) {
  if constexpr (std::is_same_v<T, Tensor>) {
    return to_numpy(value_of(value.aligned()), false);
  } else if constexpr (std::is_same_v<T, GraphPtr>) {
    return nb::cast(Nested{model, value.get()});
  } else if constexpr (std::is_same_v<T, Type>) {
    return nb::cast(to_string(value));
  } else if constexpr (std::is_same_v<T, std::int64_t> || std::is_same_v<T, float>) {
    return nb::cast(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return nb::steal(PyUnicode_DecodeUTF8(value.data(), static_cast<Py_ssize_t>(value.size()), "replace"));
  } else {
    nb::list list;
    for (const auto& item : value) list.append(to_python(item, model));
    return list;
  }
}

nb::dict attributes(const Node& node, const std::shared_ptr<const Model>& model) {
  nb::dict dict;
  for (const auto& attribute : node.attributes) {
    std::visit(
        [&](const auto& value) {
          using T = std::decay_t<decltype(value)>;
          if constexpr (!std::is_same_v<T, AttributeReference> && !std::is_same_v<T, OpaqueAttribute>)
            dict[nb::str(attribute.first.c_str())] = to_python(value, model);
        },
        attribute.second);
  }
  return dict;
}

nb::list nodes(const Graph& graph, const std::shared_ptr<const Model>& model) {
  nb::list list;
  for (const auto& node : graph.nodes()) {
    nb::dict fields;
    fields["name"] = node->label();
    fields["op_type"] = node->op_type;
    fields["domain"] = node->domain;
    fields["inputs"] = names(node->inputs());
    fields["outputs"] = names(node->outputs());
    fields["attributes"] = attributes(*node, model);
    list.append(fields);
  }
  return list;
}

std::string specs(const std::vector<Value*>& values) {
  std::vector<TensorSpec> list;
  for (const Value* value : values) {
    if (value->is_input() && value->initializer() != nullptr) continue;
    list.push_back(tensor_spec(value->name(), value->type));
  }
  return dump(to_json(list));
}

PyModel parse(const nb::bytes& data, const std::string& folder) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data.c_str());
  const std::span<const std::byte> view(bytes, data.size());
  const std::shared_ptr<void> owner = share(data);
  return PyModel(value_of(unlocked([&] { return parse_model(view, owner, folder); })));
}

}  // namespace

void bind_model(nb::module_& module) {
  nb::class_<Nested>(module, "Nested").def("nodes", [](const Nested& nested) {
    return nodes(*nested.graph, nested.model);
  });

  nb::class_<PyModel>(module, "Model")
      .def_static("load",
                  [](const std::string& path) {
                    return PyModel(value_of(unlocked([&] { return load_model(path); })));
                  })
      .def_static("parse", &parse)
      .def_static("from_text",
                  [](const std::string& text) {
                    return PyModel(value_of(unlocked([&] { return model_from_text(text); })));
                  })
      .def("save",
           [](const PyModel& model, const std::string& path) {
             check(unlocked([&] { return save_model(model.get(), path); }));
           })
      .def("serialize",
           [](const PyModel& model) {
             const std::string text = value_of(unlocked([&] { return serialize_model(model.get()); }));
             return nb::bytes(text.data(), text.size());
           })
      .def("text",
           [](const PyModel& model, std::size_t max_elements) {
             return unlocked([&] { return model_to_text(model.get(), max_elements); });
           })
      .def("digest",
           [](const PyModel& model) { return value_of(unlocked([&] { return model_digest(model.get()); })); })
      .def("inspect",
           [](const PyModel& model, std::map<std::string, std::int64_t> sizes) {
             const InspectOptions options{std::move(sizes)};
             return dump(to_json(value_of(unlocked([&] { return inspect_model(model.get(), options); }))));
           })
      .def("inputs", [](const PyModel& model) { return specs(model.get().graph->inputs()); })
      .def("outputs", [](const PyModel& model) { return specs(model.get().graph->outputs()); })
      .def("nodes", [](const PyModel& model) { return nodes(*model.get().graph, model.shared()); })
      .def("weights",
           [](const PyModel& model) {
             nb::dict dict;
             for (const Value* value : model.get().graph->initializers()) {
               const Tensor* tensor = value->initializer();
               if (tensor == nullptr || (tensor->dtype() != DType::kString && bit_width(tensor->dtype()) < 8))
                 continue;  // sparse, or smaller than numpy can hold
               dict[nb::str(value->name().c_str())] = to_numpy(value_of(tensor->aligned()), false);
             }
             return dict;
           })
      .def_prop_ro("opset", [](const PyModel& model) { return model.get().opset(); })
      .def_prop_ro("name", [](const PyModel& model) { return model.get().graph->name; })
      .def_prop_ro("node_count", [](const PyModel& model) { return node_count(model.get()); });
}

}  // namespace tarmac::python
