// Frames in order: where scenes begin, and that neither subsets nor shards tear one apart.
#include "contract/scenes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contract/dataset.h"
#include "contract/scratch.h"
#include "tarmac/contract.h"
#include "tensor/io.h"

namespace tarmac {
namespace {

/// Frames of scenes with these lengths.
std::vector<DataItem> frames(const std::vector<int>& lengths) {
  std::vector<DataItem> items;
  for (std::size_t scene = 0; scene < lengths.size(); ++scene) {
    for (int i = 0; i < lengths[scene]; ++i)
      items.push_back(DataItem{std::to_string(items.size()), -1, -1, static_cast<int>(scene)});
  }
  return items;
}

std::vector<int> scenes_of(const std::vector<DataItem>& items) {
  std::vector<int> scenes;
  for (const DataItem& item : items) scenes.push_back(item.scene);
  return scenes;
}

TEST(Scenes, AreFoldersOfPictures) {
  std::vector<DataItem> items;
  for (const char* name : {"a/1.png", "a/2.png", "b/1.png", "b/c/1.png", "b/c/2.png"})
    items.push_back(DataItem{name, -1, -1, 0});
  scenes_from_folders(items);
  EXPECT_THAT(scenes_of(items), testing::ElementsAre(0, 0, 1, 2, 2));
}

TEST(Scenes, AreTakenWholeIntoASubsetBySeedAndKeepTheirOrder) {
  const auto items = frames({4, 2, 7, 3});
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    for (std::size_t count = 1; count <= items.size(); ++count) {
      const auto subset = choose_scenes(items, count, seed);
      ASSERT_EQ(subset.size(), count);
      EXPECT_EQ(subset, choose_scenes(items, count, seed));
      int cut = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const bool begins = i == 0 || subset[i].scene != subset[i - 1].scene;
        const int at = std::stoi(subset[i].path.string());
        if (begins) {
          EXPECT_TRUE(at == 0 || items[static_cast<std::size_t>(at) - 1].scene != subset[i].scene) << at;
        } else {
          EXPECT_EQ(at, std::stoi(subset[i - 1].path.string()) + 1);
        }
        const bool ends = i + 1 == count || subset[i + 1].scene != subset[i].scene;
        const auto next = static_cast<std::size_t>(at) + 1;
        cut += ends && next < items.size() && items[next].scene == subset[i].scene ? 1 : 0;
      }
      EXPECT_LE(cut, 1);
    }
  }
  EXPECT_NE(choose_scenes(items, 6, 0), choose_scenes(items, 6, 3));
}

TEST(Scenes, AreNotTornApartByShards) {
  const auto items = frames({4, 1, 7, 3});
  for (std::size_t count = 1; count <= 6; ++count) {
    EXPECT_EQ(shard_begin(items, 0, count, true), 0U);
    EXPECT_EQ(shard_begin(items, count, count, true), items.size());
    for (std::size_t shard = 1; shard < count; ++shard) {
      const std::size_t begin = shard_begin(items, shard, count, true);
      EXPECT_GE(begin, shard_begin(items, shard - 1, count, true));
      if (begin < items.size()) {
        EXPECT_NE(items[begin].scene, items[begin - 1].scene);
      }
    }
  }
  EXPECT_EQ(shard_begin(items, 1, 2, false), 7U);
}

Contract tensors_contract(SceneSource scenes) {
  Contract contract;
  InputSpec input;
  input.name = "x";
  input.shape = {{1, ""}, {2, ""}};
  contract.inputs = {input};
  contract.sequence = SequenceSpec{scenes, {}};
  return contract;
}

