#include "common/data/input_file.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "common/base/error.h"

namespace fl {

InputFile::InputFile(std::filesystem::path path) : path_(std::move(path)), file_(open_file(path_, O_RDONLY)) {
  struct stat status{};
  if (fstat(file_.get(), &status) != 0) throw_system_error(errno, "reading " + path_.string());
  if (S_ISDIR(status.st_mode)) {
    throw Error(ErrorCode::invalid_argument, path_.string() + " is a folder, a file was expected");
  }
  if (S_ISREG(status.st_mode)) size_ = static_cast<std::uint64_t>(status.st_size);
}

std::size_t InputFile::read(std::span<std::byte> buffer) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t count = ::read(file_.get(), buffer.data() + done, buffer.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_system_error(errno, "reading " + path_.string());
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

}  // namespace fl
