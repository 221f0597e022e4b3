#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>

namespace fl::server {

/// The Unix socket (mode 0600) over which a running server is administered: one request of one line (at most
/// 16 MiB), one answer of one line, then it closes; reading and writing may take ten seconds each. Lives on
/// one strand.
class AdminSocket {
 public:
  /// `handle` is called on `executor` with a request and returns the answer, neither with a line's end.
  /// Replaces a socket file that a dead server left. Throws Error as the system fails.
  AdminSocket(const boost::asio::any_io_executor& executor, const std::filesystem::path& path,
              std::function<std::string(std::string_view)> handle);
  /// Stops listening, ends the connections there are and removes the socket file. `handle` is not called from
  /// then on.
  ~AdminSocket();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace fl::server
