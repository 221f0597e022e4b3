#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "common/net/http_endpoint.h"
#include "common/net/http_message.h"
#include "common/net/tls_stream.h"
#include "common/net/waiting.h"

/// Private to common/net: one peer of an HttpEndpoint.
namespace fl::net {

/// What bodies may take together.
class BodyBudget {
 public:
  explicit BodyBudget(std::size_t bytes) : left_(bytes) {}

  /// What a body has taken of it, given back at the end.
  class Share {
   public:
    explicit Share(BodyBudget& budget) : budget_(budget) {}
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    ~Share() { budget_.left_ += taken_; }

    /// Whether as much more was left, and is taken now.
    bool grow_to(std::size_t bytes);

   private:
    BodyBudget& budget_;
    std::size_t taken_ = 0;
  };

 private:
  std::atomic<std::size_t> left_;
};

/// What the connections of an endpoint share; outlives them.
struct HttpShared {
  HttpShared(std::shared_ptr<HttpHandler> its_handler, std::optional<TlsContext> its_tls,
             const HttpLimits& its_limits)
      : handler(std::move(its_handler)),
        tls(std::move(its_tls)),
        limits(its_limits),
        bodies(its_limits.bodies_bytes) {}

  const std::shared_ptr<HttpHandler> handler;
  const std::optional<TlsContext> tls;
  const HttpLimits limits;
  BodyBudget bodies;
  std::atomic<bool> stopped = false;
};

/// Reads requests from a socket, one after the other, and writes the answers. On the socket's strand, but for
/// what says otherwise.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(boost::asio::ip::tcp::socket socket, std::shared_ptr<HttpShared> shared);

  /// Until one of the two ends it. Throws what ends it on the peer's side.
  static boost::asio::awaitable<void> run(std::shared_ptr<HttpConnection> self);

  /// Any thread: ends it now unless a request is being answered, else after the answer.
  void end();
  /// Any thread: since when it has waited for a request; nothing while one is being read or answered.
  std::optional<Deadline> idle_since() const;

 private:
  using Outcome = TlsStream::Outcome;

  boost::asio::awaitable<void> serve();
  boost::asio::awaitable<void> handshake();
  /// Whether another request may come.
  boost::asio::awaitable<bool> serve_one();
  /// False where the peer has gone, or was answered why there is no request.
  boost::asio::awaitable<bool> read_head();
  /// Takes over the head that the buffer begins with; why there is none, where the bytes are no head.
  boost::system::error_code parse_head();
  /// Why the request is not read any further.
  std::optional<HttpResponse> refusal() const;
  /// Answers a request without its body, and reads that away where it is small.
  boost::asio::awaitable<bool> refuse_head(HttpResponse response);
  boost::asio::awaitable<bool> read_body(BodyBudget::Share& share);
  boost::asio::awaitable<bool> skip_body();
  /// The first bytes of the buffer.
  void forget(std::size_t bytes);
  boost::asio::awaitable<HttpResponse> ask();
  boost::asio::awaitable<void> write(const HttpResponse& response);
  /// The last answer: says so, and waits for the peer to have read it.
  boost::asio::awaitable<void> refuse(HttpResponse response);
  boost::asio::awaitable<void> linger();

  /// Bytes that came, none where the peer has closed.
  boost::asio::awaitable<std::size_t> read_some(std::span<std::byte> space, Deadline deadline);
  boost::asio::awaitable<void> send(ByteView bytes, Deadline deadline);
  boost::asio::awaitable<void> wait(Outcome outcome, Deadline deadline);
  TlsStream::Result try_read(std::span<std::byte> space);
  TlsStream::Result try_write(ByteView bytes);
  std::string head_of(const HttpResponse& response) const;
  std::size_t body_length() const { return static_cast<std::size_t>(content_length_.value_or(0)); }
  void set_idle(bool idle);

  boost::asio::ip::tcp::socket socket_;
  const std::shared_ptr<HttpShared> shared_;
  std::optional<TlsStream> tls_;
  Bytes buffer_;            // what has come of the next request
  std::size_t filled_ = 0;  // of the buffer
  HttpRequest request_;
  std::optional<std::uint64_t> content_length_;
  bool has_head_ = false;    // the buffer began with one
  bool is_encoded_ = false;  // the body, in transfer: it has no length
  bool wants_body_ = true;   // of the answer: it is no HEAD
  bool keep_alive_ = false;
  bool answers_ = false;   // a request is complete, its answer not yet
  bool lingered_ = false;  // goodbye was said
  bool ends_ = false;
  std::atomic<Deadline::rep> idle_since_;  // 0: it is not
};

}  // namespace fl::net
