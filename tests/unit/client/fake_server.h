#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "common/net/connection.h"
#include "protocol/message.h"
#include "tests/unit/client/federation.h"

namespace fl::test {

template <typename Value = void>
using Task = boost::asio::awaitable<Value>;

/// A message that a device sent; owns its bytes.
class Received {
 public:
  Received() = default;
  explicit Received(ByteView payload) : bytes_(payload.begin(), payload.end()) {}
  wire::Body type() const { return wire::GetMessage(bytes_.data())->body_type(); }
  /// Throws std::runtime_error naming what came instead.
  template <typename Table>
  const Table& as() const {
    const wire::Message* message = wire::GetMessage(bytes_.data());
    if (const Table* body = message->body_as<Table>()) return *body;
    throw std::runtime_error(std::string("the device sent ") + wire::body_name(*message));
  }

 private:
  Bytes bytes_;
};

/// What a scripted server offers in a round.
struct ScriptedOffer {
  std::string task = "har";
  std::uint64_t round = 1;
  std::uint64_t version = 1;
  std::uint32_t epochs = 2;
  std::uint32_t steps = 0;
  std::uint64_t seed = 7;
  std::uint32_t max_examples = 1000;
  float max_delta = 100.0F;
  std::uint32_t deadline_ms = 60'000;
  wire::Encoding encoding = wire::Encoding::fp32;
  std::uint64_t control_elements = 0;
  std::optional<Digest> control = std::nullopt;
  float max_control = 0.0F;
};

/// The server's end of one connection, for a script.
class Peer {
 public:
  explicit Peer(std::unique_ptr<net::Connection> connection) : connection_(std::move(connection)) {}

  net::Connection& connection() { return *connection_; }
  void close() { connection_->close(); }

  /// Reads Hello and answers Welcome, with one task or with these.
  Task<> welcome(std::string task = "har");
  Task<> welcome_to(std::vector<std::string> tasks);
  /// Welcome, then a subscription to "har" answered by the number of the newest version.
  Task<> begin(std::uint64_t newest);
  /// The next message that is no KeepAlive.
  Task<Received> next();
  /// The next message, which must be of this type.
  template <typename Table>
  Task<Received> expect() {
    Received received = co_await next();
    received.as<Table>();
    co_return received;
  }
  Task<> send(flatbuffers::DetachedBuffer message);
  Task<> send_chunk(ByteView bytes);

  Task<> notice(const PublishedVersion& version);
  Task<> task_added(std::string task);
  Task<> subscribed(std::string task, std::uint64_t version);
  Task<> offer(ScriptedOffer offer);
  /// Asks for an evaluation of a version of "har".
  Task<> evaluation(std::uint64_t number, std::uint64_t version);
  Task<> answer_report(wire::Outcome outcome, std::string sentence = "because");
  Task<> later(std::string task, std::uint32_t retry_after_ms);
  Task<> go(std::uint64_t offset = 0, bool compress = false);
  Task<> reply(wire::Outcome outcome, std::string sentence = "because");
  Task<> refuse(wire::RefusalCode code, bool closes);
  Task<> keep_alive();
  /// Takes the chunks of an update, compressed or not.
  Task<Bytes> receive(std::uint64_t bytes);

  /// Takes an announced update whole and says what becomes of it.
  Task<> take_update(wire::Outcome outcome);

  /// Answers Fetch after Fetch with the version's parts until both that the device lacks were fetched:
  /// `parts` of them.
  Task<> serve(const PublishedVersion& version, int parts);
  /// Answers one.
  Task<> transfer(ByteView part, std::uint64_t offset);
  /// Welcome, then a subscription answered by the version, then its parts.
  Task<> bring(const PublishedVersion& version, int parts = 2);

 private:
  std::unique_ptr<net::Connection> connection_;
};

/// The part of a version with this hash.
ByteView part_of(const PublishedVersion& version, const Digest& hash);

/// Listens on a free port of loopback and plays its scripts, one for each connection in their order; further
/// connections are closed. Runs on a thread of its own.
class FakeServer {
 public:
  using Script = std::function<Task<>(Peer&)>;

  FakeServer(const Federation& federation, std::vector<Script> scripts);
  ~FakeServer();

  net::Endpoint endpoint() const { return endpoint_; }
  /// Waits until every script has ended; throws what the first that failed threw, or after 30 seconds.
  void finish();

 private:
  Task<> listen();
  Task<> play(boost::asio::ip::tcp::socket socket, Script script);

  const net::TlsContext tls_;
  std::deque<Script> scripts_;
  boost::asio::io_context context_{1};
  boost::asio::ip::tcp::acceptor acceptor_;
  net::Endpoint endpoint_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable ended_;
  std::size_t left_;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace fl::test
