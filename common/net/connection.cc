#include "common/net/connection.h"

#include <algorithm>
#include <string>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/base/error.h"
#include "common/net/connecting.h"
#include "common/net/tls_stream.h"
#include "common/net/waiting.h"
#include "protocol/limits.h"

namespace fl::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// The header travels in one record with the beginning of the payload, which is copied for it.
constexpr std::size_t record_bytes = 16384;
// More than a record of data may hold: without any data so much is renewals of keys and the like.
constexpr std::uint64_t most_fruitless_bytes = 65536;
// A peer that keeps us busy lets others of the same thread have their turn after so much.
constexpr std::size_t bytes_without_pause = std::size_t{1} << 20U;

std::string address_of(const tcp::socket& socket) {
  error_code error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) throw Error(ErrorCode::unavailable, "the peer closed before the TLS handshake");
  return Endpoint{peer.address().to_string(), peer.port()}.text();
}

// The header and as much of the payload as a record has room for.
Bytes first_record(wire::FrameKind kind, ByteView payload) {
  const auto header = wire::frame_header(kind, payload.size());
  const ByteView beginning = payload.first(std::min(payload.size(), record_bytes - header.size()));
  Bytes record;
  record.reserve(header.size() + beginning.size());
  record.insert(record.end(), header.begin(), header.end());
  record.insert(record.end(), beginning.begin(), beginning.end());
  return record;
}

}  // namespace

// Coroutines hold it by themselves, so that a Connection may be destroyed while they wait.
struct Connection::State {
  State(tcp::socket connected, const TlsContext& tls, const std::string& peer_name)
      : socket(std::move(connected)),
        address(address_of(socket)),
        name(peer_name.empty() ? address : peer_name),
        stream(tls, socket.native_handle(), name) {}

  static asio::awaitable<void> handshake(std::shared_ptr<State> self, Duration limit);
  static asio::awaitable<wire::Frame> read(std::shared_ptr<State> self, Duration limit);
  static asio::awaitable<const wire::Message*> read_message(std::shared_ptr<State> self, Duration limit);
  static asio::awaitable<void> write(std::shared_ptr<State> self, wire::FrameKind kind, ByteView payload,
                                     Duration limit);
  static asio::awaitable<void> write_chunk(std::shared_ptr<State> self, wire::FrameKind kind, ByteView bytes,
                                           Duration limit);
  static asio::awaitable<void> write_message(std::shared_ptr<State> self, flatbuffers::DetachedBuffer message,
                                             Duration limit);

  asio::awaitable<void> wait(TlsStream::Outcome outcome, Deadline deadline);
  asio::awaitable<void> pause();
  void require_fruit(std::size_t bytes);
  /// Until when more of the frame that is next must come.
  Deadline frame_deadline(Deadline silence, Duration limit);
  asio::awaitable<void> take_turn(Deadline deadline);
  asio::awaitable<void> send(ByteView bytes, Deadline deadline);
  asio::awaitable<void> send_frame(wire::FrameKind kind, ByteView payload, Deadline deadline);

  Error fault(ErrorCode code, const std::string& sentence) const {
    return Error(code, sentence).within(name);
  }
  Error cancelled() const;
  Error end_of_stream() const;
  void require_open() const;
  void throw_unless_ready(Waited waited) const;
  void close();

  tcp::socket socket;
  const std::string address;
  const std::string name;  // for errors: as the caller named the server, or the address
  TlsStream stream;
  std::optional<Deadline> frame_begun;
  wire::FrameDecoder decoder{limits::first_message_bytes, 0};
  std::optional<Certificate> certificate;
  Turns turns;  // of the writers
  std::optional<Error> write_fault;
  std::uint64_t received_with_data = 0;
  std::size_t read_without_pause = 0;
  std::size_t written_without_pause = 0;
  bool closed = false;
};

Error Connection::State::cancelled() const {
  return fault(ErrorCode::cancelled, closed ? "the connection was closed on this side" : "cancelled");
}

Error Connection::State::end_of_stream() const {
  if (decoder.between_frames()) return fault(ErrorCode::unavailable, "closed by the peer");
  return fault(ErrorCode::protocol, "the peer closed inside a frame, which was cut off");
}

void Connection::State::require_open() const {
  if (closed) throw cancelled();
}

void Connection::State::throw_unless_ready(Waited waited) const {
  if (closed || waited == Waited::cancelled) throw cancelled();
  if (waited == Waited::timeout)
    throw fault(ErrorCode::timeout, "the peer took longer than the time allowed");
}

