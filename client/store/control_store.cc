#include "client/store/control_store.h"

#include <array>
#include <fcntl.h>
#include <utility>

#include "common/base/error.h"
#include "common/base/files.h"

namespace fl::client {
namespace {

namespace fs = std::filesystem;

constexpr const char* present_file = "control";
constexpr const char* next_file = "control-next";

/// A file is the layout's hash, the update's, the elements, and SHA-256 of all that.
struct Content {
  Digest layout;
  Digest update;
  Weights control;
};

Digest digest_at(ByteView bytes, std::size_t offset) {
  return Digest::from_bytes(bytes.subspan(offset, sizeof(Digest)));
}

Bytes bytes_of(const Content& content) {
  Bytes bytes;
  for (const Digest* digest : {&content.layout, &content.update}) {
    bytes.insert(bytes.end(), digest->bytes.begin(), digest->bytes.end());
  }
  const ByteView elements = as_bytes(std::span<const float>(content.control));
  bytes.insert(bytes.end(), elements.begin(), elements.end());
  const Digest sum = sha256(bytes);
  bytes.insert(bytes.end(), sum.bytes.begin(), sum.bytes.end());
  return bytes;
}

/// Empty where the file is not there or not whole.
Content read_content(const fs::path& path) {
  constexpr std::size_t digests = 3 * sizeof(Digest);
  Content content;
  std::error_code missing;
  if (!fs::exists(path, missing)) return content;
  const Bytes bytes = read_file(path);
  if (bytes.size() < digests || (bytes.size() - digests) % sizeof(float) != 0) return content;
  const ByteView summed = ByteView(bytes).first(bytes.size() - sizeof(Digest));
  if (sha256(summed) != digest_at(bytes, summed.size())) return content;
  content.layout = digest_at(bytes, 0);
  content.update = digest_at(bytes, sizeof(Digest));
  const ByteView elements = summed.subspan(2 * sizeof(Digest));
  content.control = weights_from(elements, elements.size() / sizeof(float));
  return content;
}

}  // namespace

ControlStore::ControlStore(fs::path folder, const Digest& layout)
    : folder_(std::move(folder)), layout_(layout) {}

Weights ControlStore::read(std::size_t elements) const {
  Content content = read_content(folder_ / present_file);
  if (content.layout != layout_ || content.control.size() != elements) content.control.assign(elements, 0.0F);
  return std::move(content.control);
}

void ControlStore::propose(const Digest& update, std::span<const float> control) const {
  make_private_folder(folder_);
  const Content content{layout_, update, Weights(control.begin(), control.end())};
  write_file_atomically(folder_ / next_file, bytes_of(content), FileMode::secret);
}

void ControlStore::confirm(const Digest& update) const {
  const fs::path next = folder_ / next_file;
  std::error_code missing;
  if (!fs::exists(next, missing)) return;
  std::array<std::byte, 2 * sizeof(Digest)> head{};
  read_at(open_file(next, O_RDONLY), 0, head, next);
  if (digest_at(head, 0) != layout_ || digest_at(head, sizeof(Digest)) != update) return;
  std::error_code failed;
  fs::rename(next, folder_ / present_file, failed);
  if (failed) throw_system_error(failed.value(), "renaming " + next.string());
  sync_folder(folder_);
}

}  // namespace fl::client
