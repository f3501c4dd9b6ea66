#include "deploy/export_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/child_process.h"
#include "base/sha256.h"
#include "deploy/plan_cache.h"
#include "plan/bounded_json.h"
#include "tarmac/version.h"

namespace tarmac {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 5000;
constexpr double kProbeLimitS = 60;
constexpr std::uint64_t kMostProbeBytes = std::uint64_t{4} << 20U;
constexpr int kOldestMinor = 10;

// Packages of other Pythons may be as old as these: what they say is all that is asked.
constexpr const char* kProbe = R"(
import json, sys
found, packages = None, []
if sys.version_info >= (3, 10):
    import importlib.util, importlib.metadata
    try:
        spec = importlib.util.find_spec("tarmac.export")
        found = spec.origin if spec else None
    except Exception:
        pass
    for one in importlib.metadata.distributions():
        packages.append(str(one.metadata["Name"]) + "==" + str(one.version))
print(json.dumps({"version": list(sys.version_info[:3]), "prefix": sys.prefix, "exporters": found,
                  "packages": sorted(packages)}))
)";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

/// Of the environment that has the format's packages.
std::string frontend_of(ModelFormat format) {
  switch (format) {
    case ModelFormat::kTorch:
      return "torch";
    case ModelFormat::kPaddle:
      return "paddle";
    case ModelFormat::kSavedModel:
    case ModelFormat::kKeras:
    case ModelFormat::kFrozenGraph:
    case ModelFormat::kTflite:
      break;
  }
  return "tensorflow";
}

fs::path frontend_folder(ModelFormat format) {
  const std::string name = "frontend-" + frontend_of(format);
  if (const auto cache = variable("TARMAC_CACHE"); !cache.empty()) return fs::path(cache) / name;
  if (const auto cache = variable("XDG_CACHE_HOME"); !cache.empty()) return fs::path(cache) / "tarmac" / name;
  if (const auto home = variable("HOME"); !home.empty()) return fs::path(home) / ".cache" / "tarmac" / name;
  return {};
}

std::string interpreter(const ModelSource& source) {
  if (!source.python.empty()) return source.python.string();
  if (const auto named = variable("TARMAC_PYTHON"); !named.empty()) return named;
  std::error_code ignored;
  const fs::path own = frontend_folder(source.format) / "bin" / "python";
  return fs::exists(own, ignored) ? own.string() : "python3";
}

/// The folder tarmac/ with the exporters that belong to a program: installed, in a wheel, or the checkout's.
fs::path exporters_of(const fs::path& program) {
  if (program.empty()) return {};
  std::error_code ignored;
  const fs::path folder = program.parent_path();
  std::vector<fs::path> candidates = {folder.parent_path() / TARMAC_PYTHON_FOLDER, folder.parent_path()};
  fs::path up = folder;
  for (int i = 0; i < 3; ++i) candidates.push_back((up = up.parent_path()) / "python" / "tarmac");
  for (const fs::path& candidate : candidates) {
    if (fs::is_regular_file(candidate / "export" / "__main__.py", ignored))
      return fs::canonical(candidate, ignored);
  }
  return {};
}

/// Files below a folder (those that end with `extension`, if any), or the file itself; hidden folders and
/// caches are passed over. False when there are too many.
bool gather(const fs::path& path, const std::string& extension, std::vector<fs::path>& files) {
  std::error_code failed;
  if (!fs::is_directory(path, failed)) {
    files.push_back(path);
    return files.size() <= kMostFiles;
  }
  std::size_t seen = 0;
  for (fs::recursive_directory_iterator at(path, fs::directory_options::skip_permission_denied, failed);
       !failed && at != fs::recursive_directory_iterator(); at.increment(failed)) {
    const std::string name = at->path().filename().string();
    if (++seen > 10 * kMostFiles) return false;
    std::error_code ignored;
    if (at->is_directory(ignored)) {
      if (name.starts_with('.') || name == "__pycache__") at.disable_recursion_pending();
    } else if (extension.empty() || at->path().extension() == extension) {
      files.push_back(at->path());
    }
    if (files.size() > kMostFiles) return false;
  }
  return !failed;
}

