#include "client/serving/inherited_socket.h"

#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include "common/base/error.h"

namespace fl::client {

std::optional<int> inherited_socket() {
  constexpr int first = 3;
  const char* const process = std::getenv("LISTEN_PID");
  const char* const count = std::getenv("LISTEN_FDS");
  const bool is_ours = process != nullptr && count != nullptr && process == std::to_string(::getpid());
  const std::string sockets = is_ours ? count : "";
  ::unsetenv("LISTEN_PID");
  ::unsetenv("LISTEN_FDS");
  ::unsetenv("LISTEN_FDNAMES");
  if (!is_ours || sockets == "0") return std::nullopt;
  if (sockets != "1") {
    throw Error(ErrorCode::invalid_argument,
                "LISTEN_FDS is " + sockets + ": there is one socket to answer on, give one");
  }
  ::fcntl(first, F_SETFD, FD_CLOEXEC);
  return first;
}

}  // namespace fl::client
