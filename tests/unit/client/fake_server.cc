#include "tests/unit/client/fake_server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "protocol/compression.h"
#include "protocol/limits.h"

namespace fl::test {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using flatbuffers::FlatBufferBuilder;

constexpr std::chrono::seconds patience{20};

flatbuffers::Offset<wire::Difference> difference_field(FlatBufferBuilder& builder,
                                                       const std::optional<Difference>& difference) {
  if (!difference) return {};
  const auto base = wire::field_of(builder, difference->base.bytes);
  const auto hash = wire::field_of(builder, difference->hash.bytes);
  return wire::CreateDifference(builder, base, hash, difference->bytes,
                                static_cast<wire::Encoding>(difference->encoding), difference->encoded);
}

}  // namespace

Task<> Peer::welcome(std::string task) {
  co_await welcome_to(std::vector<std::string>(1, task));
}

Task<> Peer::welcome_to(std::vector<std::string> tasks) {
  connection_->set_limits(limits::message_bytes, limits::chunk_bytes);
  co_await expect<wire::Hello>();
  auto message = wire::make_message<wire::Welcome>([&](FlatBufferBuilder& builder) {
    const auto features = builder.CreateVectorOfStrings(std::vector<std::string>());
    const auto software = builder.CreateString("fake");
    const auto names = builder.CreateVectorOfStrings(tasks);
    return wire::CreateWelcome(builder, 1, features, software, 0, 30'000, names);
  });
  co_await send(std::move(message));
}

Task<> Peer::begin(std::uint64_t newest) {
  co_await welcome();
  co_await expect<wire::Subscribe>();
  co_await subscribed("har", newest);
}

Task<Received> Peer::next() {
  for (;;) {
    const wire::Frame frame = co_await connection_->read_frame(patience);
    if (frame.kind != wire::FrameKind::message) throw std::runtime_error("the device sent a chunk");
    const wire::Message* message = wire::verified_message(frame.payload);
    if (message == nullptr) throw std::runtime_error("the device sent a message that does not verify");
    if (message->body_type() != wire::Body::KeepAlive) co_return Received(frame.payload);
  }
}

Task<> Peer::send(flatbuffers::DetachedBuffer message) {
  co_await connection_->write_message(std::move(message), patience);
}

Task<> Peer::send_chunk(ByteView bytes) {
  co_await connection_->write_chunk(bytes, patience);
}

Task<> Peer::notice(const PublishedVersion& version) {
  auto message = wire::make_message<wire::VersionNotice>([&](FlatBufferBuilder& builder) {
    const auto task = builder.CreateString(version.manifest.task);
    const auto manifest = wire::field_of(builder, as_bytes(version.signed_manifest.text));
    const auto signature = wire::field_of(builder, version.signed_manifest.signature);
    const auto difference = difference_field(builder, version.difference);
    return wire::CreateVersionNotice(builder, task, version.manifest.version, manifest, signature,
                                     difference);
  });
  co_await send(std::move(message));
}

Task<> Peer::task_added(std::string task) {
  auto message = wire::make_message<wire::TaskNotice>([&](FlatBufferBuilder& builder) {
    return wire::CreateTaskNotice(builder, builder.CreateString(task));
  });
  co_await send(std::move(message));
}

Task<> Peer::subscribed(std::string task, std::uint64_t version) {
  auto message = wire::make_message<wire::Subscribed>([&](FlatBufferBuilder& builder) {
    return wire::CreateSubscribed(builder, builder.CreateString(task), version);
  });
  co_await send(std::move(message));
}

Task<> Peer::offer(ScriptedOffer offer) {
  auto message = wire::make_message<wire::WorkOffer>([&](FlatBufferBuilder& builder) {
    const auto task = builder.CreateString(offer.task);
    const auto plan =
        wire::CreateTrainingPlan(builder, wire::Optimizer::sgd, 0.1, 0, 0, 0.9, 0.999, 1e-8,
                                 wire::Schedule::constant, 1, 1.0, offer.epochs, offer.steps, 16, 0, 0);
    const auto control = offer.control ? wire::field_of(builder, offer.control->bytes) : 0;
    return wire::CreateWorkOffer(builder, task, offer.round, offer.version, plan, offer.seed,
                                 offer.max_examples, offer.max_delta, offer.deadline_ms, offer.encoding, 0,
                                 offer.control_elements, control, offer.max_control);
  });
  co_await send(std::move(message));
}

Task<> Peer::evaluation(std::uint64_t number, std::uint64_t version) {
  auto message = wire::make_message<wire::EvaluationOffer>([&](FlatBufferBuilder& builder) {
    return wire::CreateEvaluationOffer(builder, builder.CreateString("har"), number, version, 60'000);
  });
  co_await send(std::move(message));
}

Task<> Peer::answer_report(wire::Outcome outcome, std::string sentence) {
  auto message = wire::make_message<wire::EvaluationReply>([&](FlatBufferBuilder& builder) {
    return wire::CreateEvaluationReply(builder, outcome, builder.CreateString(sentence));
  });
  co_await send(std::move(message));
}

Task<> Peer::later(std::string task, std::uint32_t retry_after_ms) {
  auto message = wire::make_message<wire::WorkLater>([&](FlatBufferBuilder& builder) {
    const auto name = builder.CreateString(task);
    return wire::CreateWorkLater(builder, name, retry_after_ms, builder.CreateString("the round is full"));
  });
  co_await send(std::move(message));
}

Task<> Peer::go(std::uint64_t offset, bool compress) {
  auto message = wire::make_message<wire::UpdateGo>(
      [&](FlatBufferBuilder& builder) { return wire::CreateUpdateGo(builder, offset, compress); });
  co_await send(std::move(message));
}

Task<> Peer::reply(wire::Outcome outcome, std::string sentence) {
  auto message = wire::make_message<wire::UpdateReply>([&](FlatBufferBuilder& builder) {
    return wire::CreateUpdateReply(builder, outcome, builder.CreateString(sentence));
  });
  co_await send(std::move(message));
}

Task<> Peer::refuse(wire::RefusalCode code, bool closes) {
  auto message = wire::make_message<wire::Refusal>([&](FlatBufferBuilder& builder) {
    return wire::CreateRefusal(builder, code, builder.CreateString("no"), closes);
  });
  co_await send(std::move(message));
}

Task<> Peer::keep_alive() {
  auto message = wire::make_message<wire::KeepAlive>(
      [](FlatBufferBuilder& builder) { return wire::CreateKeepAlive(builder); });
  co_await send(std::move(message));
}

Task<Bytes> Peer::receive(std::uint64_t bytes) {
  Bytes received;
  wire::ChunkDecompressor decompressor;
  while (received.size() < bytes) {
    const wire::Frame frame = co_await connection_->read_frame(patience);
    ByteView chunk;
    if (frame.kind == wire::FrameKind::chunk) chunk = frame.payload;
    if (frame.kind == wire::FrameKind::compressed_chunk)
      chunk = decompressor.decompress(frame.payload, bytes);
    received.insert(received.end(), chunk.begin(), chunk.end());
  }
  co_return received;
}

Task<> Peer::take_update(wire::Outcome outcome) {
  const Received announce = co_await expect<wire::UpdateAnnounce>();
  co_await go();
  co_await receive(announce.as<wire::UpdateAnnounce>().length());
  co_await reply(outcome);
}

ByteView part_of(const PublishedVersion& version, const Digest& hash) {
  if (version.difference && hash == version.difference->hash) return version.difference_bytes;
  if (hash == version.manifest.archive_hash) return version.archive;
  if (hash == version.manifest.weights_hash) return as_bytes(std::span<const float>(version.weights));
  throw std::runtime_error("the device fetches a part that is not of this version");
}

Task<> Peer::serve(const PublishedVersion& version, int parts) {
  for (; parts > 0; --parts) {
    const Received received = co_await expect<wire::Fetch>();
    const auto& fetch = received.as<wire::Fetch>();
    co_await transfer(part_of(version, Digest::from_bytes(wire::bytes_of(fetch.hash()))), fetch.offset());
  }
}

Task<> Peer::transfer(ByteView part, std::uint64_t offset) {
  auto message = wire::make_message<wire::Transfer>(
      [&](FlatBufferBuilder& builder) { return wire::CreateTransfer(builder, part.size(), offset); });
  co_await send(std::move(message));
  if (offset < part.size()) co_await send_chunk(part.subspan(offset));
}

Task<> Peer::bring(const PublishedVersion& version, int parts) {
  co_await welcome(version.manifest.task);
  co_await expect<wire::Subscribe>();
  co_await notice(version);
  co_await serve(version, parts);
}

FakeServer::FakeServer(const Federation& federation, std::vector<Script> scripts)
    : tls_(net::TlsContext::for_server(federation.server, federation.authority.certificate)),
      scripts_(scripts.begin(), scripts.end()),
      acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      endpoint_{"127.0.0.1", acceptor_.local_endpoint().port()},
      left_(scripts_.size()) {
  asio::co_spawn(context_, listen(), asio::detached);
  thread_ = std::thread([this] { context_.run(); });
}

FakeServer::~FakeServer() {
  context_.stop();
  thread_.join();
}

Task<> FakeServer::listen() {
  for (;;) {
    tcp::socket socket = co_await acceptor_.async_accept(asio::use_awaitable);
    if (scripts_.empty()) continue;
    Script script = std::move(scripts_.front());
    scripts_.pop_front();
    asio::co_spawn(context_, play(std::move(socket), std::move(script)), asio::detached);
  }
}

Task<> FakeServer::play(tcp::socket socket, Script script) {
  std::exception_ptr failure;
  try {
    Peer peer(co_await net::Connection::accept(std::move(socket), tls_, patience));
    co_await script(peer);
  } catch (...) {
    failure = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  if (failure && !failure_) failure_ = failure;
  --left_;
  ended_.notify_all();
}

void FakeServer::finish() {
  std::unique_lock lock(mutex_);
  const bool all = ended_.wait_for(lock, std::chrono::seconds(30), [this] { return left_ == 0 || failure_; });
  if (failure_) std::rethrow_exception(failure_);
  if (!all) throw std::runtime_error(std::to_string(left_) + " scripts of the server have not ended");
}

}  // namespace fl::test
