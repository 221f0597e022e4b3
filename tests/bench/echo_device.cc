#include "tests/bench/echo_device.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "common/base/error.h"
#include "common/model/manifest.h"
#include "protocol/limits.h"

namespace fl::bench {

using boost::asio::awaitable;
using flatbuffers::FlatBufferBuilder;

namespace {

constexpr std::chrono::seconds patience{120};
constexpr std::uint32_t examples = 100;

constexpr float largest = 0.01F;

/// By Wellons' "lowbias32" hash of its place; loops with it vectorise.
std::uint32_t noise_at(std::size_t place, std::uint32_t key) {
  std::uint32_t x = static_cast<std::uint32_t>(place) * 0x9E3779B9U + key;
  x = (x ^ (x >> 16U)) * 0x7FEB352DU;
  x = (x ^ (x >> 15U)) * 0x846CA68BU;
  return x ^ (x >> 16U);
}

/// Fills an update of so many elements in [-0.01, 0.01].
void fill_as_fp32(Bytes& bytes, std::size_t elements, std::uint32_t key) {
  for (std::size_t i = 0; i < elements; ++i) {
    const float value = static_cast<float>(static_cast<std::int32_t>(noise_at(i, key))) * (largest / 0x1p31F);
    std::memcpy(bytes.data() + i * sizeof value, &value, sizeof value);
  }
}

void fill_as_int8(Bytes& bytes, std::size_t elements, std::uint32_t key) {
  constexpr float scale = largest / 127.0F;
  std::byte* out = bytes.data();
  for (std::size_t first = 0; first < elements; first += encoding_block) {
    std::memcpy(out, &scale, sizeof scale);
    out += sizeof scale;
    const std::size_t count = std::min(encoding_block, elements - first);
    for (std::size_t i = 0; i < count; ++i)
      out[i] = static_cast<std::byte>(static_cast<int>((noise_at(first + i, key) >> 24U) % 255U) - 127);
    out += count;
  }
}

}  // namespace

struct EchoDevice::Wire {
  template <typename Table, typename Make>
  static awaitable<void> send(EchoDevice& device, Make make) {
    flatbuffers::DetachedBuffer message = wire::make_message<Table>(std::move(make));
    co_await device.connection_->write_message(std::move(message), patience);
  }

  /// Valid until the next is read. A notice of a version is taken note of.
  static awaitable<const wire::Message*> next(EchoDevice& device) {
    const wire::Message* const message = co_await device.connection_->read_message(patience);
    if (const wire::VersionNotice* const notice = message->body_as_VersionNotice()) note(device, *notice);
    if (const wire::Refusal* const refusal = message->body_as_Refusal())
      throw Error(ErrorCode::failed_precondition, std::string(wire::text_of(refusal->sentence())));
    co_return message;
  }

  template <typename Body>
  static awaitable<const Body*> expect(EchoDevice& device) {
    for (;;) {
      const wire::Message* const message = co_await next(device);
      if (message->body_type() == wire::BodyTraits<Body>::enum_value)
        co_return static_cast<const Body*>(message->body());
    }
  }

  /// Asks for the newest weights and gives each piece of them to `take`.
  template <typename Take>
  static awaitable<void> fetch(EchoDevice& device, Take take) {
    const auto ask = [&](FlatBufferBuilder& builder) {
      return wire::CreateFetch(builder, wire::field_of(builder, device.weights_hash_.bytes), 0);
    };
    co_await send<wire::Fetch>(device, ask);
    const wire::Transfer* const transfer = co_await expect<wire::Transfer>(device);
    for (std::uint64_t left = transfer->length(); left > 0;) {
      const wire::Frame frame = co_await device.connection_->read_frame(patience);
      if (frame.kind != wire::FrameKind::chunk) continue;  // KeepAlive
      take(frame.payload);
      left -= frame.payload.size();
    }
  }

  static awaitable<void> announce(EchoDevice& device, ByteView bytes) {
    const Digest hash = sha256(bytes);
    const auto make = [&](FlatBufferBuilder& builder) {
      const auto task = builder.CreateString(device.fleet_.task);
      const auto layout = wire::field_of(builder, device.fleet_.layout.hash().bytes);
      const auto digest = wire::field_of(builder, hash.bytes);
      wire::UpdateAnnounceBuilder message(builder);
      message.add_task(task);
      message.add_round(device.round_);
      message.add_version(device.trained_version_);
      message.add_layout_hash(layout);
      message.add_hash(digest);
      message.add_length(bytes.size());
      message.add_examples(examples);
      message.add_encoding(static_cast<wire::Encoding>(device.fleet_.encoding));
      return message.Finish();
    };
    co_await send<wire::UpdateAnnounce>(device, make);
  }

