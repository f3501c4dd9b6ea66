#include <fmt/format.h>
#include <onnx/defs/parser.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "graph/model_io.h"
#include "graph/proto.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

/// ONNX's own word for a dtype in text form.
std::string onnx_name(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "float";
    case DType::kFloat64:
      return "double";
    default:
      return to_string(dtype);
  }
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

/// A name as it is where the parser takes it for one, else in quotes. An empty name is one that is left out.
std::string identifier(const std::string& name) {
  static const std::set<std::string> kTypeWords = {"float",    "double",        "seq",   "map",
                                                   "optional", "sparse_tensor", "opaque"};
  const auto word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  const bool plain = !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
                     std::all_of(name.begin(), name.end(), word) && !kTypeWords.contains(name) &&
                     dtype_from_string(name) == DType::kUndefined;
  return plain ? name : quoted(name);
}

class Printer {
 public:
  explicit Printer(std::size_t max_elements) : max_elements_(max_elements) {}

  std::string model(const Model& source) {
    out_ += fmt::format("<\n  ir_version: {},\n  opset_import: [", source.ir_version);
    opsets(source.opsets);
    out_ += "]";
    if (!source.producer_name.empty()) out_ += ",\n  producer_name: " + quoted(source.producer_name);
    out_ += "\n>\n";
    graph(*source.graph, 0);
    for (const Function& item : source.functions) function(item);
    return std::move(out_);
  }

 private:
  void opsets(const std::map<std::string, std::int64_t>& versions) {
    const char* separator = "";
    for (const auto& [domain, version] : versions) {
      out_ += fmt::format("{}{} : {}", separator, quoted(domain), version);
      separator = ", ";
    }
  }

  static std::string type(const Type& source) {
    switch (source.kind) {
      case Type::Kind::kSequence:
        return "seq(" + type(*source.element) + ")";
      case Type::Kind::kOptional:
        return "optional(" + type(*source.element) + ")";
      case Type::Kind::kTensor:
        break;
      default:
        return to_string(source);
    }
    std::string text = onnx_name(source.dtype);
    if (!source.shape) return text + "[]";
    if (source.shape->empty()) return text;
    const char* separator = "[";
    for (const Dim& dim : *source.shape) {
      text += separator;
      text += dim.known() ? std::to_string(*dim.size) : dim.symbol.empty() ? "?" : identifier(dim.symbol);
      separator = ",";
    }
    return text + "]";
  }

  void values(const std::vector<Value*>& list, bool with_types) {
    out_ += '(';
    const char* separator = "";
    for (const Value* value : list) {
      out_ += separator;
      if (with_types && value->type.kind != Type::Kind::kNone) out_ += type(value->type) + " ";
      out_ += identifier(value->name());
      separator = ", ";
    }
    out_ += ')';
  }

  void graph(const Graph& source, int depth) {
    out_ += identifier(source.name.empty() ? "graph" : source.name) + " ";
    values(source.inputs(), true);
    out_ += " => ";
    values(source.outputs(), true);
    if (!source.initializers().empty()) {
      std::vector<std::string> lines;
      for (const Value* value : source.initializers()) {
        const Tensor& tensor = *value->initializer();
        lines.push_back(indent(depth + 1) + type(Type::tensor(tensor.dtype(), tensor.shape())) + " " +
                        identifier(value->name()) + " = " + elements(tensor));
      }
      out_ += fmt::format("\n{0}<\n{1}\n{0}>", indent(depth), fmt::join(lines, ",\n"));
    }
    body(source, depth);
  }

  void body(const Graph& source, int depth) {
    out_ += "\n" + indent(depth) + "{\n";
    for (const auto& item : source.nodes()) node(*item, depth + 1);
    out_ += indent(depth) + "}";
    if (depth == 0) out_ += '\n';
  }

  void node(const Node& source, int depth) {
    out_ += indent(depth);
    if (!source.name.empty()) out_ += "[" + identifier(source.name) + "] ";
    const auto names = [&](const std::vector<Value*>& list) {
      const char* separator = "";
      for (const Value* value : list) {
        out_ += separator;
        out_ += identifier(value != nullptr ? value->name() : std::string());
        separator = ", ";
      }
    };
    names(source.outputs());
    out_ += " = " + (source.domain.empty() ? "" : source.domain + ".") + source.op_type;
    if (!source.overload.empty()) out_ += ":" + source.overload;
    if (!source.attributes.empty()) {
      const char* separator = " <";
      for (const auto& [key, value] : source.attributes) {
        out_ += separator + key;
        std::visit([&](const auto& held) { attribute(held, depth); }, value);
        separator = ", ";
      }
      out_ += ">";
    }
    out_ += " (";
    names(source.inputs());
    out_ += ")\n";
  }

