#include "tensor/io.h"

namespace tarmac {

Result<Tensor> read_tensor(const std::filesystem::path& path) {
  const auto extension = path.extension();
  if (extension == ".npy") return read_npy(path);
  if (extension == ".pb") return read_tensor_proto(path);
  if (extension != ".npz") {
    return make_error(ErrorCode::kUnsupported,
                      "expected a tensor file .npy, .npz or .pb, found '" + extension.string() + "'", {},
                      path.string());
  }
  TARMAC_TRY(auto tensors, read_npz(path));
  if (tensors.size() != 1) {
    std::string names;
    for (const auto& [name, tensor] : tensors) names += (names.empty() ? "" : ", ") + name;
    return make_error(ErrorCode::kInvalidInput,
                      "expected exactly one array, found " + std::to_string(tensors.size()) + " (" + names +
                          "); save the wanted one as .npy",
                      {}, path.string());
  }
  return std::move(tensors.begin()->second);
}

}  // namespace tarmac