 private:
  static void note(EchoDevice& device, const wire::VersionNotice& notice) {
    if (device.on_version_) device.on_version_(notice.version());
    device.version_ = notice.version();
    const ByteView manifest = wire::bytes_of(notice.manifest());
    const std::string_view text(reinterpret_cast<const char*>(manifest.data()), manifest.size());
    device.weights_hash_ = manifest_from_json(text).weights_hash;
  }
};

EchoDevice::EchoDevice(const EchoFleet& fleet, std::size_t index, OnVersion on_version)
    : fleet_(fleet),
      on_version_(std::move(on_version)),
      tls_(net::TlsContext::for_device(fleet.devices.at(index), fleet.authority)) {}

awaitable<void> EchoDevice::connect() {
  connection_ = co_await net::Connection::connect(fleet_.server, tls_, patience);
  connection_->set_limits(limits::message_bytes, limits::chunk_bytes);
  const auto hello = [](FlatBufferBuilder& builder) {
    return wire::CreateHello(builder, limits::protocol_version_min, limits::protocol_version_max);
  };
  co_await Wire::send<wire::Hello>(*this, hello);
  co_await Wire::expect<wire::Welcome>(*this);
  const std::uint64_t held = version_;
  const auto subscribe = [this, held](FlatBufferBuilder& builder) {
    return wire::CreateSubscribe(builder, builder.CreateString(fleet_.task), held);
  };
  co_await Wire::send<wire::Subscribe>(*this, subscribe);
  for (;;) {
    const wire::Message* const message = co_await Wire::next(*this);
    if (version_ > held || message->body_as_Subscribed() != nullptr) co_return;
  }
}

awaitable<void> EchoDevice::keep_alive() {
  const auto make = [](FlatBufferBuilder& builder) { return wire::CreateKeepAlive(builder); };
  co_await Wire::send<wire::KeepAlive>(*this, make);
}

awaitable<void> EchoDevice::hear_of_version() {
  const std::uint64_t known = version_;
  while (version_ == known) co_await Wire::next(*this);
}

awaitable<void> EchoDevice::fetch_weights() {
  Sha256 running;
  const auto hash = [&](ByteView piece) { running.update(piece); };
  co_await Wire::fetch(*this, hash);
  if (running.finish() != weights_hash_) throw Error(ErrorCode::invalid_data, "a version came damaged");
}

awaitable<void> EchoDevice::pass_weights_over() {
  const auto pass_over = [](ByteView /*piece*/) {};
  co_await Wire::fetch(*this, pass_over);
}

awaitable<void> EchoDevice::take_offer() {
  const auto ask = [this](FlatBufferBuilder& builder) {
    return wire::CreateWorkRequest(builder, builder.CreateString(fleet_.task), version_, examples);
  };
  co_await Wire::send<wire::WorkRequest>(*this, ask);
  const wire::WorkOffer* const offer = co_await Wire::expect<wire::WorkOffer>(*this);
  round_ = offer->round();
  trained_version_ = offer->version();
  const auto key = static_cast<std::uint32_t>(offer->seed());
  update_.resize(encoded_bytes(fleet_.encoding, fleet_.layout.size()));
  const auto fill = fleet_.encoding == Encoding::int8 ? fill_as_int8 : fill_as_fp32;
  fill(update_, fleet_.layout.size(), key);
}

awaitable<void> EchoDevice::send_update() {
  co_await Wire::announce(*this, update_);
  co_await Wire::expect<wire::UpdateGo>(*this);
  for (ByteView rest = update_; !rest.empty();) {
    const ByteView chunk = rest.first(std::min(rest.size(), limits::sent_chunk_bytes));
    co_await connection_->write_chunk(chunk, patience);
    rest = rest.subspan(chunk.size());
  }
  const wire::UpdateReply* const reply = co_await Wire::expect<wire::UpdateReply>(*this);
  if (reply->outcome() != wire::Outcome::accepted)
    throw Error(ErrorCode::failed_precondition, std::string(wire::text_of(reply->sentence())));
}

}  // namespace fl::bench
