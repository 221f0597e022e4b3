#include "client/store/rebuild.h"

#include <algorithm>
#include <fcntl.h>
#include <span>
#include <vector>

#include "common/base/error.h"
#include "common/base/files.h"

namespace fl::client {
namespace {

/// A file that is read from its start to its end.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : path_(path), file_(open_file(path, O_RDONLY)) {}

  void read(std::span<std::byte> into) {
    read_at(file_, offset_, into, path_);
    offset_ += into.size();
  }

 private:
  std::filesystem::path path_;
  FileDescriptor file_;
  std::uint64_t offset_ = 0;
};

}  // namespace

void rebuild_weights(const std::filesystem::path& base, const std::filesystem::path& difference_file,
                     const Difference& difference, std::uint64_t elements, const Digest& hash,
                     const std::filesystem::path& target, const std::stop_token& stop) {
  Reader before(base);
  Reader moves(difference_file);
  FileDraft draft(target, FileMode::secret);
  Sha256 running;
  std::vector<float> weights(difference_piece);
  Bytes encoded(encoded_bytes(difference.encoding, difference_piece));
  std::size_t count = 0;
  for (std::uint64_t first = 0; first < elements; first += count) {
    if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "stopped");
    const bool moved = first < difference.encoded;
    count = std::min<std::uint64_t>(difference_piece, (moved ? difference.encoded : elements) - first);
    const auto piece = std::span(weights).first(count);
    if (moved) {
      const auto bytes = std::span(encoded).first(encoded_bytes(difference.encoding, count));
      before.read(std::as_writable_bytes(piece));
      moves.read(bytes);
      add_decoded(difference.encoding, bytes, piece);
    } else {
      moves.read(std::as_writable_bytes(piece));
    }
    draft.write(std::as_bytes(piece));
    running.update(std::as_bytes(piece));
  }
  if (running.finish() != hash) {
    throw Error(ErrorCode::invalid_data, "what " + base.string() +
                                             " and the difference come to has another hash than the signed "
                                             "manifest says");
  }
  draft.commit();
}

}  // namespace fl::client
