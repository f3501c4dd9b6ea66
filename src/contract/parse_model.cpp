#include <algorithm>
#include <array>

#include "contract/sections.h"
#include "contract/words.h"

namespace tarmac {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLowestOpset = 13;
constexpr std::int64_t kHighestOpset = 30;  // beyond any that exists
constexpr std::int64_t kHighestSize = std::int64_t{1} << 20U;
constexpr std::int64_t kLowestTorchExport = 18;  // torch.export
constexpr double kLongestMs = 7.0 * 24 * 3600e3;

/// Keys that only some sources have.
std::vector<std::string_view> own_keys(ModelFormat format) {
  switch (format) {
    case ModelFormat::kTorch:
      return {"outputs", "weights", "exporter", "depends"};
    case ModelFormat::kSavedModel:
      return {"signature", "layout", "output_layout"};
    case ModelFormat::kFrozenGraph:
      return {"outputs", "layout", "output_layout"};
    case ModelFormat::kPaddle:
      return {"outputs", "depends"};
    case ModelFormat::kKeras:
    case ModelFormat::kTflite:
      return {"layout", "output_layout"};
  }
  return {};
}

bool is_name(std::string_view word) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !word.empty() && letter(word[0]) &&
         std::all_of(word.begin(), word.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

bool is_dotted_name(std::string_view word) {
  while (true) {
    const std::size_t dot = word.find('.');
    if (!is_name(word.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    word.remove_prefix(dot + 1);
  }
}

/// "models.py:detector", "package.module:detector", or either without a factory.
Status parse_module(const Field& field, const std::string& word, ModelSource& source) {
  constexpr std::string_view kExpected =
      "FILE.py:FACTORY or package.module:FACTORY, where FACTORY names what makes the model";
  const std::size_t slash = word.rfind('/');
  const std::size_t colon = word.find(':', slash == std::string::npos ? 0 : slash);
  const std::string module = word.substr(0, colon);
  if (colon != std::string::npos) {
    source.factory = word.substr(colon + 1);
    if (!is_dotted_name(source.factory)) return field.wrong(kExpected);
  }
  if (!module.ends_with(".py")) {
    for (const char* extension : {".pt", ".pth", ".ckpt", ".pdparams"}) {
      if (word.ends_with(extension))
        return field.error("found " + quote(word) +
                           ", which holds weights; expected FILE.py:FACTORY for what makes the model, and "
                           "the file under 'weights'");
    }
    if (!is_dotted_name(module)) return field.wrong(kExpected);
    source.module = module;
    return {};
  }
  TARMAC_TRY(source.path, field.existing_file(module));
  return {};
}

/// Of the files PREFIX.pdmodel or PREFIX.json, and PREFIX.pdiparams; any of them may be named as well.
Status parse_prefix(const Field& field, const std::string& word, ModelSource& source) {
  fs::path named(word);
  for (const char* extension : {".pdmodel", ".json", ".pdiparams"}) {
    if (named.extension() == extension) named.replace_extension();
  }
  source.path = field.source().file.parent_path() / named;
  if (!field.source().options.files_must_exist) return {};
  std::error_code failed;
  const auto exists = [&](const char* extension) {
    return fs::is_regular_file(source.path.string() + extension, failed);
  };
  if (exists(".pdmodel") || exists(".json")) return {};
  return field.error("there is neither " + quote(source.path.string() + ".pdmodel") + " nor " +
                         quote(source.path.string() + ".json") +
                         "; name the PREFIX of Paddle's files, or FILE.py:FACTORY",
                     ErrorCode::kNotFound);
}

Status parse_place(const Field& field, ModelSource& source) {
  TARMAC_TRY(source.written, field.text("a path, relative to the contract"));
  switch (source.format) {
    case ModelFormat::kTorch:
      return parse_module(field, source.written, source);
    case ModelFormat::kPaddle:
      if (source.written.ends_with(".py") || source.written.find(':') != std::string::npos)
        return parse_module(field, source.written, source);
      return parse_prefix(field, source.written, source);
    case ModelFormat::kSavedModel: {
      TARMAC_TRY(source.path, field.existing_folder());
      return {};
    }
    case ModelFormat::kKeras:
    case ModelFormat::kFrozenGraph:
    case ModelFormat::kTflite: {
      TARMAC_TRY(source.path, field.existing_file());
      return {};
    }
  }
  return {};
}

bool has_module(const ModelSource& source) {
  return !source.module.empty() || source.path.extension() == ".py";
}

Status parse_inputs(const Field& field, ModelSource& source) {
  TARMAC_TRY(const auto entries, field.entries("a map from input names to their shape and dtype"));
  for (const auto& [name, entry] : entries) {
    TARMAC_CHECK_OK(entry.allow_keys({"shape", "dtype"}));
    SourceInput input{name, DType::kUndefined, {}};
    TARMAC_TRY(const Field shape, entry.require("shape"));
    TARMAC_TRY(input.shape, parse_input_shape(shape));
    if (const auto dtype = entry.find("dtype")) {
      TARMAC_TRY(input.dtype, dtype->choice(kDtypeWords));
    } else if (has_module(source)) {
      return entry.error("the key 'dtype' is missing; a module does not say it itself");
    }
    source.inputs.push_back(std::move(input));
  }
  return {};
}

/// The contract's inputs, which are those of the ONNX model.
void take_inputs(const Contract& contract, ModelSource& source) {
  for (const InputSpec& input : contract.inputs) {
    source.inputs.push_back({input.name, input.dtype, input.shape});
    if (input.layout == Layout::kNCHW) source.layout = Layout::kNCHW;
  }
}

Status parse_sizes(const Field& field, ModelSource& source) {
  TARMAC_TRY(const auto entries,
             field.entries("a map from dynamic axes to two sizes, such as height: [256, 320]"));
  for (const auto& [axis, entry] : entries) {
    const bool known =
        std::any_of(source.inputs.begin(), source.inputs.end(), [&axis = axis](const SourceInput& input) {
          return std::any_of(input.shape.begin(), input.shape.end(),
                             [&](const InputDim& dim) { return dim.symbol == axis; });
        });
    if (!known) return entry.error("no input has a dynamic axis of this name");
    TARMAC_TRY(const auto sizes, entry.elements("two sizes, such as [256, 320]"));
    if (sizes.size() != 2) return entry.wrong("two sizes, such as [256, 320]");
    for (std::size_t i = 0; i < 2; ++i) {
      TARMAC_TRY(source.sizes[axis][i], sizes[i].integer(1, kHighestSize));
    }
  }
  return {};
}

Status parse_outputs(const Field& field, ModelSource& source) {
  TARMAC_TRY(const auto elements, field.elements("a list of output names"));
  if (elements.empty()) return field.wrong("at least one output name");
  for (const Field& element : elements) {
    TARMAC_TRY(std::string name, element.text("the name of an output"));
    if (std::find(source.outputs.begin(), source.outputs.end(), name) != source.outputs.end())
      return element.error("found the output " + quote(name) + " again; names are unique");
    source.outputs.push_back(std::move(name));
  }
  return {};
}

Status parse_depends(const Field& field, ModelSource& source) {
  TARMAC_TRY(const auto elements, field.elements("a list of files and folders"));
  for (const Field& element : elements) {
    if (auto folder = element.existing_folder()) {
      source.depends.push_back(*std::move(folder));
      continue;
    }
    TARMAC_TRY(source.depends.emplace_back(), element.existing_file());
  }
  return {};
}

Status parse_conversion(const Field& field, ModelSource& source) {
  if (const auto exporter = field.find("exporter")) {
    TARMAC_TRY(source.exporter, exporter->choice(kTorchExporterWords));
  }
  if (const auto opset = field.find("opset")) {
    const std::int64_t lowest = source.exporter == TorchExporter::kDynamo ? kLowestTorchExport : kLowestOpset;
    TARMAC_TRY(const std::int64_t version, opset->integer(lowest, kHighestOpset));
    source.opset = static_cast<int>(version);
  }
  if (const auto limit = field.find("max_error")) {
    TARMAC_TRY(source.max_error, limit->percent());
  }
  if (const auto simplify = field.find("simplify")) {
    TARMAC_TRY(source.simplify, simplify->boolean());
  }
  if (const auto data = field.find("data")) {
    TARMAC_TRY(source.data, data->existing_file());
    if (source.data.extension() != ".npz") return data->wrong("an .npz file");
  }
  if (const auto python = field.find("python")) {
    TARMAC_TRY(const std::string word, python->text("an interpreter: a name in PATH, or a path"));
    // A name is looked for in PATH; python links to elsewhere, so the path is not resolved.
    source.python =
        word.find('/') == std::string::npos ? fs::path(word) : field.source().file.parent_path() / word;
  }
  if (const auto limit = field.find("time_limit")) {
    TARMAC_TRY(const double milliseconds, limit->milliseconds());
    if (milliseconds > kLongestMs) return limit->wrong("at most 604800 s, a week");
    source.limit_s = milliseconds / 1e3;
  }
  return {};
}

Result<ModelSource> parse_source(const Field& field, const Contract& contract) {
  std::vector<std::string_view> formats;
  std::optional<Field> place;
  ModelSource source;
  for (const auto& [word, format] : kModelFormatWords) {
    formats.push_back(word);
    const auto found = field.find(word);
    if (!found) continue;
    if (place)
      return found->error("found a second source; a model has one, remove " + place->path() + " or this");
    place = found;
    source.format = format;
  }
  std::vector<std::string_view> allowed = {"inputs", "sizes",    "opset",  "max_error",
                                           "data",   "simplify", "python", "time_limit"};
  if (!place) {
    allowed.insert(allowed.begin(), formats.begin(), formats.end());
    TARMAC_CHECK_OK(field.allow_keys(allowed));
    return field.error("found no source; expected the path of an ONNX file, or one of the keys " +
                       join(formats));
  }
  const auto own = own_keys(source.format);
  allowed.insert(allowed.begin(), own.begin(), own.end());
  allowed.insert(allowed.begin(), to_string(source.format));
  TARMAC_CHECK_OK(field.allow_keys(allowed));
  TARMAC_CHECK_OK(parse_place(*place, source));
  if (const auto inputs = field.find("inputs")) {
    TARMAC_CHECK_OK(parse_inputs(*inputs, source));
  } else {
    take_inputs(contract, source);
  }
  for (const SourceInput& input : source.inputs) {
    if (input.dtype == DType::kBFloat16)
      return field.error("the input '" + input.name +
                         "' is bfloat16, which exporters cannot feed; give the " + "model float32 inputs");
  }
  if (const auto sizes = field.find("sizes")) {
    TARMAC_CHECK_OK(parse_sizes(*sizes, source));
  }
  if (const auto layout = field.find("layout")) {
    TARMAC_TRY(source.layout, layout->choice(kLayoutWords));
  }
  if (const auto layout = field.find("output_layout")) {
    TARMAC_TRY(source.output_layout, layout->choice(kLayoutWords));
  }
  if (const auto outputs = field.find("outputs")) {
    TARMAC_CHECK_OK(parse_outputs(*outputs, source));
  } else if (source.format == ModelFormat::kFrozenGraph) {
    return field.error("a frozen graph needs the key 'outputs', such as [\"detection_boxes:0\"]");
  }
  if (const auto weights = field.find("weights")) {
    TARMAC_TRY(source.weights, weights->existing_file());
  }
  if (const auto signature = field.find("signature")) {
    TARMAC_TRY(source.signature, signature->text("the name of a signature, such as serving_default"));
  }
  if (const auto depends = field.find("depends")) TARMAC_CHECK_OK(parse_depends(*depends, source));
  TARMAC_CHECK_OK(parse_conversion(field, source));
  return source;
}

}  // namespace

Status parse_model(const Field& field, Contract& contract) {
  if (field.is_map()) {
    TARMAC_TRY(contract.source, parse_source(field, contract));
    return {};
  }
  if (auto folder = field.existing_folder(); folder && field.source().options.files_must_exist) {
    return field.error("found the folder " + quote(folder->string()) +
                       "; expected an ONNX file (a SavedModel is written model: {saved_model: FOLDER})");
  }
  TARMAC_TRY(contract.model, field.existing_file());
  return {};
}

void take_profile_sizes(Contract& contract) {
  if (!contract.source || !contract.source->sizes.empty()) return;
  for (const SourceInput& input : contract.source->inputs) {
    const auto profile = contract.profiles.find(input.name);
    if (profile == contract.profiles.end() || profile->second.min.size() != input.shape.size()) continue;
    for (std::size_t i = 0; i < input.shape.size(); ++i) {
      if (!input.shape[i].fixed())
        contract.source->sizes[input.shape[i].symbol] = {profile->second.min[i], profile->second.opt[i]};
    }
  }
}

}  // namespace tarmac
