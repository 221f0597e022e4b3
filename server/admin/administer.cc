#include <cerrno>
#include <cstring>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "common/base/error.h"
#include "server/admin/administration.h"
#include "server/admin/socket_path.h"

namespace fl::server {
namespace {

constexpr int step_milliseconds = 60'000;
constexpr std::size_t longest_answer = std::size_t{256} << 20U;

/// A connection to the home's socket; nothing where no server listens.
std::optional<FileDescriptor> connect_to(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::nullopt;
  const SocketPath short_path(path);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, short_path.text().c_str(), short_path.text().size() + 1);
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) throw_system_error(errno, "making a socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return socket;
  if (errno == ENOENT || errno == ECONNREFUSED) return std::nullopt;
  throw_system_error(errno, "connecting to the server over " + path.string());
}

void wait_for(const FileDescriptor& socket, short events) {
  pollfd watched{socket.get(), events, 0};
  int ready = 0;
  do {
    ready = ::poll(&watched, 1, step_milliseconds);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) throw Error(ErrorCode::timeout, "the running server did not answer within a minute");
}

[[noreturn]] void refuse_ended() {
  throw Error(ErrorCode::unavailable, "the server ended before it had answered; look at its log");
}

void send_line(const FileDescriptor& socket, std::string_view text) {
  const std::string line = std::string(text) + "\n";
  std::size_t done = 0;
  while (done < line.size()) {
    wait_for(socket, POLLOUT);
    const ssize_t count =
        ::send(socket.get(), line.data() + done, line.size() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (count < 0) refuse_ended();
    done += static_cast<std::size_t>(count);
  }
}

std::string receive_line(const FileDescriptor& socket) {
  std::string text;
  std::string piece(std::size_t{1} << 16U, '\0');
  while (!text.ends_with('\n')) {
    wait_for(socket, POLLIN);
    const ssize_t count = ::recv(socket.get(), piece.data(), piece.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) refuse_ended();
    text.append(piece, 0, static_cast<std::size_t>(count));
    if (text.size() > longest_answer) {
      throw Error(ErrorCode::resource_exhausted, "the server's answer is longer than 256 MiB");
    }
  }
  text.pop_back();
  return text;
}

std::optional<std::string> ask_running_server(const ServerHome& home, std::string_view request) {
  const std::optional<FileDescriptor> socket = connect_to(home.admin_socket());
  if (!socket) return std::nullopt;
  send_line(*socket, request);
  return receive_line(*socket);
}

std::string execute_here(const ServerHome& home, std::string_view request) {
  const FileDescriptor lock = home.lock();
  Ledger ledger(home.ledger_path());
  BlobStore blobs(home.blobs_path());
  Registry registry(ledger, blobs, home.signing_key());
  const SystemClock clock;
  return Administration(home, ledger, blobs, registry, clock, {}).execute(request);
}

ErrorCode code_named(std::string_view text) {
  for (int value = 0; value <= static_cast<int>(ErrorCode::internal); ++value) {
    if (name(static_cast<ErrorCode>(value)) == text) return static_cast<ErrorCode>(value);
  }
  return ErrorCode::internal;
}

std::string checked(std::string answer) {
  boost::json::error_code fault;
  const boost::json::value value = boost::json::parse(answer, fault);
  const boost::json::object* object = fault ? nullptr : value.if_object();
  if (object == nullptr || !object->contains("ok")) {
    throw Error(ErrorCode::protocol, "the server's answer is none; is it of another version?");
  }
  if (object->at("ok") == true) return answer;
  const auto text_at = [&](const char* key) {
    const boost::json::value* text = object->if_contains(key);
    return text != nullptr && text->is_string() ? std::string(text->get_string().c_str()) : std::string();
  };
  throw Error(code_named(text_at("code")), text_at("error"));
}

}  // namespace

std::string administer(const ServerHome& home, std::string_view request) {
  if (std::optional<std::string> answer = ask_running_server(home, request))
    return checked(*std::move(answer));
  try {
    return checked(execute_here(home, request));
  } catch (const Error& error) {
    // The lock is held: a server may have begun to listen in the meantime.
    if (error.code() != ErrorCode::failed_precondition) throw;
    std::optional<std::string> answer = ask_running_server(home, request);
    if (!answer) throw;
    return checked(*std::move(answer));
  }
}

}  // namespace fl::server
