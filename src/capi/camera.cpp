// Pictures and camera frames.
#include "capi/session_handle.h"

namespace tarmac::capi {
namespace {

Result<CameraFrame> to_frame(const tarmac_frame* frame) {
  TARMAC_CHECK_OK(need(frame, "frame"));
  TARMAC_CHECK_OK(need(frame->data, "frame->data"));
  CameraFrame to;
  switch (frame->format) {
    case TARMAC_RGB:
      to.format = PixelFormat::kRgb;
      break;
    case TARMAC_BGR:
      to.format = PixelFormat::kBgr;
      break;
    case TARMAC_NV12:
      to.format = PixelFormat::kNv12;
      TARMAC_CHECK_OK(need(frame->chroma, "frame->chroma"));
      break;
    case TARMAC_YUYV:
      to.format = PixelFormat::kYuyv;
      break;
    default:
      return make_error(ErrorCode::kInvalidInput, "found the pixel format " +
                                                      std::to_string(static_cast<int>(frame->format)) +
                                                      "; expected one of tarmac_pixel_format");
  }
  to.height = frame->height;
  to.width = frame->width;
  to.data = static_cast<const std::uint8_t*>(frame->data);
  to.row_bytes = frame->row_bytes;
  to.chroma = static_cast<const std::uint8_t*>(frame->chroma);
  to.chroma_row_bytes = frame->chroma_row_bytes;
  return to;
}

/// Binds memory of our own. What was bound before may go now.
Status bind_own(SessionObject& object, const std::string& name, Tensor& kept, Tensor tensor) {
  TARMAC_CHECK_OK(object.session.set_input(name, tensor));
  kept = std::move(tensor);
  return {};
}

}  // namespace
}  // namespace tarmac::capi

using namespace tarmac;        // NOLINT(google-build-using-namespace): what follows is C
using namespace tarmac::capi;  // NOLINT(google-build-using-namespace)

tarmac_code tarmac_set_input_picture(tarmac_session* session, const char* name, const char* path) {
  return at_c_edge([&]() -> Status {
    TARMAC_TRY(SessionObject* const object, find_session(session));
    TARMAC_CHECK_OK(need(name, "name"));
    TARMAC_CHECK_OK(need(path, "path"));
    TARMAC_TRY(Tensor tensor, object->session.preprocess(name, std::filesystem::path(path)));
    auto& [key, kept] = entry_of(object->frames, name);
    return bind_own(*object, key, kept, std::move(tensor));
  });
}

tarmac_code tarmac_set_input_frame(tarmac_session* session, const char* name, const tarmac_frame* frame) {
  return at_c_edge([&]() -> Status {
    TARMAC_TRY(SessionObject* const object, find_session(session));
    TARMAC_CHECK_OK(need(name, "name"));
    TARMAC_TRY(const CameraFrame camera, to_frame(frame));
    const auto found = object->frames.find(name);
    if (found != object->frames.end() && !found->second.empty()) {
      // Refused while a run reads it.
      TARMAC_CHECK_OK(object->session.set_input(found->first, found->second));
      // A frame of another size may come to another shape, which new memory is for.
      if (object->session.preprocess_into(found->first, camera, found->second))
        return object->session.set_input(found->first, found->second);
    }
    TARMAC_TRY(Tensor tensor, object->session.preprocess(name, camera));
    auto& [key, kept] = entry_of(object->frames, name);
    return bind_own(*object, key, kept, std::move(tensor));
  });
}

tarmac_code tarmac_preprocess_frame(const tarmac_session* session, const char* name,
                                    const tarmac_frame* frame, const tarmac_tensor* tensor, int64_t index) {
  return at_c_edge([&]() -> Status {
    TARMAC_TRY(const SessionObject* object, find_session(session));
    TARMAC_CHECK_OK(need(name, "name"));
    TARMAC_TRY(const CameraFrame camera, to_frame(frame));
    TARMAC_TRY(Tensor view, to_tensor(tensor, true));
    return object->session.preprocess_into(name, camera, view, index);
  });
}