/// Named as they lie from `base`, so that they may move together.
Result<std::string> digest_of(std::vector<fs::path> files, const fs::path& base) {
  std::sort(files.begin(), files.end());
  PlanIngredients list;
  for (const fs::path& file : files) {
    TARMAC_TRY(const auto digest, sha256_file(file));
    list.emplace_back(file.lexically_proximate(base).string(), to_hex(digest));
  }
  return plan_key(list);
}

Error unavailable(const std::string& python, const std::string& what, ModelFormat format) {
  return make_error(ErrorCode::kUnavailable,
                    what + "; run ./dev frontend " + frontend_of(format) +
                        " in a checkout of Tarmac, or name another Python with TARMAC_PYTHON or model.python",
                    {}, python);
}

/// What the interpreter says of itself.
struct Probe {
  fs::path exporters;  ///< the folder tarmac/ of its own; empty: none
  std::string text;
};

Result<Probe> probe(const std::string& python, ModelFormat format, const fs::path& folder,
                    const Progress& progress) {
  std::string answer;
  ChildJob job;
  job.program = python;
  job.arguments = {"-c", kProbe};
  job.folder = folder;
  job.lines_from = 1;
  job.on_line = [&](std::string_view line) { answer.append(line).append("\n"); };
  job.output_limit_bytes = kMostProbeBytes;
  job.limit_s = kProbeLimitS;
  const auto end = run_child(job, progress);
  if (!end && end.error().code == ErrorCode::kCancelled) return end.error();
  if (!end) return unavailable(python, "this Python " + end.error().message, format);
  const auto json = end->exit_status == 0 ? parse_json(answer) : std::nullopt;
  const nlohmann::json::json_pointer minor("/version/1");
  if (!json || !json->is_object() || !json->contains(minor) || !(*json)[minor].is_number_integer())
    return unavailable(
        python, "this Python " + end->str() + " when asked for its version: " + end->last_words, format);
  if (const int found = (*json)[minor].get<int>(); (*json)["version"][0] == 3 && found < kOldestMinor)
    return unavailable(
        python, fmt::format("this is Python 3.{}, and the exporters need 3.{}", found, kOldestMinor), format);
  Probe result{{}, answer};
  if (const auto& own = (*json)["exporters"]; own.is_string())
    result.exporters = fs::path(own.get<std::string>()).parent_path().parent_path();
  return result;
}

std::string absolute_text(const fs::path& path) { return fs::absolute(path).lexically_normal().string(); }

}  // namespace

Result<ExportPython> find_export_python(const ModelSource& source, const fs::path& program,
                                        const fs::path& folder, const Progress& progress) {
  ExportPython python;
  python.program = interpreter(source);
  TARMAC_TRY(Probe found, probe(python.program, source.format, folder, progress));
  std::error_code failure;
  if (found.exporters.empty()) {
    found.exporters = exporters_of(program);
    if (found.exporters.empty())
      return unavailable(python.program, "this Python has no tarmac.export (package tarmac-deploy)",
                         source.format);
    // The package alone, without what lies beside it.
    const fs::path packages = folder / "python";
    fs::create_directory(packages, failure);
    fs::create_directory_symlink(found.exporters, packages / "tarmac", failure);
    if (failure)
      return make_error(ErrorCode::kIo, "cannot link the exporters: " + failure.message(), {},
                        packages.string());
    const std::string path = variable("PYTHONPATH");
    python.environment.emplace_back("PYTHONPATH", (path.empty() ? "" : path + ":") + packages.string());
  }
  if (!program.empty() && variable("TARMAC_PROGRAM").empty())
    python.environment.emplace_back("TARMAC_PROGRAM", program.string());
  std::vector<fs::path> files;
  gather(found.exporters / "export", ".py", files);
  TARMAC_TRY(const std::string exporters, digest_of(files, found.exporters));
  // An interpreter without the framework's packages goes on in the frontend's.
  python.fingerprint =
      plan_key({{"tarmac", version()},
                {"python", found.text},
                {"exporters", exporters},
                {"frontend", fs::read_symlink(frontend_folder(source.format), failure).string()}});
  return python;
}

