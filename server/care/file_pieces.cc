#include "server/care/file_pieces.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/files.h"

namespace fl::server {
namespace {

constexpr std::size_t piece_bytes = std::size_t{1} << 20U;

}  // namespace

Digest for_each_piece(const std::filesystem::path& path, const std::function<void(ByteView)>& visit) {
  const FileDescriptor file = open_file(path, O_RDONLY);
  Sha256 running;
  Bytes piece(piece_bytes);
  while (true) {
    const ssize_t count = ::read(file.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_system_error(errno, "reading " + path.string());
    if (count == 0) return running.finish();
    const ByteView read = ByteView(piece).first(static_cast<std::size_t>(count));
    running.update(read);
    visit(read);
  }
}

}  // namespace fl::server
