// What a benchmark feeds a model: values from files, or made-up ones.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/bench/bench_args.h"
#include "plan/preprocessing.h"
#include "tarmac/session.h"

namespace tarmac::cli {

/// Not changed once made: several threads may take frames from it at once.
class FrameSource {
 public:
  /// --input, else the pictures of --contract, else made-up values. `batch` 0: the model's own. Errors:
  /// kUsage and kNotFound (options that do not fit the model, each named), those of reading files.
  static Result<std::shared_ptr<const FrameSource>> make(const BenchArgs& args, const std::string& model,
                                                         const Session& session, std::int64_t batch);

  /// How many differ before they come again.
  [[nodiscard]] std::size_t frames() const { return frames_; }
  /// Whether pictures are decoded and preprocessed for each run.
  [[nodiscard]] bool preprocesses() const { return !pictures_.empty(); }
  /// In words: "made-up values", "12 pictures from frames/".
  [[nodiscard]] const std::string& origin() const { return origin_; }
  /// Samples a run, where that is known; else 0.
  [[nodiscard]] std::int64_t samples() const { return samples_; }

  /// Pictures of frame `index` through their preprocessing, into `inputs`.
  Status preprocess(std::size_t index, NamedTensors& inputs) const;
  /// The inputs of frame `index` that are ready, into `inputs`.
  void take_ready(std::size_t index, NamedTensors& inputs) const;

 private:
  using Bytes = std::vector<std::byte>;
  struct Pictures {
    std::vector<Bytes> files;  ///< at least one
    std::vector<std::filesystem::path> paths;
    std::int64_t batch = 1;
  };

  FrameSource() = default;
  Status take_files(const std::map<std::string, std::vector<std::filesystem::path>>& files,
                    const Session& session, std::int64_t batch);
  Status take_dataset(const Contract& contract, const Session& session, std::int64_t batch);
  Status make_up_rest(const BenchArgs& args, const std::string& model, const Session& session,
                      std::int64_t batch);

  Preprocessors preprocessors_;
  std::map<std::string, Pictures> pictures_;
  std::map<std::string, std::vector<Tensor>> ready_;  ///< one, or one a frame
  std::size_t frames_ = 1;
  std::int64_t samples_ = 0;
  std::string origin_ = "made-up values";
};

}  // namespace tarmac::cli
