#include "common/net/socket_bio.h"

#include <cerrno>
#include <sys/socket.h>

namespace fl::net {
namespace {

SocketIo& io_of(BIO* bio) {
  return *static_cast<SocketIo*>(BIO_get_data(bio));
}

int read_socket(BIO* bio, char* data, int size) {
  SocketIo& io = io_of(bio);
  BIO_clear_retry_flags(bio);
  ssize_t count = 0;
  do {
    count = ::recv(io.descriptor, data, static_cast<std::size_t>(size), 0);
  } while (count < 0 && errno == EINTR);
  if (count > 0) io.received += static_cast<std::uint64_t>(count);
  if (count == 0) io.end_of_stream = true;
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    BIO_set_retry_read(bio);
  } else if (count < 0) {
    io.error = errno;
  }
  return static_cast<int>(count);
}

int write_socket(BIO* bio, const char* data, int size) {
  SocketIo& io = io_of(bio);
  BIO_clear_retry_flags(bio);
  ssize_t count = 0;
  do {
    count = ::send(io.descriptor, data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  if (count > 0) io.sent += static_cast<std::uint64_t>(count);
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    BIO_set_retry_write(bio);
  } else if (count < 0) {
    io.error = errno;
  }
  return static_cast<int>(count);
}

long control_socket(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return io_of(bio).end_of_stream ? 1 : 0;
  return 0;
}

using MethodPtr = std::unique_ptr<BIO_METHOD, Freed<BIO_meth_free>>;

MethodPtr make_method() {
  MethodPtr method(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "fl socket"));
  require(method != nullptr && BIO_meth_set_read(method.get(), read_socket) == 1 &&
              BIO_meth_set_write(method.get(), write_socket) == 1 &&
              BIO_meth_set_ctrl(method.get(), control_socket) == 1,
          "describing a socket to OpenSSL");
  return method;
}

}  // namespace

BioPtr make_socket_bio(SocketIo& io) {
  static const MethodPtr method = make_method();  // immutable, and the same for all
  BioPtr bio(BIO_new(method.get()));
  require(bio != nullptr, "making a socket for OpenSSL");
  BIO_set_data(bio.get(), &io);
  BIO_set_init(bio.get(), 1);
  return bio;
}

}  // namespace fl::net
