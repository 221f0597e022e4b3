#include "server/admin/socket_path.h"

#include <fcntl.h>
#include <sys/un.h>

namespace fl::server {

SocketPath::SocketPath(const std::filesystem::path& path) : text_(path.string()) {
  if (text_.size() < sizeof(sockaddr_un::sun_path)) return;
  folder_ = open_file(path.parent_path(), O_PATH | O_DIRECTORY);
  text_ = "/proc/self/fd/" + std::to_string(folder_.get()) + "/" + path.filename().string();
}

}  // namespace fl::server
