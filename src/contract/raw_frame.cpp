#include "contract/raw_frame.h"

#include "base/file.h"
#include "contract/picture.h"

namespace tarmac {

Result<ops::camera::FrameView> view_raw_frame(const RawFormat& format, std::span<const std::byte> bytes) {
  const auto row_bytes = static_cast<std::size_t>(format.row_bytes);
  const auto rows = static_cast<std::size_t>(ops::camera::rows_of(format.format, format.height));
  if (bytes.size() != rows * row_bytes) {
    return make_error(ErrorCode::kInvalidInput,
                      "found " + std::to_string(bytes.size()) + " bytes; a frame of " +
                          to_string(format.format) + " " + std::to_string(format.height) + " x " +
                          std::to_string(format.width) + " with rows of " + std::to_string(row_bytes) +
                          " bytes has " + std::to_string(rows * row_bytes));
  }
  const auto* const data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  ops::camera::FrameView view{format.format, format.height, format.width, data, row_bytes};
  view.chroma = data + static_cast<std::size_t>(format.height) * row_bytes;
  view.chroma_row_bytes = row_bytes;
  return view;
}

Result<RawFrame> read_raw_frame(const RawFormat& format, const std::filesystem::path& path) {
  TARMAC_TRY(std::shared_ptr<const MappedFile> file, MappedFile::open(path));
  auto view = view_raw_frame(format, file->bytes());
  if (!view) {
    view.error().context = path.string();
    return std::move(view).error();
  }
  return RawFrame{*view, std::move(file)};
}

bool has_frame_extension(const std::filesystem::path& path) {
  return has_extension(path, {".nv12", ".yuyv", ".yuv", ".raw"});
}

}  // namespace tarmac
