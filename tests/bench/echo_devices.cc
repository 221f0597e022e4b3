#include "tests/bench/echo_devices.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>

#include "common/base/error.h"
#include "common/model/manifest.h"
#include "common/net/connection.h"
#include "protocol/limits.h"

namespace fl::bench {

namespace asio = boost::asio;
using flatbuffers::FlatBufferBuilder;

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds patience{120};

/// When each version was first heard of.
class Announcements {
 public:
  void heard(std::uint64_t version) {
    const std::lock_guard lock(mutex_);
    while (moments_.size() < version) moments_.push_back(Clock::now());
  }
  std::vector<double> seconds_between() const {
    std::vector<double> seconds;
    for (std::size_t i = 2; i < moments_.size(); ++i) {
      seconds.push_back(std::chrono::duration<double>(moments_[i] - moments_[i - 1]).count());
    }
    return seconds;
  }

 private:
  std::mutex mutex_;
  std::vector<Clock::time_point> moments_;
};

/// Numbers in [-0.01, 0.01), by Wellons' "lowbias32" hash of their place; a loop that vectorises.
void fill_with_noise(std::vector<float>& values, std::uint32_t key) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint32_t x = static_cast<std::uint32_t>(i) * 0x9E3779B9U + key;
    x = (x ^ (x >> 16U)) * 0x7FEB352DU;
    x = (x ^ (x >> 15U)) * 0x846CA68BU;
    x ^= x >> 16U;
    values[i] = static_cast<float>(static_cast<std::int32_t>(x)) * (0.01F / 2147483648.0F);
  }
}

class EchoDevice {
 public:
  EchoDevice(const EchoFleet& fleet, std::size_t index, Announcements& announcements)
      : fleet_(fleet), index_(index), announcements_(announcements), delta_(fleet.layout.size()) {}

  asio::awaitable<void> run(std::uint64_t last) {
    co_await connect();
    while (true) {
      co_await fetch_weights();
      if (version_ >= last) break;
      co_await work();
      const std::uint64_t trained = version_;
      while (version_ == trained) co_await next_message();
    }
  }

 private:
  asio::awaitable<void> connect() {
    const net::TlsContext tls = net::TlsContext::for_device(fleet_.devices[index_], fleet_.authority);
    connection_ = co_await net::Connection::connect(fleet_.server, tls, patience);
    connection_->set_limits(limits::message_bytes, limits::chunk_bytes);
    co_await send<wire::Hello>([](FlatBufferBuilder& builder) {
      return wire::CreateHello(builder, limits::protocol_version_min, limits::protocol_version_max);
    });
    co_await send<wire::Subscribe>([this](FlatBufferBuilder& builder) {
      return wire::CreateSubscribe(builder, builder.CreateString(fleet_.task), 0);
    });
    while (version_ == 0) co_await next_message();
  }

  template <typename Table, typename Make>
  asio::awaitable<void> send(Make make) {
    flatbuffers::DetachedBuffer message = wire::make_message<Table>(std::move(make));
    co_await connection_->write_message(std::move(message), patience);
  }

  /// Valid until the next is read. A notice of a version is taken note of.
  asio::awaitable<const wire::Message*> next_message() {
    const wire::Message* const message = co_await connection_->read_message(patience);
    if (const wire::VersionNotice* const notice = message->body_as_VersionNotice()) {
      announcements_.heard(notice->version());
      version_ = notice->version();
      const ByteView manifest = wire::bytes_of(notice->manifest());
      const std::string_view text(reinterpret_cast<const char*>(manifest.data()), manifest.size());
      weights_hash_ = manifest_from_json(text).weights_hash;
    }
    co_return message;
  }

  template <typename Body>
  asio::awaitable<const Body*> expect() {
    for (;;) {
      const wire::Message* const message = co_await next_message();
      if (message->body_type() == wire::BodyTraits<Body>::enum_value)
        co_return static_cast<const Body*>(message->body());
      if (const wire::Refusal* const refusal = message->body_as_Refusal())
        throw Error(ErrorCode::failed_precondition, std::string(wire::text_of(refusal->sentence())));
    }
  }

