#include "tests/unit/fleet/scripted_device.h"

#include <utility>

#include "common/base/error.h"
#include "common/base/random.h"
#include "protocol/compression.h"
#include "protocol/limits.h"

namespace fl::test {

using flatbuffers::FlatBufferBuilder;

namespace {

constexpr std::chrono::seconds step_limit{60};

}  // namespace

Layout tiny_layout() {
  Layout layout;
  layout.add("weight", Datatype::fp32, {3}, Role::trained);
  layout.add("bias", Datatype::fp32, {1}, Role::trained);
  return layout;
}

ScriptedDevice::ScriptedDevice(const net::EnrolmentToken& token) {
  const net::PrivateKey key = net::PrivateKey::generate();
  const net::TlsContext tls = net::TlsContext::for_enrolment(token.authority_fingerprint);
  connection_ = run(net::Connection::connect(token.server, tls, step_limit));
  connection_->set_limits(limits::message_bytes, 0);
  send(wire::make_message<wire::EnrolRequest>([&](FlatBufferBuilder& builder) {
    const auto secret = wire::field_of(builder, token.secret);
    const auto request = wire::field_of(builder, net::make_request(key));
    return wire::CreateEnrolRequest(builder, secret, request, builder.CreateString("scripted"));
  }));
  const wire::Message& answer = receive();
  if (const wire::Refusal* refusal = answer.body_as_Refusal()) {
    throw Error(ErrorCode::unauthenticated, std::string(wire::text_of(refusal->sentence())));
  }
  const wire::EnrolReply& reply = *answer.body_as_EnrolReply();
  id_ = wire::text_of(reply.device_id());
  identity_ = net::Identity{net::Certificate::from_der(wire::bytes_of(reply.certificate())), key};
  authority_ = connection_->peer_authority();
  disconnect();
}

ScriptedDevice::ScriptedDevice(net::Identity identity, net::Certificate authority, Task task)
    : task_(std::move(task)),
      id_(identity.certificate.common_name()),
      identity_(std::move(identity)),
      authority_(std::move(authority)) {}

void ScriptedDevice::connect(std::uint16_t port, bool hello) {
  if (!tls_) tls_ = net::TlsContext::for_device(identity_.value(), authority_.value());
  connection_ = run(net::Connection::connect({"127.0.0.1", port}, *tls_, step_limit));
  connection_->set_limits(limits::message_bytes, limits::chunk_bytes);
  if (!hello) return;
  send(wire::make_message<wire::Hello>([this](FlatBufferBuilder& builder) {
    return wire::CreateHello(builder, limits::protocol_version_min, limits::protocol_version_max,
                             builder.CreateVectorOfStrings(features_));
  }));
  expect<wire::Welcome>();
}

void ScriptedDevice::send(flatbuffers::DetachedBuffer message) {
  run(connection_->write_message(std::move(message), step_limit));
}

void ScriptedDevice::send_chunk(ByteView bytes) {
  run(connection_->write_chunk(bytes, step_limit));
}

void ScriptedDevice::send_compressed_chunk(ByteView bytes) {
  run(connection_->write_compressed_chunk(bytes, step_limit));
}

const wire::Message& ScriptedDevice::receive() {
  for (;;) {
    const wire::Frame frame = run(connection_->read_frame(step_limit));
    if (frame.kind != wire::FrameKind::message) throw Error(ErrorCode::protocol, "a chunk came");
    message_.assign(frame.payload.begin(), frame.payload.end());
    const wire::Message* message = wire::verified_message(message_);
    if (message == nullptr) throw Error(ErrorCode::protocol, "a message does not verify");
    if (message->body_type() != wire::Body::KeepAlive) return *message;
  }
}

void ScriptedDevice::throw_unexpected(const wire::Message& message) {
  std::string text = std::string("unexpected ") + wire::body_name(message);
  if (const wire::Refusal* refusal = message.body_as_Refusal()) {
    text += ": " + std::string(wire::text_of(refusal->sentence()));
  }
  throw Error(ErrorCode::protocol, text);
}

void ScriptedDevice::subscribe(std::uint64_t held_version) {
  send(wire::make_message<wire::Subscribe>([&](FlatBufferBuilder& builder) {
    return wire::CreateSubscribe(builder, builder.CreateString(task_.name), held_version);
  }));
}

void ScriptedDevice::ask_for_work(std::uint64_t version) {
  send(wire::make_message<wire::WorkRequest>([&](FlatBufferBuilder& builder) {
    return wire::CreateWorkRequest(builder, builder.CreateString(task_.name), version, 10);
  }));
}

void ScriptedDevice::come_for_work(std::uint16_t port, std::uint64_t newest) {
  connect(port);
  subscribe(newest);
  expect<wire::Subscribed>();
  ask_for_work(newest);
}

void ScriptedDevice::decline(std::uint64_t round, std::string_view reason) {
  send(wire::make_message<wire::WorkDeclined>([&](FlatBufferBuilder& builder) {
    const auto task = builder.CreateString(task_.name);
    return wire::CreateWorkDeclined(builder, task, round, builder.CreateString(reason));
  }));
}

void ScriptedDevice::decline_evaluation(std::uint64_t evaluation, std::string_view reason) {
  send(wire::make_message<wire::WorkDeclined>([&](FlatBufferBuilder& builder) {
    const auto task = builder.CreateString(task_.name);
    return wire::CreateWorkDeclined(builder, task, 0, builder.CreateString(reason), evaluation);
  }));
}

const wire::EvaluationReply& ScriptedDevice::report(const Report& report) {
  send(wire::make_message<wire::EvaluationReport>([&](FlatBufferBuilder& builder) {
    return wire::CreateEvaluationReport(builder, builder.CreateString(task_.name), report.evaluation,
                                        report.version, report.examples, report.loss_sum, report.correct);
  }));
  return expect<wire::EvaluationReply>();
}

Bytes ScriptedDevice::bytes_of(const Update& update) {
  Bytes bytes(encoded_bytes(update.encoding, update.delta.size()));
  Random rounding(1);
  encode(update.encoding, update.delta, rounding, bytes);
  return bytes;
}

void ScriptedDevice::announce(const Update& update, ByteView bytes) {
  send(wire::make_message<wire::UpdateAnnounce>([&](FlatBufferBuilder& builder) {
    const auto task = builder.CreateString(task_.name);
    const auto layout = wire::field_of(builder, update.layout_hash.value_or(task_.layout_hash).bytes);
    const auto hash = wire::field_of(builder, update.hash.value_or(sha256(bytes)).bytes);
    wire::UpdateAnnounceBuilder message(builder);
    message.add_task(task);
    message.add_round(update.round);
    message.add_version(update.version);
    message.add_layout_hash(layout);
    message.add_hash(hash);
    message.add_length(update.length.value_or(bytes.size()));
    message.add_examples(update.examples);
    message.add_encoding(static_cast<wire::Encoding>(update.encoding));
    message.add_steps(update.steps);
    message.add_test_examples(update.test_examples);
    message.add_test_loss(update.test_loss);
    return message.Finish();
  }));
}

Bytes ScriptedDevice::fetch(ByteView hash) {
  send(wire::make_message<wire::Fetch>([&](FlatBufferBuilder& builder) {
    return wire::CreateFetch(builder, wire::field_of(builder, hash), 0);
  }));
  const std::uint64_t length = expect<wire::Transfer>().length();
  Bytes bytes;
  while (bytes.size() < length) {
    const wire::Frame frame = run(connection_->read_frame(step_limit));
    if (frame.kind == wire::FrameKind::chunk)
      bytes.insert(bytes.end(), frame.payload.begin(), frame.payload.end());
  }
  return bytes;
}

const wire::UpdateReply& ScriptedDevice::upload(const Update& update) {
  const Bytes bytes = bytes_of(update);
  announce(update, bytes);
  for (;;) {
    const wire::Message& message = receive();
    if (message.body_type() == wire::Body::VersionNotice) continue;
    if (const wire::UpdateReply* reply = message.body_as_UpdateReply()) return *reply;
    const wire::UpdateGo* go = message.body_as_UpdateGo();
    if (go == nullptr) throw_unexpected(message);
    const ByteView rest = ByteView(bytes).subspan(go->offset());
    wire::ChunkCompressor compressor;
    const ByteView compressed = go->compress() ? compressor.compress(rest) : ByteView();
    if (!compressed.empty()) {
      send_compressed_chunk(compressed);
    } else if (!rest.empty()) {
      send_chunk(rest);
    }
  }
}

}  // namespace fl::test
