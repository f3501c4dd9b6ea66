// What is right for a sample, beyond one label: a label map, or boxes in the picture or in space.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "contract/picture_list.h"
#include "metrics/detection.h"
#include "metrics/detection_3d.h"
#include "tarmac/contract.h"
#include "tarmac/tensor.h"

namespace tarmac {

/// Empty where a data source has none of them.
struct Truth {
  Tensor label_map;  ///< [H, W] of an integer type; classes, and kIgnoredLabel.
  /// Whether the map lies over the model's whole input and so may be sampled at an output's size; otherwise
  /// it has the output's size.
  bool of_input = false;
  bool has_boxes = false;
  std::vector<LabelledBox> boxes;  ///< In pixels of the model's input.
  bool has_boxes_3d = false;
  std::vector<LabelledBox3d> boxes_3d;
};

/// Finds the truth of pictures. Const functions may run on several threads at once.
class TruthSource {
 public:
  /// For DataSource::labels kMasks and kBoxes. Reads the COCO file, not the masks. Errors: kNotFound, kIo,
  /// kInvalidInput (context: the file; a picture of `items` without an entry, a category that is no label).
  static Result<std::shared_ptr<const TruthSource>> open(const Contract& contract, const DataSource& source,
                                                         const std::vector<DataItem>& items);
  virtual ~TruthSource() = default;

  /// Taken through the geometry of the picture's preprocessing. Errors: kNotFound, kIo, kInvalidInput
  /// (context: the file).
  [[nodiscard]] virtual Result<Truth> load(const DataItem& item) const = 0;
};

/// The boxes of a COCO file by picture, in the picture's pixels: `images` (id, file_name), `annotations`
/// (image_id, category_id, bbox [x, y, width, height], iscrowd) and `categories` (id, name), other members
/// being passed over; a category's label is the index of its name in `labels`. At most 512 MiB. Errors:
/// kInvalidInput (context: the file), saying what is wrong where; kNotFound, kIo.
Result<std::map<std::string, std::vector<LabelledBox>>> read_coco(const std::filesystem::path& file,
                                                                  const std::vector<std::string>& labels);

}  // namespace tarmac
