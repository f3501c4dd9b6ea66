#include <zip.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "tensor/io.h"
#include "tensor/npy.h"

namespace tarmac {
namespace {

constexpr std::string_view kSuffix = ".npy";
constexpr std::uint64_t kMaxDeflateRatio = 1032;  // a deflate stream cannot expand further

struct ArchiveCloser {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct SourceCloser {
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
struct EntryCloser {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using Archive = std::unique_ptr<zip_t, ArchiveCloser>;
using Source = std::unique_ptr<zip_source_t, SourceCloser>;
using Entry = std::unique_ptr<zip_file_t, EntryCloser>;

/// libzip's text for an error, freed with it.
std::string describe(zip_error_t& error) {
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

Error failed(const std::filesystem::path& path, ErrorCode code, const std::string& what) {
  return make_error(code, what, {}, path.string());
}

Result<Archive> open_archive(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  if (bytes.empty())
    return failed(path, ErrorCode::kInvalidInput, "expected an .npz (zip) file, found no bytes");
  zip_error_t error;
  zip_error_init(&error);
  Source source(zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error));
  zip_t* archive = source ? zip_open_from_source(source.get(), ZIP_RDONLY | ZIP_CHECKCONS, &error) : nullptr;
  if (archive == nullptr) {
    return failed(path, ErrorCode::kInvalidInput, "expected an .npz (zip) file: " + describe(error));
  }
  (void)source.release();  // the archive owns it now
  return Archive(archive);
}

Result<Tensor> read_entry(zip_t* archive, zip_uint64_t index, const zip_stat_t& stat) {
  TARMAC_TRY(Tensor content, Tensor::allocate(DType::kUint8, {static_cast<std::int64_t>(stat.size)}));
  const auto bytes = content.mutable_bytes();
  const Entry entry(zip_fopen_index(archive, index, 0));
  if (!entry)
    return make_error(ErrorCode::kInvalidInput, std::string("cannot unpack: ") + zip_strerror(archive));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const zip_int64_t count = zip_fread(entry.get(), bytes.data() + done, bytes.size() - done);
    if (count < 0) {
      return make_error(ErrorCode::kInvalidInput,
                        std::string("cannot unpack: ") + zip_file_strerror(entry.get()));
    }
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  // libzip compares the checksum when it meets the end, so read once more.
  std::byte extra{};
  const zip_int64_t more = done == bytes.size() ? zip_fread(entry.get(), &extra, 1) : 1;
  if (more < 0) {
    return make_error(ErrorCode::kInvalidInput,
                      std::string("cannot unpack: ") + zip_file_strerror(entry.get()));
  }
  if (more > 0) return make_error(ErrorCode::kInvalidInput, "the zip entry does not have the size it claims");
  return parse_npy(bytes, std::make_shared<const Tensor>(content));
}

}  // namespace

Result<std::map<std::string, Tensor>> read_npz(const std::filesystem::path& path) {
  TARMAC_TRY(const auto file, MappedFile::open(path));
  TARMAC_TRY(const Archive archive, open_archive(path, file->bytes()));
  std::map<std::string, Tensor> tensors;
  std::uint64_t budget_bytes = file->bytes().size() * kMaxDeflateRatio;
  const zip_int64_t entries = zip_get_num_entries(archive.get(), 0);
  for (zip_uint64_t index = 0; index < static_cast<zip_uint64_t>(std::max<zip_int64_t>(entries, 0));
       ++index) {
    zip_stat_t stat;
    constexpr zip_uint64_t kNeeded =
        ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
    if (zip_stat_index(archive.get(), index, 0, &stat) != 0 || (stat.valid & kNeeded) != kNeeded) {
      return failed(path, ErrorCode::kInvalidInput,
                    "damaged entry " + std::to_string(index) + " of the zip folder");
    }
    std::string name = stat.name;
    if (!name.ends_with(kSuffix)) {
      return failed(path, ErrorCode::kInvalidInput,
                    "an .npz file holds .npy entries only, found '" + name + "'");
    }
    name.resize(name.size() - kSuffix.size());
    if (stat.size > budget_bytes) {
      return failed(path, ErrorCode::kInvalidInput,
                    "array '" + name + "' claims " + std::to_string(stat.size) +
                        " bytes, more than a file of " + std::to_string(file->bytes().size()) +
                        " bytes can hold");
    }
    budget_bytes -= stat.size;
    auto tensor = read_entry(archive.get(), index, stat);
    if (!tensor) return failed(path, tensor.error().code, "array '" + name + "': " + tensor.error().message);
    if (!tensors.emplace(name, *std::move(tensor)).second) {
      return failed(path, ErrorCode::kInvalidInput, "array '" + name + "' occurs twice");
    }
  }
  return tensors;
}

Status write_npz(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors) {
  if (tensors.empty()) return failed(path, ErrorCode::kInvalidInput, "there are no tensors to write");
  // These outlive the archive, which borrows their bytes until it is closed.
  std::map<std::string, std::string> headers;
  std::map<std::string, std::array<zip_buffer_fragment_t, 2>> contents;
  for (const auto& [name, tensor] : tensors) {
    auto header = make_npy_header(tensor.dtype(), tensor.shape());
    if (!header) return failed(path, header.error().code, "array '" + name + "': " + header.error().message);
    std::string& kept = headers[name] = *std::move(header);
    const auto bytes = tensor.bytes();
    // libzip's struct is not const, but it only reads.
    auto* elements = reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(bytes.data()));
    contents[name] = {{{reinterpret_cast<zip_uint8_t*>(kept.data()), kept.size()}, {elements, bytes.size()}}};
  }
  zip_error_t error;
  zip_error_init(&error);
  const Source packed(zip_source_buffer_create(nullptr, 0, 0, &error));
  if (!packed)
    return failed(path, ErrorCode::kResourceExhausted, "cannot start a zip file: " + describe(error));
  Archive archive(zip_open_from_source(packed.get(), ZIP_CREATE | ZIP_TRUNCATE, &error));
  if (!archive) return failed(path, ErrorCode::kIo, "cannot start a zip file: " + describe(error));
  zip_source_keep(packed.get());  // one reference for the archive, one to read the result
  for (const auto& [name, fragments] : contents) {
    const std::size_t used = fragments[1].length == 0 ? 1 : 2;
    Source source(zip_source_buffer_fragment(archive.get(), fragments.data(), used, 0));
    const std::string entry = name + std::string(kSuffix);
    const zip_int64_t index =
        source ? zip_file_add(archive.get(), entry.c_str(), source.get(), ZIP_FL_ENC_UTF_8) : -1;
    if (index < 0)
      return failed(path, ErrorCode::kIo, "array '" + name + "': " + zip_strerror(archive.get()));
    (void)source.release();
    const auto at = static_cast<zip_uint64_t>(index);
    // Stored, not deflated: weights hardly shrink. A fixed date makes equal content equal files.
    if (zip_set_file_compression(archive.get(), at, ZIP_CM_STORE, 0) != 0 ||
        zip_file_set_dostime(archive.get(), at, 0, (1U << 5U) | 1U, 0) != 0) {
      return failed(path, ErrorCode::kIo, "array '" + name + "': " + zip_strerror(archive.get()));
    }
  }
  if (zip_close(archive.get()) != 0) return failed(path, ErrorCode::kIo, zip_strerror(archive.get()));
  (void)archive.release();

  TARMAC_TRY(AtomicFile file, AtomicFile::create(path));
  if (zip_source_open(packed.get()) != 0) {
    return failed(path, ErrorCode::kIo, zip_error_strerror(zip_source_error(packed.get())));
  }
  std::vector<std::byte> buffer(std::size_t{1} << 20U);
  zip_int64_t count = 0;
  while ((count = zip_source_read(packed.get(), buffer.data(), buffer.size())) > 0) {
    TARMAC_CHECK_OK(file.write(std::span(buffer).first(static_cast<std::size_t>(count))));
  }
  zip_source_close(packed.get());
  if (count < 0) return failed(path, ErrorCode::kIo, zip_error_strerror(zip_source_error(packed.get())));
  return file.commit();
}

}  // namespace tarmac
