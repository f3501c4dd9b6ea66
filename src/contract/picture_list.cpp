#include "contract/picture_list.h"

#include <algorithm>
#include <system_error>

#include "base/file.h"
#include "contract/field.h"
#include "contract/picture.h"
#include "contract/raw_frame.h"

namespace tarmac {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxFolderDepth = 16;
constexpr std::size_t kMaxFiles = 10'000'000;

/// Index of `word` in `labels`, or an error that lists them.
Result<int> find_label(const std::string& word, const std::vector<std::string>& labels,
                       const std::string& context) {
  const auto found = std::find(labels.begin(), labels.end(), word);
  if (found != labels.end()) return static_cast<int>(found - labels.begin());
  const std::vector<std::string_view> words(labels.begin(), labels.end());
  const std::string_view near = closest_word(word, words);
  return make_error(ErrorCode::kInvalidInput,
                    "found " + quote(word) + ", which is no label of the contract; " +
                        (near.empty() ? "" : "did you mean '" + std::string(near) + "'? ") +
                        "allowed: " + join(words),
                    {}, context);
}

Result<int> label_from_folder(const fs::path& root, const fs::path& file,
                              const std::vector<std::string>& labels) {
  const fs::path relative = file.lexically_relative(root);
  if (!relative.has_parent_path()) {
    return make_error(ErrorCode::kInvalidInput,
                      "found a file beside the folders that name the labels; move it into one of them", {},
                      file.string());
  }
  const std::string folder = relative.begin()->string();
  return find_label(folder, labels, (root / folder).string());
}

Error cannot_list(const fs::path& folder, const std::error_code& failed) {
  const bool missing = failed == std::errc::no_such_file_or_directory || failed == std::errc::not_a_directory;
  return make_error(missing ? ErrorCode::kNotFound : ErrorCode::kIo,
                    "cannot list the folder: " + failed.message(), {}, folder.string());
}

struct FileKind {
  const char* name;
  const char* extensions;
  bool (*accepts)(const fs::path& file);
};

const FileKind& kind_of(FolderFiles files) {
  static constexpr FileKind kKinds[] = {
      {"pictures", ".jpg, .jpeg, .png, .bmp, .webp, .ppm or .pgm", has_picture_extension},
      {"frames", ".nv12, .yuyv, .yuv or .raw", has_frame_extension},
      {"tensors", ".npy", [](const fs::path& file) { return file.extension() == ".npy"; }},
      {"tensors", ".npz, because the model has several inputs",
       [](const fs::path& file) { return file.extension() == ".npz"; }}};
  return kKinds[static_cast<std::size_t>(files)];
}

}  // namespace

std::string to_string(const DataItem& item) {
  return item.path.string() + (item.row < 0 ? "" : " row " + std::to_string(item.row));
}

Result<PictureList> list_folder(const DataSource& source, const std::vector<std::string>& labels,
                                FolderFiles wanted) {
  const FileKind& kind = kind_of(wanted);
  PictureList list;
  std::error_code failed;
  fs::recursive_directory_iterator entries(source.path, fs::directory_options::follow_directory_symlink,
                                           failed);
  std::size_t files = 0;
  for (; !failed && entries != fs::recursive_directory_iterator(); entries.increment(failed)) {
    if (entries.depth() >= kMaxFolderDepth) {
      return make_error(ErrorCode::kInvalidInput,
                        "found folders nested deeper than " + std::to_string(kMaxFolderDepth) +
                            "; is there a link to a folder around it?",
                        {}, entries->path().string());
    }
    std::error_code unreadable;
    if (entries->is_directory(unreadable)) continue;
    if (++files > kMaxFiles) {
      return make_error(ErrorCode::kResourceExhausted, "found more than ten million files", {},
                        source.path.string());
    }
    if (kind.accepts(entries->path())) {
      list.items.push_back(DataItem{entries->path(), -1, -1, 0});
    } else {
      ++list.ignored_files;
    }
  }
  if (failed) return cannot_list(source.path, failed);
  if (list.items.empty()) {
    return make_error(ErrorCode::kNotFound,
                      std::string("found no ") + kind.name + " (and " + std::to_string(list.ignored_files) +
                          " other files); expected " + kind.extensions,
                      {}, source.path.string());
  }
  // Folders are listed in no order; the order of samples must be the same on every machine.
  std::sort(list.items.begin(), list.items.end(),
            [](const DataItem& a, const DataItem& b) { return a.path.native() < b.path.native(); });
  if (source.labels == LabelSource::kFromFolder) {
    for (DataItem& item : list.items) {
      TARMAC_TRY(item.label, label_from_folder(source.path, item.path, labels));
    }
  }
  return list;
}

Result<PictureList> read_list(const DataSource& source, const std::vector<std::string>& labels, bool scenes) {
  TARMAC_TRY(const std::string text, read_file(source.path));
  const fs::path root = source.root.empty() ? source.path.parent_path() : source.root;
  PictureList list;
  std::size_t line_number = 0;
  int scene = -1;
  std::string scene_name;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    ++line_number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    const std::string context = source.path.string() + ":" + std::to_string(line_number);
    const std::size_t last_tab = line.rfind('\t');
    if (scenes && last_tab == std::string::npos)
      return make_error(ErrorCode::kInvalidInput, "found no scene; expected a tab and a scene at the end", {},
                        context);
    if (scenes) {
      const std::string name = line.substr(last_tab + 1);
      scene += list.items.empty() || name != scene_name ? 1 : 0;
      scene_name = name;
      line.resize(last_tab);
    }
    const std::size_t tab = line.find('\t');
    DataItem item{root / line.substr(0, tab), -1, -1, std::max(scene, 0)};
    if (source.labels == LabelSource::kFromFile) {
      if (tab == std::string::npos) {
        return make_error(ErrorCode::kInvalidInput, "found no label; expected a path, a tab and a label", {},
                          context);
      }
      TARMAC_TRY(item.label, find_label(line.substr(tab + 1), labels, context));
    }
    std::error_code failed;
    if (!fs::is_regular_file(item.path, failed)) {
      return make_error(ErrorCode::kNotFound,
                        "there is no file " + quote(item.path.string()) + "; correct the list", {}, context);
    }
    list.items.push_back(std::move(item));
  }
  if (list.items.empty()) {
    return make_error(ErrorCode::kNotFound, "found no pictures in the list; expected one path a line", {},
                      source.path.string());
  }
  return list;
}

}  // namespace tarmac