  asio::awaitable<void> fetch_weights() {
    co_await send<wire::Fetch>([this](FlatBufferBuilder& builder) {
      return wire::CreateFetch(builder, wire::field_of(builder, weights_hash_.bytes), 0);
    });
    const wire::Transfer* const transfer = co_await expect<wire::Transfer>();
    Sha256 running;
    for (std::uint64_t left = transfer->length(); left > 0;) {
      const wire::Frame frame = co_await connection_->read_frame(patience);
      if (frame.kind != wire::FrameKind::chunk) continue;  // KeepAlive
      running.update(frame.payload);
      left -= frame.payload.size();
    }
    if (running.finish() != weights_hash_) throw Error(ErrorCode::invalid_data, "a version came damaged");
  }

  asio::awaitable<void> work() {
    co_await send<wire::WorkRequest>([this](FlatBufferBuilder& builder) {
      return wire::CreateWorkRequest(builder, builder.CreateString(fleet_.task), version_, examples);
    });
    const wire::WorkOffer* const offer = co_await expect<wire::WorkOffer>();
    const std::uint64_t round = offer->round();
    fill_with_noise(delta_, static_cast<std::uint32_t>(offer->seed()));
    co_await announce(round);
    co_await expect<wire::UpdateGo>();
    for (ByteView rest = bytes(); !rest.empty();) {
      const ByteView chunk = rest.first(std::min(rest.size(), limits::sent_chunk_bytes));
      co_await connection_->write_chunk(chunk, patience);
      rest = rest.subspan(chunk.size());
    }
    const wire::UpdateReply* const reply = co_await expect<wire::UpdateReply>();
    if (reply->outcome() != wire::Outcome::accepted)
      throw Error(ErrorCode::failed_precondition, std::string(wire::text_of(reply->sentence())));
  }

  asio::awaitable<void> announce(std::uint64_t round) {
    const Digest hash = sha256(bytes());
    co_await send<wire::UpdateAnnounce>([&](FlatBufferBuilder& builder) {
      const auto task = builder.CreateString(fleet_.task);
      const auto layout = wire::field_of(builder, fleet_.layout.hash().bytes);
      const auto digest = wire::field_of(builder, hash.bytes);
      wire::UpdateAnnounceBuilder message(builder);
      message.add_task(task);
      message.add_round(round);
      message.add_version(version_);
      message.add_layout_hash(layout);
      message.add_hash(digest);
      message.add_length(bytes().size());
      message.add_examples(examples);
      return message.Finish();
    });
  }

  ByteView bytes() const { return as_bytes(std::span<const float>(delta_)); }

  static constexpr std::uint32_t examples = 100;

  const EchoFleet& fleet_;
  std::size_t index_;
  Announcements& announcements_;
  std::vector<float> delta_;
  std::unique_ptr<net::Connection> connection_;
  std::uint64_t version_ = 0;
  Digest weights_hash_;
};

}  // namespace

std::vector<double> run_echo_devices(const EchoFleet& fleet, std::uint64_t last) {
  Announcements announcements;
  asio::io_context context{2};
  std::mutex mutex;
  std::exception_ptr failure;
  std::vector<std::unique_ptr<EchoDevice>> devices;
  for (std::size_t i = 0; i < fleet.devices.size(); ++i) {
    devices.push_back(std::make_unique<EchoDevice>(fleet, i, announcements));
    asio::co_spawn(
        asio::make_strand(context), [device = devices.back().get(), last] { return device->run(last); },
        [&](const std::exception_ptr& thrown) {
          const std::lock_guard lock(mutex);
          if (thrown && !failure) failure = thrown;
          if (thrown) context.stop();
        });
  }
  {
    const std::jthread other([&] { context.run(); });
    context.run();
  }
  if (failure) std::rethrow_exception(failure);
  return announcements.seconds_between();
}

}  // namespace fl::bench