std::vector<std::string> export_arguments(const ModelSource& source) {
  const std::string place = source.path.empty() ? source.module : absolute_text(source.path);
  std::vector<std::string> words = {to_string(source.format),
                                    source.factory.empty() ? place : place + ":" + source.factory, "--json"};
  const auto add = [&](const char* option, const std::string& value) {
    // One word, so that no value is taken for an option.
    if (!value.empty()) words.push_back(std::string(option) + "=" + value);
  };
  for (const SourceInput& input : source.inputs) {
    std::string text = input.name + ":";
    if (input.dtype != DType::kUndefined) text += std::string(to_string(input.dtype)) + ":";
    for (std::size_t i = 0; i < input.shape.size(); ++i) {
      const InputDim& dim = input.shape[i];
      text += (i == 0 ? "" : ",") + (dim.fixed() ? std::to_string(dim.size) : dim.symbol);
    }
    add("--input", text);
  }
  if (source.format == ModelFormat::kFrozenGraph) {
    std::vector<std::string> inputs;
    for (const SourceInput& input : source.inputs) inputs.push_back(input.name);
    add("--inputs", fmt::format("{}", fmt::join(inputs, ",")));
    add("--outputs", fmt::format("{}", fmt::join(source.outputs, ",")));
  } else {
    for (const std::string& output : source.outputs) add("--output-name", output);
  }
  if (source.data.empty()) {
    for (const auto& [axis, sizes] : source.sizes)
      add("--sizes", fmt::format("{}={},{}", axis, sizes[0], sizes[1]));
  } else {
    add("--data", absolute_text(source.data));
  }
  if (!source.weights.empty()) add("--weights", absolute_text(source.weights));
  if (source.exporter != TorchExporter::kAuto) add("--exporter", to_string(source.exporter));
  add("--signature", source.signature);
  if (source.layout == Layout::kNCHW && frontend_of(source.format) == "tensorflow") add("--layout", "nchw");
  if (source.output_layout == Layout::kNCHW) add("--output-layout", "nchw");
  if (source.opset) add("--opset", std::to_string(*source.opset));
  if (source.max_error) add("--max-error", fmt::format("{}", *source.max_error));
  if (!source.simplify) words.emplace_back("--no-simplify");
  return words;
}

Result<std::string> source_digest(const ModelSource& source, const fs::path& contract_folder) {
  std::vector<fs::path> files;
  std::error_code ignored;
  bool known = true;
  if (!source.module.empty()) {
    std::string relative = source.module;
    std::replace(relative.begin(), relative.end(), '.', '/');
    const fs::path folder = contract_folder.empty() ? fs::path(".") : contract_folder;
    const bool here =
        fs::exists(folder / (relative + ".py"), ignored) || fs::exists(folder / relative, ignored);
    known = (here && gather(folder, ".py", files)) || (!here && !source.depends.empty());
  } else if (source.path.extension() == ".py") {
    known = gather(source.path.has_parent_path() ? source.path.parent_path() : fs::path("."), ".py", files);
  } else if (source.format == ModelFormat::kPaddle) {
    for (const char* extension : {".pdmodel", ".json", ".pdiparams", ".pdiparams.info"}) {
      const fs::path file = source.path.string() + extension;
      if (fs::exists(file, ignored)) files.push_back(file);
    }
  } else {
    known = gather(source.path, "", files);
  }
  for (const fs::path& path : source.depends) known = known && gather(path, "", files);
  if (!source.weights.empty()) files.push_back(source.weights);
  if (!source.data.empty()) files.push_back(source.data);
  if (!known) return std::string();
  return digest_of(std::move(files), contract_folder);
}

}  // namespace tarmac
