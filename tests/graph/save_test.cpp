// A file on disk is the old model or the new one, whole, whatever happens while saving.
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>

#include "base/file.h"
#include "support/graph_checks.h"
#include "support/temporary_folder.h"

namespace tarmac::test {
namespace {

/// A model with one weight of `count` floats, all equal to `value`.
Model with_weight(std::int64_t count, float value) {
  Model result =
      model(R"(<ir_version: 8, opset_import: ["": 17]> g (float[N] x) => (float[N] y) { y = Neg(x) })");
  result.graph->add_initializer(
      "w", Tensor::from<float>({count}, std::vector<float>(static_cast<std::size_t>(count), value)));
  return result;
}

std::vector<std::string> data_files(const TemporaryFolder& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    if (entry.path().extension() == ".data") names.push_back(entry.path().filename().string());
  }
  return names;
}

const SaveOptions kExternal{.external_above_bytes = 100, .min_external_tensor_bytes = 100};

/// Runs `work` in a child whose files may not grow beyond `limit_bytes`, as on a full disk. Its exit status.
template <typename Work>
int with_full_disk(std::uint64_t limit_bytes, const Work& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{limit_bytes, limit_bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::_exit(work());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Save, IntoAMissingFolderIsAnError) {
  const TemporaryFolder folder;
  expect_error(save_model(with_weight(4, 1), folder / "missing/m.onnx"), ErrorCode::kNotFound, "missing");
  expect_error(save_model(with_weight(400, 1), folder / "missing/m.onnx", kExternal), ErrorCode::kNotFound,
               "missing");
  EXPECT_EQ(folder.entries(), 0U);
}

TEST(Save, OnAFullDiskLeavesTheOldModelAndNothingElse) {
  for (const bool external : {false, true}) {
    SCOPED_TRACE(external);
    const TemporaryFolder folder;
    const auto path = folder / "m.onnx";
    const SaveOptions options = external ? kExternal : SaveOptions{};
    const Model old = with_weight(1000, 1);
    expect_ok(save_model(old, path, options));
    const std::size_t entries = folder.entries();
    const Model bigger = with_weight(100000, 2);
    // 0: saved, 1: refused with the right code, 2: another error
    const int outcome = with_full_disk(50000, [&] {
      const Status status = save_model(bigger, path, options);
      return status.ok() ? 0 : status.error().code == ErrorCode::kIo ? 1 : 2;
    });
    EXPECT_EQ(outcome, 1);
    EXPECT_EQ(folder.entries(), entries);
    expect_same_model(expect_ok(load_model(path)), old, true);
  }
}

TEST(Save, WithExternalDataMakesAPairThatLoads) {
  const TemporaryFolder folder;
  const Model saved = with_weight(1000, 1);
  expect_ok(save_model(saved, folder / "m.onnx", kExternal));
  EXPECT_THAT(data_files(folder),
              testing::ElementsAre(testing::MatchesRegex("m\\.onnx\\.[0-9a-f]{12}\\.data")));
  EXPECT_LT(std::filesystem::file_size(folder / "m.onnx"), 1000U);
  const Model loaded = expect_ok(load_model(folder / "m.onnx"));
  expect_same_model(loaded, saved, true);
  EXPECT_EQ(expect_ok(model_digest(loaded)), expect_ok(model_digest(saved)));
}

TEST(Save, OfANewPairLeavesTheOldWeightsUntilTheNewModelIsThere) {
  const TemporaryFolder folder;
  const auto path = folder / "m.onnx";
  const Model old = with_weight(1000, 1);
  expect_ok(save_model(old, path, kExternal));
  const std::string old_bytes = expect_ok(read_file(path));
  expect_ok(save_model(with_weight(1000, 2), path, kExternal));
  ASSERT_EQ(data_files(folder).size(), 2U) << "other weights must not take the old ones' name";
  // As if the process had died between the two renames: new weights, old model.
  (void)folder.write("m.onnx", old_bytes);
  expect_same_model(expect_ok(load_model(path)), old, true);
}

TEST(Save, GivesTheSameBytesInAnotherLayoutAnotherFile) {
  // Two tensors and one tensor of the same bytes must not share a name: their offsets differ.
  const TemporaryFolder folder;
  const auto path = folder / "m.onnx";
  Model two = with_weight(1000, 1);
  two.graph->add_initializer("v", Tensor::from<float>({1000}, std::vector<float>(1000, 1)));
  expect_ok(save_model(two, path, kExternal));
  expect_ok(save_model(with_weight(2000, 1), path, kExternal));
  EXPECT_EQ(data_files(folder).size(), 2U);
}

TEST(Save, OverTheFileItWasLoadedFromIsSafe) {
  const TemporaryFolder folder;
  const auto path = folder / "m.onnx";
  for (const SaveOptions& options : {SaveOptions{}, kExternal}) {
    expect_ok(save_model(with_weight(5000, 1), path, options));
    const Model loaded = expect_ok(load_model(path));
    loaded.graph->nodes().front()->name = "renamed";
    expect_ok(save_model(loaded, path, options));
    const Model again = expect_ok(load_model(path));
    expect_same_model(again, loaded, true);
    EXPECT_EQ(again.graph->find("w")->initializer()->bytes().size(), 20000U);
  }
}

TEST(Save, WeightsInTheFileAreRawWhateverFieldTheyCameIn) {
  Model source = with_weight(3, 0.5F);
  source.graph->add_initializer("i", Tensor::from<std::int64_t>({2000}, std::vector<std::int64_t>(2000, -7)));
  source.graph->add_initializer("s", expect_ok(Tensor::of_strings({2}, {"a", std::string("b\0c", 3)})));
  source.graph->add_initializer("empty", Tensor::from<float>({0, 5}, std::vector<float>{}));
  source.graph->add_initializer("scalar", Tensor::from<float>({}, {1.5F}));
  const std::string bytes = expect_ok(serialize_model(source));
  const Model loaded = expect_ok(parse_model(std::as_bytes(std::span(bytes)), nullptr));
  for (const char* name : {"w", "i", "s", "empty", "scalar"}) {
    EXPECT_TRUE(identical(*loaded.graph->find(name)->initializer(), *source.graph->find(name)->initializer()))
        << name;
  }
}

}  // namespace
}  // namespace tarmac::test
