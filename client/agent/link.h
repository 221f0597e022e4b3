#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "client/agent/work.h"
#include "client/store/part_file.h"
#include "common/base/bytes.h"
#include "common/net/connection.h"
#include "protocol/message.h"

namespace fl::client {

/// A connection to a server that has welcomed this device. Reads all the time, so that what the server may
/// send at any moment (VersionNotice, Subscribed, WorkOffer, WorkLater, TaskNotice, EvaluationOffer) never
/// waits behind, and tells `on_push` of it; everything else is the answer to a question. Sends KeepAlive when
/// it has been silent.
///
/// Everything runs on the connection's executor. One coroutine at a time asks, waits or receives; after any
/// of them has thrown anything but what a Refusal to an answer means, only the destructor may follow. Besides
/// what net::Connection throws, they throw Error(protocol) where the server says something at the wrong time,
/// and what error_from() makes of a Refusal that closes.
class Link {
 public:
  using Duration = std::chrono::steady_clock::duration;
  using Push = std::function<void(const wire::Message&)>;

  /// An answer of the server's; owns its bytes.
  class Answer {
   public:
    explicit Answer(ByteView payload) : bytes_(payload.begin(), payload.end()) {}
    const wire::Message& message() const;
    /// The body, if it is of this type. Throws Error(protocol) naming the type that came instead, or, where
    /// a Refusal came, what it says.
    template <typename Table>
    const Table& as() const {
      if (const Table* body = message().body_as<Table>()) return *body;
      refuse();
    }

   private:
    [[noreturn]] void refuse() const;
    Bytes bytes_;
  };

  /// How long silence lasts: this device's before it sends KeepAlive, and the server's while a part of a
  /// version is fetched.
  struct Silence {
    Duration ours;
    Duration theirs;
  };

  /// `executor` is the connection's. `on_push` is called on it, until the Link ends; what it throws ends the
  /// connection.
  Link(std::unique_ptr<net::Connection> connection, const boost::asio::any_io_executor& executor,
       Silence silence, Push on_push);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  /// Closes the connection.
  ~Link();

  boost::asio::awaitable<void> send(flatbuffers::DetachedBuffer message);
  /// Sends `bytes` as chunks, compressed where asked for and where it helps; they must stay valid until this
  /// returns.
  boost::asio::awaitable<void> send_bulk(ByteView bytes, bool compress);

  /// The next answer. Throws Error(timeout) where the server says nothing, not even KeepAlive, for `silence`:
  /// one that is busy with others may let a device wait; and where it has not answered at `until`.
  boost::asio::awaitable<Answer> answer(Duration silence, Moment until = Moment::max());
  /// Fetches what `part` lacks of the part named by `hash`, and takes the chunks into it until it is
  /// complete; `on_progress` may be empty. Throws Error(timeout) where the server says nothing for too long,
  /// or no chunk comes for so long once they have begun.
  boost::asio::awaitable<void> fetch(const Digest& hash, PartFile& part, std::function<void()> on_progress);
  /// Returns when something was pushed or answered, after wake(), or at `until`.
  boost::asio::awaitable<void> rest(Moment until);
  void wake();
  /// Whether an answer waits to be taken.
  bool has_answer() const;

  std::uint64_t bytes_received() const;
  std::uint64_t bytes_sent() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace fl::client