asio::awaitable<void> Connection::State::wait(TlsStream::Outcome outcome, Deadline deadline) {
  const bool reads = outcome == TlsStream::Outcome::want_read;
  if (std::chrono::steady_clock::now() >= deadline) throw_unless_ready(Waited::timeout);
  throw_unless_ready(
      co_await wait_for(socket, reads ? tcp::socket::wait_read : tcp::socket::wait_write, deadline));
}

asio::awaitable<void> Connection::State::pause() {
  co_await asio::post(socket.get_executor(), asio::use_awaitable);
  require_open();
}

asio::awaitable<void> Connection::State::handshake(std::shared_ptr<State> self, Duration limit) {
  const Deadline deadline = deadline_after(limit);
  error_code ignored;
  self->socket.native_non_blocking(true, ignored);
  self->socket.set_option(tcp::no_delay(true), ignored);
  for (;;) {
    const TlsStream::Result result = self->stream.handshake();
    if (result.outcome == TlsStream::Outcome::done) break;
    co_await self->wait(result.outcome, deadline);
  }
  self->certificate = self->stream.peer_certificate();
  self->received_with_data = self->stream.received();
}

void Connection::State::require_fruit(std::size_t bytes) {
  if (bytes > 0) received_with_data = stream.received();
  if (stream.received() - received_with_data > most_fruitless_bytes) {
    throw fault(ErrorCode::protocol, "the peer sends TLS records without data");
  }
}

Deadline Connection::State::frame_deadline(Deadline silence, Duration limit) {
  if (decoder.between_frames()) return silence;
  if (!frame_begun) frame_begun = std::chrono::steady_clock::now();
  return *frame_begun + std::min<Duration>(limit, limits::frame_time);
}

asio::awaitable<wire::Frame> Connection::State::read(std::shared_ptr<State> self, Duration limit) {
  const Deadline silence = deadline_after(limit);
  try {
    for (;;) {
      self->require_open();
      if (const auto frame = self->decoder.next()) {
        self->frame_begun.reset();
        co_return *frame;
      }
      const wire::FrameFault fault = self->decoder.fault();
      if (fault != wire::FrameFault::none) throw self->fault(ErrorCode::protocol, wire::sentence(fault));
      const TlsStream::Result result = self->stream.read(self->decoder.space());
      if (result.outcome == TlsStream::Outcome::closed) throw self->end_of_stream();
      self->decoder.filled(result.count);
      self->require_fruit(result.count);
      self->read_without_pause += result.count;
      if (result.outcome != TlsStream::Outcome::done) {
        self->read_without_pause = 0;
        const Deadline deadline = self->frame_deadline(silence, limit);
        co_await self->wait(result.outcome, deadline);
      } else if (self->read_without_pause > bytes_without_pause) {
        self->read_without_pause = 0;
        co_await self->pause();
      }
    }
  } catch (const boost::system::system_error&) {  // how Asio says that the coroutine was cancelled meanwhile
    throw self->cancelled();
  }
}

asio::awaitable<const wire::Message*> Connection::State::read_message(std::shared_ptr<State> self,
                                                                      Duration limit) {
  const wire::Frame frame = co_await read(self, limit);
  if (frame.kind != wire::FrameKind::message) {
    throw self->fault(ErrorCode::protocol, "the peer sent a chunk where a message was expected");
  }
  const wire::Message* const message = wire::verified_message(frame.payload);
  if (message == nullptr)
    throw self->fault(ErrorCode::protocol, "the peer sent a message that does not verify");
  co_return message;
}

asio::awaitable<void> Connection::State::take_turn(Deadline deadline) {
  require_open();
  if (!turns.try_take()) throw_unless_ready(co_await turns.wait(socket.get_executor(), deadline));
}

asio::awaitable<void> Connection::State::send(ByteView bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const TlsStream::Result result = stream.write(bytes);
    if (result.outcome == TlsStream::Outcome::closed)
      throw fault(ErrorCode::unavailable, "closed by the peer");
    bytes = bytes.subspan(result.count);
    written_without_pause += result.count;
    if (result.outcome != TlsStream::Outcome::done) {
      written_without_pause = 0;
      co_await wait(result.outcome, deadline);
    } else if (written_without_pause > bytes_without_pause) {
      written_without_pause = 0;
      co_await pause();
    }
  }
}

asio::awaitable<void> Connection::State::send_frame(wire::FrameKind kind, ByteView payload,
                                                    Deadline deadline) {
  const Bytes first = first_record(kind, payload);
  co_await send(first, deadline);
  co_await send(payload.subspan(first.size() - wire::frame_header_bytes), deadline);
}

