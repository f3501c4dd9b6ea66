#include "ops/describe.h"

#include <sstream>

#include "ops/registry.h"

namespace tarmac::ops {
namespace {

void write(std::ostream& out, std::int64_t value) { out << value; }
void write(std::ostream& out, float value) { out << value; }
void write(std::ostream& out, const std::string& value) { out << '"' << value << '"'; }
template <typename T>
void write(std::ostream& out, const std::vector<T>& values) {
  out << '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    out << (i == 0 ? "" : ", ");
    write(out, values[i]);
  }
  out << ']';
}

/// A cell of a table must not end at a bar of its text.
std::string cell(std::string text) {
  for (std::size_t i = 0; (i = text.find('|', i)) != std::string::npos; i += 2) text.insert(i, 1, '\\');
  return text;
}

void write_operands(std::ostream& out, const char* title, const std::vector<Operand>& operands) {
  out << "\n| " << title << " | types | |\n|---|---|---|\n";
  for (const Operand& operand : operands) {
    out << "| `" << operand.name << '`' << (operand.optional ? " (optional)" : "") << " | ";
    for (std::size_t i = 0; i < operand.dtypes.size(); ++i)
      out << (i == 0 ? "" : ", ") << to_string(operand.dtypes[i]);
    out << " | " << cell(operand.doc) << " |\n";
  }
}

void write_attributes(std::ostream& out, const std::vector<AttributeSpec>& attributes) {
  if (attributes.empty()) return;
  out << "\n| attribute | default | |\n|---|---|---|\n";
  for (const AttributeSpec& spec : attributes) {
    out << "| `" << spec.name << "` | ";
    if (spec.required) {
      out << "required";
    } else {
      std::visit([&](const auto& value) { write(out, value); }, spec.value);
    }
    out << " | " << cell(spec.doc) << " |\n";
  }
}

}  // namespace

std::string operators_markdown() {
  std::ostringstream out;
  out << "# Driving operators\n\n"
         "Operators of the ONNX domain `tarmac`, version "
      << kDomainVersion
      << ". `tarmac optimize` puts them where an exporter wrote the same thing in dozens of nodes, and keeps "
         "those nodes "
         "as a local function, so that an engine without a kernel runs the model as well. They can also be "
         "written into "
         "a model by hand. OpenVINO and ONNX Runtime run them through kernels of Tarmac, on their own "
         "threads and without "
         "copies of tensors; 16-bit floats are storage, computed in float32.\n\n"
         "This page is made from the operators' rows in `src/ops`; a test holds it.\n";
  for (const Operator* op : all_operators()) {
    out << "\n## " << op->name << "\n\n" << op->doc << "\n";
    write_operands(out, "input", op->inputs);
    write_operands(out, "output", op->outputs);
    write_attributes(out, op->attributes);
  }
  return out.str();
}

}  // namespace tarmac::ops
