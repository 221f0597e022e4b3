#include "tests/unit/transfers/cutting_relay.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace fl::test {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// A full record of TLS 1.3: 16 KiB, its real type and a tag.
constexpr std::size_t full_record_bytes = 16384 + 1 + 16;

}  // namespace

std::size_t FrameCounter::until_frame_end(std::span<const unsigned char> bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (left_ == 0) {
      header_.at(in_header_++) = bytes[at++];
      if (in_header_ < header_bytes) continue;
      in_header_ = 0;
      left_ = header_.at(3) * std::size_t{256} + header_.at(4);
      full_ = left_ == full_record_bytes;
      continue;
    }
    const std::size_t step = std::min(left_, bytes.size() - at);
    at += step;
    left_ -= step;
    if (left_ > 0 || full_) continue;
    ++frames_;
    break;
  }
  return at;
}

/// One connection's two sockets.
struct CuttingRelay::Line {
  Line(tcp::socket from_device, tcp::socket to_server, std::optional<Cut> where)
      : device(std::move(from_device)), server(std::move(to_server)), cut(where) {}

  tcp::socket& from(Way way) { return way == Way::down ? server : device; }
  tcp::socket& to(Way way) { return way == Way::down ? device : server; }

  void reset() {
    for (tcp::socket* const socket : {&device, &server}) {
      error_code ignored;
      socket->set_option(asio::socket_base::linger(true, 0), ignored);
      socket->close(ignored);
    }
  }

  tcp::socket device;
  tcp::socket server;
  std::optional<Cut> cut;
  std::array<FrameCounter, 2> counters;
  bool is_cut = false;
};

CuttingRelay::CuttingRelay(std::uint16_t server_port)
    : server_port_(server_port),
      acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      port_(acceptor_.local_endpoint().port()) {
  asio::co_spawn(context_, listen(), asio::detached);
  thread_ = std::thread([this] { context_.run(); });
}

CuttingRelay::~CuttingRelay() {
  context_.stop();
  thread_.join();
}

void CuttingRelay::cut_next(const Cut& cut) {
  const std::lock_guard lock(mutex_);
  cuts_.push_back(cut);
}

std::size_t CuttingRelay::cuts_left() const {
  const std::lock_guard lock(mutex_);
  return cuts_.size();
}

CuttingRelay::Passed CuttingRelay::passed(Way way) const {
  const std::lock_guard lock(mutex_);
  return passed_.at(static_cast<std::size_t>(way));
}

std::uint64_t CuttingRelay::bytes(Way way) const {
  return passed(way).bytes;
}

std::uint64_t CuttingRelay::frames(Way way) const {
  return passed(way).frames;
}

asio::awaitable<void> CuttingRelay::listen() {
  for (;;) {
    tcp::socket device = co_await acceptor_.async_accept(asio::use_awaitable);
    asio::co_spawn(context_, serve(std::move(device)), asio::detached);
  }
}

asio::awaitable<void> CuttingRelay::serve(tcp::socket device) {
  tcp::socket server(context_);
  const tcp::endpoint there(asio::ip::address_v4::loopback(), server_port_);
  error_code refused;
  co_await server.async_connect(there, asio::redirect_error(asio::use_awaitable, refused));
  if (refused) co_return;
  std::optional<Cut> cut;
  {
    const std::lock_guard lock(mutex_);
    if (!cuts_.empty()) {
      cut = cuts_.front();
      cuts_.pop_front();
    }
  }
  const auto line = std::make_shared<Line>(std::move(device), std::move(server), cut);
  asio::co_spawn(context_, pump(line, Way::down), asio::detached);
  asio::co_spawn(context_, pump(line, Way::up), asio::detached);
}

/// Takes from `bytes` those that do not pass; whether the connection's cut has come.
bool CuttingRelay::pass(Line& line, Way way, std::span<const unsigned char>& bytes) {
  FrameCounter& counter = line.counters.at(static_cast<std::size_t>(way));
  const std::uint64_t before = counter.frames();
  std::size_t passing = 0;
  while (passing < bytes.size()) {
    const bool counts = line.cut && line.cut->way == way && counter.frames() >= line.cut->frames;
    if (counts && line.cut->bytes == 0) break;
    const std::size_t most =
        counts ? std::min<std::uint64_t>(bytes.size() - passing, line.cut->bytes) : bytes.size() - passing;
    const std::size_t step = counter.until_frame_end(bytes.subspan(passing, most));
    if (counts) line.cut->bytes -= step;
    passing += step;
  }
  bytes = bytes.first(passing);
  const std::lock_guard lock(mutex_);
  Passed& all = passed_.at(static_cast<std::size_t>(way));
  all.bytes += passing;
  all.frames += counter.frames() - before;
  return line.cut && line.cut->way == way && counter.frames() >= line.cut->frames && line.cut->bytes == 0;
}

asio::awaitable<void> CuttingRelay::pump(std::shared_ptr<Line> line, Way way) {
  std::array<unsigned char, 16384> buffer{};
  error_code failure;
  while (!failure) {
    const std::size_t count = co_await line->from(way).async_read_some(
        asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, failure));
    if (line->is_cut) continue;  // what comes now is lost
    std::span<const unsigned char> bytes(buffer.data(), count);
    line->is_cut = pass(*line, way, bytes);
    error_code gone;
    co_await asio::async_write(line->to(way), asio::buffer(bytes.data(), bytes.size()),
                               asio::redirect_error(asio::use_awaitable, gone));
    if (!line->is_cut) continue;
    if (line->cut->abrupt) line->reset();
    break;
  }
  // The other side closes once it has read to the end; with that the line ends, and its sockets with it.
  error_code closed;
  line->to(way).shutdown(tcp::socket::shutdown_send, closed);
}

}  // namespace fl::test