TEST(Scenes, ComeFromTheArrayOfAnNpz) {
  const Scratch scratch;
  DataSource source;
  source.kind = DataKind::kTensors;
  source.path = scratch / "x.npz";
  const Tensor x = Tensor::from<float>({4, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
  ASSERT_TRUE(
      write_npz(source.path, {{"x", x}, {"scenes", Tensor::from<std::int64_t>({4}, {7, 7, 3, 7})}}).ok());
  const auto data = Dataset::open(tensors_contract(SceneSource::kArray), source);
  ASSERT_TRUE(data.ok()) << data.error().str();
  EXPECT_THAT(scenes_of(data->items()), testing::ElementsAre(0, 0, 1, 2));
  ASSERT_TRUE(write_npz(source.path, {{"x", x}}).ok());
  EXPECT_EQ(Dataset::open(tensors_contract(SceneSource::kArray), source).error().message,
            "found no array 'scenes'; add it, or remove 'scenes: array'");
  ASSERT_TRUE(
      write_npz(source.path, {{"x", x}, {"scenes", Tensor::from<std::int64_t>({3}, {7, 7, 3})}}).ok());
  EXPECT_EQ(Dataset::open(tensors_contract(SceneSource::kArray), source).error().message,
            "found 3 scenes for 4 samples");
}

TEST(Scenes, ComeFromTheLastColumnOfAList) {
  const Scratch scratch;
  for (const char* name : {"1.png", "2.png", "3.png"}) scratch.write(name, "no pixels are read here");
  DataSource source;
  source.kind = DataKind::kList;
  source.labels = LabelSource::kFromFile;
  source.path = scratch.write("list.txt", "1.png\tred\tmorning\n2.png\tgreen\tmorning\n3.png\tred\tnight\n");
  const auto list = read_list(source, {"red", "green"}, true);
  ASSERT_TRUE(list.ok()) << list.error().str();
  EXPECT_THAT(scenes_of(list->items), testing::ElementsAre(0, 0, 1));
  EXPECT_EQ(list->items[1].label, 1);
  source.labels = LabelSource::kNone;
  source.path = scratch.write("list.txt", "1.png\tmorning\n2.png\n");
  EXPECT_EQ(read_list(source, {}, true).error().message,
            "found no scene; expected a tab and a scene at the end");
}

Result<Contract> with_section(const std::string& text) {
  ContractOptions options;
  options.files_must_exist = false;
  return parse_contract(std::string(kGoodContract) + text, "deploy.yaml", options);
}

TEST(Sequence, IsReadFromTheContract) {
  const auto contract = with_section(
      "sequence:\n  scenes: one\n  state:\n    - {output: bev, input: prev_bev}\n"
      "    - {output: h_out, input: h, first: h.npy}\n");
  ASSERT_TRUE(contract.ok()) << contract.error().str();
  ASSERT_TRUE(contract->sequence.has_value());
  ASSERT_EQ(contract->sequence->state.size(), 2U);
  EXPECT_EQ(contract->sequence->state[0].output, "bev");
  EXPECT_EQ(contract->sequence->state[0].input, "prev_bev");
  EXPECT_TRUE(contract->sequence->state[0].first.empty());
  EXPECT_EQ(contract->sequence->state[1].first, "h.npy");
  EXPECT_FALSE(with_section("")->sequence.has_value());
}

TEST(Sequence, IsRefusedWithTheLineWhereItMakesNoSense) {
  const auto refused = [](const std::string& section, const std::string& text) {
    const auto contract = with_section(section);
    ASSERT_FALSE(contract.ok()) << section;
    EXPECT_THAT(contract.error().str(), testing::HasSubstr(text));
  };
  refused("sequence: {scenes: folder}\n", "did you mean 'folders'?");
  refused("sequence: {scenes: array}\n", "array an .npz; a video is a scene of its own");
  refused("sequence: {state: [{output: a}]}\n", "the key 'input' is missing");
  refused("sequence: {state: [{output: a, input: image}]}\n",
          "stands among the inputs that data is read for");
  refused("sequence: {state: [{output: a, input: b}, {output: a, input: c}]}\n", "name each once");
  refused("sequence: {state: [{output: a, input: b, first: h.npz}]}\n", "expected zeros, or an .npy file");
  std::string fixed(kGoodContract);
  fixed.replace(fixed.find("[batch, 3"), 6, "[8");
  ContractOptions options;
  options.files_must_exist = false;
  const auto batch = parse_contract(fixed + "sequence: {scenes: one}\n", "deploy.yaml", options);
  ASSERT_FALSE(batch.ok());
  EXPECT_THAT(batch.error().str(), testing::HasSubstr("has the batch size 8"));
}

}  // namespace
}  // namespace tarmac
