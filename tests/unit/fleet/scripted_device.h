#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "common/model/encoding.h"
#include "common/model/layout.h"
#include "common/net/connection.h"
#include "common/net/enrolment_token.h"

namespace fl::test {

/// The layout of the task "tiny": four elements.
Layout tiny_layout();

/// A device that says what a test tells it to, step by step, over real TLS. Every call blocks until it is
/// done.
class ScriptedDevice {
 public:
  /// What it knows of the task that it speaks of.
  struct Task {
    std::string name = "tiny";
    Digest layout_hash = tiny_layout().hash();
  };

  /// Enrols; throws Error(unauthenticated) with the server's sentence where it is refused.
  explicit ScriptedDevice(const net::EnrolmentToken& token);
  /// Takes the place of a device that is enrolled.
  ScriptedDevice(net::Identity identity, net::Certificate authority, Task task);

  /// The same device, to connect once more.
  ScriptedDevice twin() const { return {identity_.value(), authority_.value(), task_}; }
  const std::string& id() const { return id_; }

  /// Connects, and says hello unless told not to.
  void connect(std::uint16_t port, bool hello = true);
  void disconnect() { connection_.reset(); }
  /// Whether the server knew it by a ticket.
  bool resumed() const { return connection_->resumed(); }
  /// What it names in its next Hello.
  void name_features(std::vector<std::string> features) { features_ = std::move(features); }

  void send(flatbuffers::DetachedBuffer message);
  void send_chunk(ByteView bytes);
  void send_compressed_chunk(ByteView bytes);
  /// The next message but for KeepAlive; its bytes are copied, so that it stays.
  const wire::Message& receive();
  /// The next message, which must be a `Body`; version notices before it are passed over.
  template <typename Body>
  const Body& expect() {
    for (;;) {
      const wire::Message& message = receive();
      if (message.body_type() == wire::BodyTraits<Body>::enum_value)
        return *static_cast<const Body*>(message.body());
      if (message.body_type() != wire::Body::VersionNotice) throw_unexpected(message);
    }
  }

  // Messages of its task.
  void subscribe(std::uint64_t held_version = 0);
  void ask_for_work(std::uint64_t version);
  /// Connects, subscribes with the newest version at hand, and asks for work.
  void come_for_work(std::uint16_t port, std::uint64_t newest);
  void decline(std::uint64_t round, std::string_view reason);
  /// What a test may say wrongly.
  struct Update {
    std::uint64_t round = 1;
    std::uint64_t version = 1;
    std::vector<float> delta = {0.5F, 0.5F, 0.5F, 0.5F};
    std::uint32_t examples = 10;
    Encoding encoding = Encoding::fp32;  ///< What it says; the bytes are those of the encoding.
    std::uint64_t steps = 1;
    std::uint32_t test_examples = 0;
    double test_loss = 0.0;
    std::optional<Digest> layout_hash;
    std::optional<Digest> hash;
    std::optional<std::uint64_t> length;
  };
  void announce(const Update& update) { announce(update, bytes_of(update)); }
  /// A part of a version, from its begin.
  Bytes fetch(ByteView hash);
  /// Announces, sends what the server asks for, compressed where it may be, and returns its reply.
  const wire::UpdateReply& upload(const Update& update);
  void decline_evaluation(std::uint64_t evaluation, std::string_view reason);
  /// What a test may say wrongly.
  struct Report {
    std::uint64_t evaluation = 1;
    std::uint64_t version = 1;
    std::uint64_t examples = 10;
    double loss_sum = 5.0;
    double correct = 8.0;
  };
  /// Reports, and returns the server's reply.
  const wire::EvaluationReply& report(const Report& report);

 private:
  static Bytes bytes_of(const Update& update);
  void announce(const Update& update, ByteView bytes);
  template <typename Result>
  Result run(boost::asio::awaitable<Result> work) {
    context_.restart();
    auto result = boost::asio::co_spawn(context_, std::move(work), boost::asio::use_future);
    context_.run();
    return result.get();
  }
  [[noreturn]] static void throw_unexpected(const wire::Message& message);

  boost::asio::io_context context_{1};
  Task task_;
  std::string id_;
  std::optional<net::Identity> identity_;
  std::optional<net::Certificate> authority_;
  std::optional<net::TlsContext> tls_;
  std::unique_ptr<net::Connection> connection_;
  std::vector<std::byte> message_;
  std::vector<std::string> features_;
};

}  // namespace fl::test
