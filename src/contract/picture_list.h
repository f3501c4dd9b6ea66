// Which files a data source holds, and their labels.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tarmac/contract.h"
#include "tarmac/result.h"

namespace tarmac {

/// One sample of a data source.
struct DataItem {
  std::filesystem::path path;  ///< The picture, or the file of tensors.
  std::int64_t row = -1;       ///< Row of the tensors or frame of the video; -1 where the file is one sample.
  int label = -1;              ///< Index into Contract::labels; -1 without labels.
  int scene = 0;               ///< Neighbours of one number follow each other in time.

  bool operator==(const DataItem&) const = default;
};

/// The path, with the row of tensors.
std::string to_string(const DataItem& item);

/// What the files of a folder are, by their names.
enum class FolderFiles : std::uint8_t {
  kPictures,
  kFrames,  ///< a camera's, raw_frame.h
  kNpy,     ///< one array a file
  kNpz,     ///< one array for each input a file
};

struct PictureList {
  std::vector<DataItem> items;
  std::size_t ignored_files = 0;  ///< Other files in the folder.
};

/// Every file of this kind below source.path, sorted by path; links are followed. Labels are matched to
/// `labels`. Errors: kNotFound (no folder, no such files), kInvalidInput (a folder that is no label, files
/// beside the label folders, nesting above 16), kIo, kResourceExhausted above ten million files.
Result<PictureList> list_folder(const DataSource& source, const std::vector<std::string>& labels,
                                FolderFiles files = FolderFiles::kPictures);

/// The lines of the list source.path, in their order; with `scenes`, the last column numbers them. Errors as
/// list_folder(), with the list's line as context.
Result<PictureList> read_list(const DataSource& source, const std::vector<std::string>& labels,
                              bool scenes = false);

}  // namespace tarmac
