#include "client/store/part_file.h"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include "common/base/error.h"

namespace fl::client {

namespace fs = std::filesystem;

PartFile::PartFile(fs::path path, const Digest& hash, std::uint64_t bytes)
    : path_(std::move(path)), temporary_(path_.string() + ".part"), hash_(hash), bytes_(bytes) {
  file_ = open_file(temporary_, O_RDWR | O_CREAT, FileMode::secret);
  resume();
}

void PartFile::resume() {
  std::vector<std::byte> buffer(std::size_t{1} << 20U);
  for (;;) {
    const ssize_t count = ::read(file_.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_system_error(errno, "reading " + temporary_.string());
    if (count == 0) break;
    hasher_.update({buffer.data(), static_cast<std::size_t>(count)});
    offset_ += static_cast<std::uint64_t>(count);
  }
  if (offset_ <= bytes_) return;
  if (::ftruncate(file_.get(), 0) != 0 || ::lseek(file_.get(), 0, SEEK_SET) != 0) {
    throw_system_error(errno, "emptying " + temporary_.string());
  }
  hasher_ = Sha256();
  offset_ = 0;
}

void PartFile::append(ByteView bytes) {
  if (bytes.size() > bytes_ - offset_) {
    throw Error(ErrorCode::protocol, "the server sends more than the " + std::to_string(bytes_) +
                                         " bytes that the signed manifest says");
  }
  write_all(file_, bytes, temporary_);
  hasher_.update(bytes);
  offset_ += bytes.size();
}

void PartFile::finish() {
  if (!complete() || hasher_.finish() != hash_) {
    discard();
    throw Error(ErrorCode::invalid_data,
                "what was fetched as " + hash_.hex() +
                    " has another hash; it was thrown away and can be fetched again");
  }
  sync_file(file_, temporary_);
  std::error_code failure;
  fs::rename(temporary_, path_, failure);
  if (failure) throw_system_error(failure.value(), "renaming " + temporary_.string());
  sync_folder(path_.parent_path());
}

void PartFile::discard() noexcept {
  std::error_code ignored;
  fs::remove(temporary_, ignored);
}

}  // namespace fl::client
