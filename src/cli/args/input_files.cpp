#include "cli/args/input_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cli/suggest.h"
#include "contract/picture.h"
#include "contract/picture_list.h"
#include "tensor/io.h"

namespace tarmac::cli {
namespace {

namespace fs = std::filesystem;

/// A file and what its run is called.
struct Source {
  fs::path file;
  std::string name;
};

const TensorSpec* find(const std::vector<TensorSpec>& inputs, const std::string& name) {
  const auto found =
      std::find_if(inputs.begin(), inputs.end(), [&](const auto& input) { return input.name == name; });
  return found == inputs.end() ? nullptr : &*found;
}

std::vector<std::string> names_of(const std::vector<TensorSpec>& inputs) {
  std::vector<std::string> names;
  for (const TensorSpec& input : inputs) names.push_back(input.name);
  return names;
}

/// "NAME=FILE" cut at the '=' after an input's name; names may hold '=' themselves.
Result<std::pair<std::string, fs::path>> split(const std::string& text,
                                               const std::vector<TensorSpec>& inputs) {
  for (std::size_t at = text.find('='); at != std::string::npos; at = text.find('=', at + 1)) {
    if (find(inputs, text.substr(0, at)) != nullptr)
      return std::pair{text.substr(0, at), fs::path(text.substr(at + 1))};
  }
  std::error_code ignored;
  if (inputs.size() == 1 && (text.find('=') == std::string::npos || fs::exists(text, ignored))) {
    return std::pair{inputs.front().name, fs::path(text)};
  }
  const std::size_t equals = text.find('=');
  const auto names = names_of(inputs);
  if (equals == std::string::npos) {
    return make_error(ErrorCode::kUsage, fmt::format("expected NAME=FILE, found '{}'; the inputs are {}",
                                                     text, fmt::join(names, ", ")));
  }
  const std::string name = text.substr(0, equals);
  return make_error(ErrorCode::kNotFound,
                    fmt::format("the model has no input '{}'; its inputs are {}{}", name,
                                fmt::join(names, ", "), did_you_mean(name, names)));
}

Result<std::vector<Source>> expand(const fs::path& path) {
  std::error_code problem;
  if (!fs::exists(path, problem)) {
    return make_error(ErrorCode::kNotFound, "there is no file or folder of this name; check the path", {},
                      path.string());
  }
  if (!fs::is_directory(path, problem)) return std::vector<Source>{{path, path.stem().string()}};
  DataSource folder;
  folder.path = path;
  TARMAC_TRY(const PictureList list, list_folder(folder, {}));
  std::vector<Source> sources;
  for (const DataItem& item : list.items) {
    sources.push_back({item.path, item.path.lexically_relative(path).replace_extension().string()});
  }
  return sources;
}

/// Pictures that differ in their extension only get distinct names.
void make_names_distinct(std::vector<RunInputs>& runs) {
  std::set<std::string> taken;
  for (RunInputs& run : runs) {
    const std::string base = run.name;
    for (int suffix = 2; !taken.insert(run.name).second; ++suffix)
      run.name = fmt::format("{}_{}", base, suffix);
  }
}

}  // namespace

Result<std::vector<RunInputs>> plan_runs(const std::vector<std::string>& texts,
                                         const std::vector<TensorSpec>& inputs) {
  std::map<std::string, std::vector<Source>> sources;
  TARMAC_TRY(const auto named, split_inputs(texts, inputs));
  for (const auto& [name, path] : named) {
    TARMAC_TRY(const auto files, expand(path));
    auto& list = sources[name];
    list.insert(list.end(), files.begin(), files.end());
  }
  std::size_t count = inputs.empty() ? 1 : 0;
  std::string longest;
  for (const TensorSpec& input : inputs) {
    const auto found = sources.find(input.name);
    if (found == sources.end()) {
      return make_error(ErrorCode::kUsage, fmt::format("input '{}' ({}) has no value; add --input {}=FILE",
                                                       input.name, input.type, input.name));
    }
    if (found->second.size() > count) {
      count = found->second.size();
      longest = input.name;
    }
  }
  std::vector<RunInputs> runs(count);
  for (const auto& [name, list] : sources) {
    if (list.size() != 1 && list.size() != count) {
      return make_error(
          ErrorCode::kUsage,
          fmt::format("input '{}' has {} files but '{}' has {}; give one for all runs, or as many", name,
                      list.size(), longest, count));
    }
    for (std::size_t i = 0; i < count; ++i) {
      const Source& source = list.size() == 1 ? list.front() : list[i];
      runs[i].files[name] = source.file;
      if (name == longest) runs[i].name = source.name;
    }
  }
  make_names_distinct(runs);
  return runs;
}

Result<std::vector<std::pair<std::string, fs::path>>> split_inputs(const std::vector<std::string>& texts,
                                                                   const std::vector<TensorSpec>& inputs) {
  std::vector<std::pair<std::string, fs::path>> named;
  for (const std::string& text : texts) {
    TARMAC_TRY(auto one, split(text, inputs));
    named.push_back(std::move(one));
  }
  return named;
}

Result<Tensor> read_input(const TensorSpec& input, const fs::path& file, const Preprocessors& preprocessors) {
  const auto preprocessor = preprocessors.find(input.name);
  if (preprocessor != preprocessors.end() && preprocessor->second.reads(file))
    return preprocessor->second.run(file);
  if (has_picture_extension(file)) {
    return make_error(
        ErrorCode::kUsage,
        fmt::format(
            "nothing says how a picture becomes input '{}' ({}); give --contract deploy.yaml with its "
            "preprocessing, or a tensor (.npy, .npz, .pb)",
            input.name, input.type),
        {}, file.string());
  }
  if (file.extension() == ".npz") {
    TARMAC_TRY(const auto arrays, read_npz(file));
    if (const auto array = arrays.find(input.name); array != arrays.end()) return array->second;
  }
  return read_tensor(file);
}

}  // namespace tarmac::cli
