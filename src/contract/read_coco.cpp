#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "contract/field.h"
#include "contract/truth.h"

namespace tarmac {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kMostBytes = std::uint64_t{512} << 20U;

Error wrong(const std::string& what) { return make_error(ErrorCode::kInvalidInput, what); }

Result<const Json*> member(const Json& object, const char* name, const std::string& where) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (!object.is_object() || found == object.end())
    return wrong(where + ": the member '" + name + "' is missing");
  return &*found;
}

Result<std::int64_t> integer(const Json& object, const char* name, const std::string& where) {
  TARMAC_TRY(const Json* found, member(object, name, where));
  const bool fits =
      found->is_number_integer() && !(found->is_number_unsigned() && found->get<std::uint64_t>() >> 63U != 0);
  if (!fits) return wrong(where + "." + name + ": expected a whole number");
  return found->get<std::int64_t>();
}

Result<std::string> text(const Json& object, const char* name, const std::string& where) {
  TARMAC_TRY(const Json* found, member(object, name, where));
  if (!found->is_string()) return wrong(where + "." + name + ": expected text");
  return found->get<std::string>();
}

/// The elements of a list at the top.
Result<const Json*> list(const Json& root, const char* name) {
  TARMAC_TRY(const Json* found, member(root, name, "the file"));
  if (!found->is_array()) return wrong(std::string(name) + ": expected a list");
  return found;
}

std::string element(const char* name, std::size_t index) {
  return std::string(name) + "[" + std::to_string(index) + "]";
}

/// Labels by category id; a category whose name is no label is absent.
Result<std::map<std::int64_t, std::int64_t>> read_categories(const Json& root,
                                                             const std::vector<std::string>& labels,
                                                             std::map<std::int64_t, std::string>& unknown) {
  TARMAC_TRY(const Json* categories, list(root, "categories"));
  std::map<std::int64_t, std::int64_t> label_of;
  for (std::size_t i = 0; i < categories->size(); ++i) {
    const std::string where = element("categories", i);
    TARMAC_TRY(const std::int64_t id, integer((*categories)[i], "id", where));
    TARMAC_TRY(const std::string name, text((*categories)[i], "name", where));
    const auto found = std::find(labels.begin(), labels.end(), name);
    if (found == labels.end()) {
      unknown[id] = name;
    } else if (!label_of.emplace(id, found - labels.begin()).second) {
      return wrong(where + ".id: found " + std::to_string(id) + " again; ids are unique");
    }
  }
  return label_of;
}

Result<std::map<std::int64_t, std::string>> read_images(const Json& root) {
  TARMAC_TRY(const Json* images, list(root, "images"));
  std::map<std::int64_t, std::string> name_of;
  std::set<std::string> names;
  for (std::size_t i = 0; i < images->size(); ++i) {
    const std::string where = element("images", i);
    TARMAC_TRY(const std::int64_t id, integer((*images)[i], "id", where));
    TARMAC_TRY(std::string name, text((*images)[i], "file_name", where));
    if (!names.insert(name).second) return wrong(where + ".file_name: found " + quote(name) + " again");
    if (!name_of.emplace(id, std::move(name)).second)
      return wrong(where + ".id: found " + std::to_string(id) + " again; ids are unique");
  }
  return name_of;
}

Result<Box> read_box(const Json& annotation, const std::string& where) {
  TARMAC_TRY(const Json* found, member(annotation, "bbox", where));
  const auto wrong_box = [&] {
    return wrong(where + ".bbox: expected [x, y, width, height], finite, no size below 0");
  };
  if (!found->is_array() || found->size() != 4) return wrong_box();
  double numbers[4] = {};
  for (std::size_t i = 0; i < 4; ++i) {
    if (!(*found)[i].is_number()) return wrong_box();
    numbers[i] = (*found)[i].get<double>();
    if (!std::isfinite(numbers[i]) || (i >= 2 && numbers[i] < 0)) return wrong_box();
  }
  return Box{numbers[0], numbers[1], numbers[0] + numbers[2], numbers[1] + numbers[3]};
}

Result<Json> parse(const std::filesystem::path& file) {
  TARMAC_TRY(const std::string content, read_file(file, kMostBytes));
  // Outlines make most of such a file, and are not needed.
  const auto keep = [](int /*depth*/, Json::parse_event_t event, const Json& parsed) {
    return event != Json::parse_event_t::key || parsed != "segmentation";
  };
  Json root = Json::parse(content, keep, false);
  if (root.is_discarded() || !root.is_object()) return wrong("found no JSON object; expected a COCO file");
  return root;
}

Result<std::map<std::string, std::vector<LabelledBox>>> read(const std::filesystem::path& file,
                                                             const std::vector<std::string>& labels) {
  TARMAC_TRY(const Json root, parse(file));
  std::map<std::int64_t, std::string> unknown;
  TARMAC_TRY(const auto label_of, read_categories(root, labels, unknown));
  TARMAC_TRY(const auto name_of, read_images(root));
  std::map<std::string, std::vector<LabelledBox>> boxes;
  for (const auto& [id, name] : name_of) boxes[name];
  TARMAC_TRY(const Json* annotations, list(root, "annotations"));
  for (std::size_t i = 0; i < annotations->size(); ++i) {
    const Json& annotation = (*annotations)[i];
    const std::string where = element("annotations", i);
    TARMAC_TRY(const std::int64_t image, integer(annotation, "image_id", where));
    TARMAC_TRY(const std::int64_t category, integer(annotation, "category_id", where));
    const auto name = name_of.find(image);
    if (name == name_of.end())
      return wrong(where + ".image_id: there is no image " + std::to_string(image) + " in 'images'");
    const auto label = label_of.find(category);
    if (label == label_of.end()) {
      const auto found = unknown.find(category);
      return wrong(where + ".category_id: " +
                   (found == unknown.end()
                        ? "there is no category " + std::to_string(category) + " in 'categories'"
                        : "its category " + quote(found->second) + " is no label of the contract"));
    }
    LabelledBox one;
    one.label = label->second;
    TARMAC_TRY(one.box, read_box(annotation, where));
    if (annotation.contains("iscrowd")) {
      TARMAC_TRY(const std::int64_t crowd, integer(annotation, "iscrowd", where));
      one.crowd = crowd != 0;
    }
    boxes[name->second].push_back(one);
  }
  return boxes;
}

}  // namespace

Result<std::map<std::string, std::vector<LabelledBox>>> read_coco(const std::filesystem::path& file,
                                                                  const std::vector<std::string>& labels) {
  auto boxes = read(file, labels);
  if (!boxes) boxes.error().context = file.string();
  return boxes;
}

}  // namespace tarmac
