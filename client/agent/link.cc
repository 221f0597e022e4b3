#include "client/agent/link.h"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "client/agent/messages.h"
#include "common/base/error.h"
#include "protocol/compression.h"
#include "protocol/limits.h"

namespace fl::client {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using Clock = std::chrono::steady_clock;

bool is_pushed(wire::Body body) {
  switch (body) {
    case wire::Body::VersionNotice:
    case wire::Body::Subscribed:
    case wire::Body::WorkOffer:
    case wire::Body::WorkLater:
    case wire::Body::EvaluationOffer:
    case wire::Body::TaskNotice:
      return true;
    default:
      return false;
  }
}

awaitable<void> wait(asio::steady_timer& timer, Moment until) {
  boost::system::error_code ignored;
  timer.expires_at(until);
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace

// The reading and the keeping alive hold it, so that it outlives the Link until both have ended.
struct Link::State {
  State(std::unique_ptr<net::Connection> to, const asio::any_io_executor& executor, Silence lasts, Push push)
      : connection(std::move(to)),
        silence(lasts),
        on_push(std::move(push)),
        signal(executor, Moment::max()),
        silence_timer(executor, Moment::max()) {}

  void take(const wire::Frame& frame);
  void take_message(const wire::Message& message, ByteView payload);
  void fail(std::exception_ptr why);
  void end();
  void require_well() const;
  awaitable<void> send(flatbuffers::DetachedBuffer message);

  static awaitable<void> read(std::shared_ptr<State> self);
  static awaitable<void> keep_awake(std::shared_ptr<State> self);

  std::unique_ptr<net::Connection> connection;
  Silence silence;
  Push on_push;
  asio::steady_timer signal;  // cancelled whenever the one that waits should look again
  asio::steady_timer silence_timer;
  Moment last_sent = Clock::now();
  Moment last_heard = Clock::now();
  Moment last_chunk = Clock::now();
  std::optional<Answer> answer;
  PartFile* part = nullptr;
  std::exception_ptr failure;
  bool ended = false;
};

const wire::Message& Link::Answer::message() const {
  return *wire::GetMessage(bytes_.data());
}

void Link::Answer::refuse() const {
  if (const auto* refusal = message().body_as_Refusal()) throw error_from(*refusal);
  throw Error(ErrorCode::protocol,
              std::string("the server sent ") + wire::body_name(message()) + " where it is no answer");
}

void Link::State::take(const wire::Frame& frame) {
  last_heard = Clock::now();
  if (frame.kind == wire::FrameKind::message) {
    const wire::Message* message = wire::verified_message(frame.payload);
    if (message == nullptr)
      throw Error(ErrorCode::protocol, "the server sent a message that does not verify");
    take_message(*message, frame.payload);
    return;
  }
  if (part == nullptr || frame.kind != wire::FrameKind::chunk) {
    throw Error(ErrorCode::protocol, "the server sent bulk bytes that nobody asked for");
  }
  part->append(frame.payload);
  last_chunk = last_heard;
  signal.cancel();
}

void Link::State::take_message(const wire::Message& message, ByteView payload) {
  if (message.body_type() == wire::Body::KeepAlive) return;
  if (const auto* refusal = message.body_as_Refusal(); refusal != nullptr && refusal->closes()) {
    throw error_from(*refusal);
  }
  if (is_pushed(message.body_type())) {
    on_push(message);
  } else if (answer) {
    throw Error(ErrorCode::protocol, std::string("the server sent ") + wire::body_name(message) +
                                         " and nobody had asked for a second answer");
  } else {
    answer.emplace(payload);
  }
  signal.cancel();
}

void Link::State::fail(std::exception_ptr why) {
  if (!failure) failure = std::move(why);
  silence_timer.cancel();
  signal.cancel();
}

void Link::State::end() {
  ended = true;
  on_push = nullptr;
  part = nullptr;
  silence_timer.cancel();
  connection->close();
}

void Link::State::require_well() const {
  if (failure) std::rethrow_exception(failure);
}

awaitable<void> Link::State::send(flatbuffers::DetachedBuffer message) {
  last_sent = Clock::now();
  co_await connection->write_message(std::move(message), limits::frame_time);
}

awaitable<void> Link::State::read(std::shared_ptr<State> self) {
  try {
    while (!self->ended) {
      const wire::Frame frame = co_await self->connection->read_frame(limits::idle_time);
      if (!self->ended) self->take(frame);
    }
  } catch (...) {
    self->fail(std::current_exception());
  }
}

awaitable<void> Link::State::keep_awake(std::shared_ptr<State> self) {
  try {
    while (!self->ended && !self->failure) {
      const Moment due = self->last_sent + self->silence.ours;
      if (due <= Clock::now()) {
        co_await self->send(keep_alive_message());
      } else {
        co_await wait(self->silence_timer, due);
      }
    }
  } catch (...) {
    self->fail(std::current_exception());
  }
}

Link::Link(std::unique_ptr<net::Connection> connection, const asio::any_io_executor& executor,
           Silence silence, Push on_push) {
  state_ = std::make_shared<State>(std::move(connection), executor, silence, std::move(on_push));
  asio::co_spawn(executor, State::read(state_), asio::detached);
  asio::co_spawn(executor, State::keep_awake(state_), asio::detached);
}

Link::~Link() {
  state_->end();
}

awaitable<void> Link::send(flatbuffers::DetachedBuffer message) {
  state_->require_well();
  co_await state_->send(std::move(message));
}

awaitable<void> Link::send_bulk(ByteView bytes, bool compress) {
  std::optional<wire::ChunkCompressor> compressor;
  if (compress) compressor.emplace();
  while (!bytes.empty()) {
    state_->require_well();
    const ByteView chunk = bytes.first(std::min(bytes.size(), limits::sent_chunk_bytes));
    state_->last_sent = Clock::now();
    const ByteView compressed = compressor ? compressor->compress(chunk) : ByteView();
    if (compressed.empty()) {
      co_await state_->connection->write_chunk(chunk, limits::frame_time);
    } else {
      co_await state_->connection->write_compressed_chunk(compressed, limits::frame_time);
    }
    bytes = bytes.subspan(chunk.size());
  }
}

awaitable<Link::Answer> Link::answer(Duration silence, Moment until) {
  const Moment asked = Clock::now();
  while (!state_->answer) {
    state_->require_well();
    const Moment deadline = std::min(until, std::max(asked, state_->last_heard) + silence);
    if (Clock::now() >= deadline) throw Error(ErrorCode::timeout, "the server did not answer in time");
    co_await wait(state_->signal, deadline);
  }
  Answer answer = std::move(*state_->answer);
  state_->answer.reset();
  co_return answer;
}

awaitable<void> Link::fetch(const Digest& hash, PartFile& part, std::function<void()> on_progress) {
  const std::uint64_t offset = part.offset();
  state_->part = &part;  // before asking: the chunks come right behind the answer
  const std::shared_ptr<void> forget(nullptr, [state = state_](void*) { state->part = nullptr; });
  co_await send(fetch_message(hash, offset));
  const Answer answered = co_await answer(state_->silence.theirs);
  const auto& transfer = answered.as<wire::Transfer>();
  if (transfer.length() != part.bytes() || transfer.offset() != offset) {
    throw Error(ErrorCode::protocol, "the server sends another part of a version than was asked for");
  }
  state_->last_chunk = Clock::now();
  while (!part.complete()) {
    state_->require_well();
    const Moment deadline = state_->last_chunk + state_->silence.theirs;
    if (Clock::now() >= deadline) throw Error(ErrorCode::timeout, "the server stopped sending a version");
    co_await wait(state_->signal, deadline);
    if (on_progress) on_progress();
  }
}

awaitable<void> Link::rest(Moment until) {
  state_->require_well();
  co_await wait(state_->signal, until);  // what came before a failure is looked at first
}

void Link::wake() {
  state_->signal.cancel();
}

bool Link::has_answer() const {
  return state_->answer.has_value();
}

std::uint64_t Link::bytes_received() const {
  return state_->connection->bytes_received();
}

std::uint64_t Link::bytes_sent() const {
  return state_->connection->bytes_sent();
}

}  // namespace fl::client