asio::awaitable<void> Connection::State::write(std::shared_ptr<State> self, wire::FrameKind kind,
                                               ByteView payload, Duration limit) {
  const Deadline deadline = deadline_after(limit);
  try {
    co_await self->take_turn(deadline);
  } catch (const boost::system::system_error&) {
    throw self->cancelled();
  }
  const Turn turn(self->turns);
  if (self->write_fault) throw *self->write_fault;
  try {
    co_await self->send_frame(kind, payload, deadline);
  } catch (const Error& error) {
    self->write_fault = error;  // the frame is cut off, nothing may follow it
    throw;
  } catch (const boost::system::system_error&) {
    self->write_fault = self->cancelled();
    throw *self->write_fault;
  }
}

asio::awaitable<void> Connection::State::write_message(std::shared_ptr<State> self,
                                                       flatbuffers::DetachedBuffer message, Duration limit) {
  if (message.size() > limits::message_bytes) {
    throw self->fault(ErrorCode::invalid_argument, "a message of " + std::to_string(message.size()) +
                                                       " bytes is over the limit of 512 KiB");
  }
  co_await write(self, wire::FrameKind::message, wire::as_bytes(message), limit);
}

asio::awaitable<void> Connection::State::write_chunk(std::shared_ptr<State> self, wire::FrameKind kind,
                                                     ByteView bytes, Duration limit) {
  if (bytes.empty() || bytes.size() > limits::chunk_bytes) {
    throw self->fault(ErrorCode::invalid_argument,
                      "a chunk has 1 byte to 1 MiB, not " + std::to_string(bytes.size()));
  }
  return write(std::move(self), kind, bytes, limit);
}

void Connection::State::close() {
  if (closed) return;
  closed = true;
  stream.goodbye();
  error_code ignored;
  socket.close(ignored);
  turns.cancel_all();
}

Connection::Connection(std::shared_ptr<State> state) : state_(std::move(state)) {}

Connection::~Connection() {
  close();
}

asio::awaitable<std::unique_ptr<Connection>> Connection::connect(const Endpoint& server,
                                                                 const TlsContext& tls, Duration limit) {
  try {
    tcp::socket socket = co_await connect_socket(server, deadline_after(limit));
    auto state = std::make_shared<State>(std::move(socket), tls, server.text());
    co_await State::handshake(state, limit);
    co_return std::unique_ptr<Connection>(new Connection(std::move(state)));
  } catch (const boost::system::system_error&) {
    throw Error(ErrorCode::cancelled, "connecting to " + server.text() + ": cancelled");
  }
}

asio::awaitable<std::unique_ptr<Connection>> Connection::accept(tcp::socket socket, const TlsContext& tls,
                                                                Duration limit) {
  try {
    auto state = std::make_shared<State>(std::move(socket), tls, std::string());
    co_await State::handshake(state, limit);
    co_return std::unique_ptr<Connection>(new Connection(std::move(state)));
  } catch (const boost::system::system_error&) {
    throw Error(ErrorCode::cancelled, "accepting a connection: cancelled");
  }
}

std::string_view Connection::alpn() const {
  return state_->stream.alpn();
}

bool Connection::resumed() const {
  return state_->stream.resumed();
}

const std::optional<Certificate>& Connection::peer_certificate() const {
  return state_->certificate;
}

std::optional<Certificate> Connection::peer_authority() const {
  return state_->stream.peer_authority();
}

const std::string& Connection::peer_address() const {
  return state_->address;
}

void Connection::set_limits(std::size_t message_limit, std::size_t chunk_limit) {
  state_->decoder.set_limits(message_limit, chunk_limit);
}

asio::awaitable<wire::Frame> Connection::read_frame(Duration limit) {
  return State::read(state_, limit);
}

asio::awaitable<const wire::Message*> Connection::read_message(Duration limit) {
  return State::read_message(state_, limit);
}

asio::awaitable<void> Connection::write_message(flatbuffers::DetachedBuffer message, Duration limit) {
  return State::write_message(state_, std::move(message), limit);
}

asio::awaitable<void> Connection::write_chunk(ByteView bytes, Duration limit) {
  return State::write_chunk(state_, wire::FrameKind::chunk, bytes, limit);
}

asio::awaitable<void> Connection::write_compressed_chunk(ByteView bytes, Duration limit) {
  return State::write_chunk(state_, wire::FrameKind::compressed_chunk, bytes, limit);
}

void Connection::close() {
  state_->close();
}

std::uint64_t Connection::bytes_received() const {
  return state_->stream.received();
}

std::uint64_t Connection::bytes_sent() const {
  return state_->stream.sent();
}

}  // namespace fl::net
