#include "server/admin/admin_socket.h"

#include <cerrno>
#include <chrono>
#include <set>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "common/base/error.h"
#include "server/admin/socket_path.h"

namespace fl::server {
namespace asio = boost::asio;

namespace {

using Protocol = asio::local::stream_protocol;
using boost::system::error_code;

constexpr std::size_t longest_request = std::size_t{16} << 20U;
constexpr std::chrono::seconds step_time{10};
constexpr std::chrono::milliseconds accept_pause{100};

using Handler = std::function<std::string(std::string_view)>;

/// One connection: reads a line, answers it, closes. Keeps itself alive by what it waits for.
class Conversation : public std::enable_shared_from_this<Conversation> {
 public:
  Conversation(Protocol::socket socket, std::shared_ptr<Handler> handle)
      : socket_(std::move(socket)), timer_(socket_.get_executor()), handle_(std::move(handle)) {}

  void start() {
    limit_step();
    asio::async_read_until(socket_, asio::dynamic_buffer(text_, longest_request), '\n',
                           [self = shared_from_this()](const error_code& fault, std::size_t length) {
                             if (fault) return self->close();
                             self->answer(length - 1);
                           });
  }

  void close() {
    error_code ignored;
    timer_.cancel();
    socket_.close(ignored);
  }

 private:
  void limit_step() {
    timer_.expires_after(step_time);
    timer_.async_wait([self = weak_from_this()](const error_code& fault) {
      const std::shared_ptr<Conversation> conversation = self.lock();
      if (!fault && conversation) conversation->close();
    });
  }

  void answer(std::size_t length) {
    if (!*handle_) return close();
    text_ = (*handle_)(std::string_view(text_).substr(0, length)) + "\n";
    limit_step();
    asio::async_write(socket_, asio::buffer(text_),
                      [self = shared_from_this()](const error_code&, std::size_t) { self->close(); });
  }

  Protocol::socket socket_;
  asio::steady_timer timer_;
  std::shared_ptr<Handler> handle_;
  std::string text_;
};

}  // namespace

struct AdminSocket::State : std::enable_shared_from_this<State> {
  State(const asio::any_io_executor& executor, const std::filesystem::path& path, Handler handler)
      : real_path(path),
        bound_path(path),
        acceptor(executor),
        pause(executor),
        handle(std::make_shared<Handler>(std::move(handler))) {
    listen();
  }

  void listen() {
    try {
      ::unlink(bound_path.text().c_str());
      acceptor.open();
      acceptor.bind(Protocol::endpoint(bound_path.text()));
      // Nobody can connect before it listens, so that nobody gets in before the mode is set.
      if (::chmod(bound_path.text().c_str(), 0600) != 0) throw_system_error(errno, "protecting the socket");
      acceptor.listen();
    } catch (const boost::system::system_error& error) {
      throw_system_error(error.code().value(), "listening on " + real_path.string());
    }
  }

  void accept() {
    acceptor.async_accept([self = shared_from_this()](const error_code& fault, Protocol::socket socket) {
      if (!self->acceptor.is_open()) return;
      if (fault) return self->accept_later();
      self->begin(std::move(socket));
      self->accept();
    });
  }

  /// After a failure such as too many open files, which lasts a while.
  void accept_later() {
    pause.expires_after(accept_pause);
    pause.async_wait([self = shared_from_this()](const error_code& fault) {
      if (!fault && self->acceptor.is_open()) self->accept();
    });
  }

  void begin(Protocol::socket socket) {
    std::erase_if(conversations, [](const auto& conversation) { return conversation.expired(); });
    const auto conversation = std::make_shared<Conversation>(std::move(socket), handle);
    conversations.insert(conversation);
    conversation->start();
  }

  void stop() {
    error_code ignored;
    acceptor.close(ignored);
    pause.cancel();
    *handle = nullptr;
    for (const auto& weak : conversations) {
      if (const auto conversation = weak.lock()) conversation->close();
    }
    ::unlink(bound_path.text().c_str());
  }

  std::filesystem::path real_path;
  SocketPath bound_path;
  Protocol::acceptor acceptor;
  asio::steady_timer pause;
  /// Shared with the conversations; emptied when nobody is to be called any more.
  std::shared_ptr<Handler> handle;
  std::set<std::weak_ptr<Conversation>, std::owner_less<>> conversations;
};

AdminSocket::AdminSocket(const boost::asio::any_io_executor& executor, const std::filesystem::path& path,
                         std::function<std::string(std::string_view)> handle)
    : state_(std::make_shared<State>(executor, path, std::move(handle))) {
  state_->accept();
}

AdminSocket::~AdminSocket() {
  state_->stop();
}

}  // namespace fl::server
