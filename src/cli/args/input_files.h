// --input NAME=FILE|DIR: which files become which inputs, run by run.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "plan/preprocessing.h"
#include "tarmac/model.h"
#include "tarmac/tensor.h"

namespace tarmac::cli {

/// The files of one run, by input name.
struct RunInputs {
  std::string name;  ///< of the file that tells this run from the others, without extension; may hold '/'
  std::map<std::string, std::filesystem::path> files;
};

/// Reads "NAME=FILE|DIR" texts ("FILE" alone for a model with one input). A folder stands for every picture
/// in it, a name given several times for a run each; an input with one file has it in every run. Errors:
/// kUsage (missing inputs, numbers of files that differ), kNotFound (no such input or file; suggests),
/// kInvalidInput.
Result<std::vector<RunInputs>> plan_runs(const std::vector<std::string>& texts,
                                         const std::vector<TensorSpec>& inputs);

/// The texts taken apart: input names, and the files and folders as given. Errors: kUsage, kNotFound
/// (suggests).
Result<std::vector<std::pair<std::string, std::filesystem::path>>> split_inputs(
    const std::vector<std::string>& texts, const std::vector<TensorSpec>& inputs);

/// One file as a tensor: pictures by their preprocessor, .npy, .npz and .pb as they are. Errors: kUsage (a
/// picture without preprocessing), kInvalidInput, kNotFound.
Result<Tensor> read_input(const TensorSpec& input, const std::filesystem::path& file,
                          const Preprocessors& preprocessors);

}  // namespace tarmac::cli