  void function(const Function& source) {
    out_ += "\n<\n  domain: " + quoted(source.domain) + ",\n  opset_import: [";
    opsets(source.opsets);
    out_ += "]";
    if (!source.overload.empty()) out_ += ",\n  overload: " + quoted(source.overload);
    out_ += "\n>\n" + identifier(source.name);
    const char* separator = " <";
    for (const std::string& key : source.attributes) {
      out_ += separator + identifier(key);
      separator = ", ";
    }
    for (const auto& [key, value] : source.defaults) {
      out_ += separator + identifier(key);
      std::visit([&](const auto& held) { attribute(held, 0); }, value);
      separator = ", ";
    }
    if (*separator == ',') out_ += ">";
    out_ += " ";
    values(source.body->inputs(), false);
    out_ += " => ";
    values(source.body->outputs(), false);
    body(*source.body, 0);
  }

  void attribute(std::int64_t value, int) { out_ += fmt::format(" = {}", value); }
  void attribute(float value, int) { out_ += " = " + floating(value); }
  void attribute(const std::string& value, int) { out_ += " = " + quoted(value); }
  void attribute(const Tensor& value, int) {
    out_ += " = " + type(Type::tensor(value.dtype(), value.shape())) + " " + elements(value);
  }
  void attribute(const Type& value, int) { out_ += ": type_proto = " + type(value); }
  void attribute(const GraphPtr& value, int depth) {
    out_ += " = ";
    graph(*value, depth + 1);
  }
  void attribute(const std::vector<std::int64_t>& values, int) {
    out_ += fmt::format(": ints = [{}]", fmt::join(values, ", "));
  }
  void attribute(const std::vector<float>& values, int) {
    std::vector<std::string> texts;
    for (const float value : values) texts.push_back(floating(value));
    out_ += fmt::format(": floats = [{}]", fmt::join(texts, ", "));
  }
  void attribute(const std::vector<std::string>& values, int) {
    std::vector<std::string> texts;
    for (const std::string& value : values) texts.push_back(quoted(value));
    out_ += fmt::format(": strings = [{}]", fmt::join(texts, ", "));
  }
  void attribute(const AttributeReference& value, int) {
    const auto word = onnx::AttributeProto::AttributeType_Name(
        static_cast<onnx::AttributeProto::AttributeType>(value.type));
    std::string lower;
    for (const char c : word) lower += static_cast<char>(std::tolower(c));
    out_ += ": " + lower + " = @" + identifier(value.name);
  }
  template <typename T>
  void attribute(const std::vector<T>& values, int) {
    out_ += fmt::format(" = {{{} items}}", values.size());
  }
  void attribute(const OpaqueAttribute&, int) { out_ += " = {sparse}"; }

  std::string elements(const Tensor& tensor) const {
    if (tensor.count() > static_cast<std::int64_t>(max_elements_)) return "{...}";
    std::vector<std::string> texts;
    if (tensor.dtype() == DType::kString) {
      for (const std::string& text : tensor.strings()) texts.push_back(quoted(text));
    } else if (const auto integers = to_int64s(tensor)) {
      for (const std::int64_t value : *integers) texts.push_back(std::to_string(value));
    } else if (const auto numbers = to_doubles(tensor)) {
      for (const double value : *numbers) texts.push_back(floating(value));
    } else {
      return "{...}";
    }
    return fmt::format("{{{}}}", fmt::join(texts, ", "));
  }

  /// Shortest text that reads back as the same number and as a float.
  template <typename T>
  static std::string floating(T value) {
    std::string text = fmt::format("{}", value);
    if (text.find_first_of(".en") == std::string::npos) text += ".0";
    return text;
  }

  static std::string indent(int depth) { return std::string(static_cast<std::size_t>(depth) * 2, ' '); }

  std::size_t max_elements_;
  std::string out_;
};

}  // namespace

std::string model_to_text(const Model& model, std::size_t max_elements) {
  return Printer(max_elements).model(model);
}

Result<Model> model_from_text(const std::string& text) {
  onnx::ModelProto proto;
  const auto status = onnx::OnnxParser::Parse(proto, text.c_str());
  if (!status.IsOK())
    return make_error(ErrorCode::kInvalidModel, "not valid ONNX text: " + status.ErrorMessage());
  TARMAC_CHECK_OK(check_proto(proto));
  const std::vector<Tensor> none;  // text holds its tensors inline
  TensorPayloads source(none);
  return model_from_proto(proto, source);
}

}  // namespace tarmac
