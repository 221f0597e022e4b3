// Conversations of released protocol versions, replayed against what speaks it today. README.md says how they
// were captured.

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>

#include "client/agent/messages.h"
#include "common/base/error.h"
#include "protocol/limits.h"
#include "tests/unit/fleet/scripted_device.h"
#include "tests/unit/fleet/test_server.h"
#include "tests/unit/golden/capture.h"

using namespace fl;
using namespace fl::test;
namespace json = boost::json;

namespace {

constexpr std::chrono::seconds patience{60};
constexpr std::array names{"enrolment", "enrolment-refused", "version-refused", "round", "refusals"};

std::filesystem::path golden(const std::string& file) {
  return std::filesystem::path(FL_GOLDEN_FOLDER) / "fl-1" / file;
}

RoundPlan plan_of_one() {
  RoundPlan plan;
  plan.goal = 1;
  plan.minimum = 1;
  return plan;
}

/// The secret of the token that the captured enrolment uses.
Bytes golden_secret() {
  return Bytes(32, std::byte{0x47});
}

/// One connection of a device, frame by frame.
class Line {
 public:
  Line(const net::TlsContext& tls, std::uint16_t port)
      : connection_(run(net::Connection::connect({"127.0.0.1", port}, tls, patience))) {
    connection_->set_limits(limits::message_bytes, limits::chunk_bytes);
  }

  void send(const CapturedFrame& frame) {
    if (frame.kind == wire::FrameKind::chunk) return run(connection_->write_chunk(frame.payload, patience));
    auto* const bytes = new std::uint8_t[frame.payload.size()];  // the buffer deletes them
    std::memcpy(bytes, frame.payload.data(), frame.payload.size());
    flatbuffers::DetachedBuffer buffer(nullptr, false, bytes, frame.payload.size(), bytes,
                                       frame.payload.size());
    run(connection_->write_message(std::move(buffer), patience));
  }
  CapturedFrame receive() {
    const wire::Frame frame = run(connection_->read_frame(patience));
    return {Side::server, frame.kind, Bytes(frame.payload.begin(), frame.payload.end())};
  }
  net::Certificate authority() const { return connection_->peer_authority().value(); }

 private:
  template <typename Result>
  Result run(boost::asio::awaitable<Result> work) {
    context_.restart();
    auto result = boost::asio::co_spawn(context_, std::move(work), boost::asio::use_future);
    context_.run();
    return result.get();
  }

  boost::asio::io_context context_{1};
  std::unique_ptr<net::Connection> connection_;
};

CapturedFrame message_of(const flatbuffers::DetachedBuffer& message) {
  const ByteView bytes = wire::as_bytes(message);
  return {Side::device, wire::FrameKind::message, Bytes(bytes.begin(), bytes.end())};
}

CapturedFrame chunk_of(ByteView bytes) {
  return {Side::device, wire::FrameKind::chunk, Bytes(bytes.begin(), bytes.end())};
}

template <typename Body>
const Body& body_of(const CapturedFrame& frame) {
  return *wire::verified_message(frame.payload)->body_as<Body>();
}

/// A server of today with one task, and TLS for whom the captured conversation begins as.
class Ends {
 public:
  net::TlsContext tls_for(const std::string& name) {
    constexpr std::chrono::hours lifetime{1};
    const net::EnrolmentToken token =
        name == "enrolment" ? server.token(lifetime, golden_secret()) : server.token(lifetime);
    if (name.starts_with("enrolment")) return net::TlsContext::for_enrolment(token.authority_fingerprint);
    const net::PrivateKey key = net::PrivateKey::generate();
    Line line(net::TlsContext::for_enrolment(token.authority_fingerprint), server.port());
    line.send(message_of(client::enrol_message(token.secret, net::make_request(key), "golden")));
    const CapturedFrame answer = line.receive();
    const ByteView certificate = wire::bytes_of(body_of<wire::EnrolReply>(answer).certificate());
    return net::TlsContext::for_device({net::Certificate::from_der(certificate), key}, line.authority());
  }

  TestServer server{plan_of_one()};
};

/// What the sentences of people say, and what chance, time and keys decide, may differ.
json::value masked(json::value value) {
  static const std::set<std::string_view> free = {"software",  "server_time_ms", "deadline_ms", "seed",
                                                  "sentence",  "reason",         "certificate", "signing_key",
                                                  "signature", "device_id"};
  if (json::object* const object = value.if_object()) {
    for (auto& member : *object) {
      member.value() = free.contains(member.key()) ? json::value() : masked(std::move(member.value()));
    }
  }
  return value;
}

/// Writes a capture: what a device of today says and what a server of today answers.
class Recorder {
 public:
  Recorder(Ends& ends, const std::string& name)
      : name_(name), line_(ends.tls_for(name), ends.server.port()) {}

  /// Says something, and gives the last of so many answers.
  CapturedFrame say(const CapturedFrame& frame, int answers) {
    line_.send(frame);
    capture_.push_back(frame);
    CapturedFrame answer{Side::server, wire::FrameKind::message, {}};
    for (; answers > 0; --answers) {
      answer = line_.receive();
      capture_.push_back(answer);
    }
    return answer;
  }
  CapturedFrame say(const flatbuffers::DetachedBuffer& message, int answers) {
    return say(message_of(message), answers);
  }

  void write(const std::filesystem::path& folder) const {
    write_capture(folder / (name_ + ".capture"), capture_);
    std::ofstream text(folder / (name_ + ".txt"));
    for (const CapturedFrame& frame : capture_) text << json::serialize(meaning(frame)) << "\n";
  }

 private:
  std::string name_;
  Line line_;
  Capture capture_;
};

client::FinishedUpdate update_of(const std::vector<float>& delta) {
  client::FinishedUpdate update;
  update.task = "tiny";
  update.round = 1;
  update.version = 1;
  update.layout_hash = tiny_layout().hash();
  const ByteView bytes = as_bytes(std::span<const float>(delta));
  update.bytes.assign(bytes.begin(), bytes.end());
  update.hash = sha256(bytes);
  update.examples = 10;
  update.steps = 4;
  update.train_loss = 0.25;
  update.test.examples = 5;
  update.test.loss = 0.5;
  return update;
}

void record_enrolment(Ends& ends, const std::filesystem::path& folder) {
  const Bytes request = net::make_request(net::PrivateKey::generate());
  Recorder enrolment(ends, "enrolment");
  enrolment.say(client::enrol_message(golden_secret(), request, "golden"), 1);
  enrolment.write(folder);
  Recorder refused(ends, "enrolment-refused");
  refused.say(client::enrol_message(Bytes(32, std::byte{1}), request, "golden"), 1);
  refused.write(folder);
  Recorder version(ends, "version-refused");
  version.say(wire::make_message<wire::Hello>([](flatbuffers::FlatBufferBuilder& builder) {
                return wire::CreateHello(builder, 100, 200, 0, builder.CreateString("fl-client 9"));
              }),
              1);
  version.write(folder);
}

void record_refusals(Ends& ends, const std::filesystem::path& folder) {
  Recorder refusals(ends, "refusals");
  refusals.say(client::hello_message(), 1);
  refusals.say(client::keep_alive_message(), 0);
  refusals.say(client::subscribe_message("nothing", 0), 1);
  refusals.say(client::work_request_message("tiny", 1, 20), 1);
  refusals.say(client::fetch_message(sha256({}), 0), 1);
  refusals.say(client::announce_message(update_of({0.5F})), 1);
  refusals.say(client::subscribe_message("tiny", 1), 1);
  refusals.say(client::announce_message(update_of({1, 2, 3, 4})), 1);
  refusals.say(client::renew_message(as_bytes("no request")), 1);
  refusals.say(wire::make_message<wire::UpdateGo>(
                   [](flatbuffers::FlatBufferBuilder& builder) { return wire::CreateUpdateGo(builder, 4); }),
               1);
  refusals.write(folder);
}

void record_round(Ends& ends, const std::filesystem::path& folder) {
  const std::vector<float> delta = {0.5F, -0.25F, 0.0F, 1.0F};
  Recorder round(ends, "round");
  round.say(client::hello_message(), 1);
  const CapturedFrame notice = round.say(client::subscribe_message("tiny", 0), 1);
  const Manifest manifest =
      manifest_from_json(as_text(wire::bytes_of(body_of<wire::VersionNotice>(notice).manifest())));
  round.say(client::fetch_message(manifest.archive_hash, 0), 2);
  round.say(client::fetch_message(manifest.weights_hash, 8), 2);
  round.say(client::work_request_message("tiny", 1, 20), 1);
  round.say(client::announce_message(update_of(delta)), 1);
  round.say(chunk_of(as_bytes(std::span<const float>(delta))), 2);
  round.say(client::renew_message(net::make_request(net::PrivateKey::generate())), 1);
  round.say(client::work_request_message("tiny", 2, 20), 1);
  round.say(client::declined_message({"tiny", 2, "there is no room"}), 0);
  round.say(client::work_request_message("tiny", 2, 20), 1);
  round.write(folder);
}

std::vector<CapturedFrame> from_server(const std::string& name) {
  Capture capture = read_capture(golden(name + ".capture"));
  std::erase_if(capture, [](const CapturedFrame& frame) { return frame.from == Side::device; });
  return capture;
}

/// The first message of this kind that the server sends in a captured conversation.
template <typename Body>
const Body& first_of(const Capture& capture) {
  for (const CapturedFrame& frame : capture) {
    if (frame.kind != wire::FrameKind::message) continue;
    if (const Body* const body = wire::verified_message(frame.payload)->body_as<Body>()) return *body;
  }
  throw std::runtime_error("the capture has no such message");
}

}  // namespace

TEST_CASE("every captured message means today what it meant when it was released") {
  for (const std::string name : names) {
    CAPTURE(name);
    std::ifstream text(golden(name + ".txt"));
    std::string line;
    const Capture capture = read_capture(golden(name + ".capture"));
    REQUIRE(!capture.empty());
    for (const CapturedFrame& frame : capture) {
      REQUIRE(std::getline(text, line));
      CHECK(difference(json::parse(line), meaning(frame)) == "");
    }
    CHECK_FALSE(std::getline(text, line));
  }
}

TEST_CASE("a device of a released version gets from a server of today the answers that it got then") {
  for (const std::string name : names) {
    CAPTURE(name);
    Ends ends;
    Line line(ends.tls_for(name), ends.server.port());
    for (const CapturedFrame& frame : read_capture(golden(name + ".capture"))) {
      if (frame.from == Side::device) {
        line.send(frame);
      } else {
        CHECK(difference(masked(meaning(frame)), masked(meaning(line.receive()))) == "");
      }
    }
  }
}

TEST_CASE("a device of today understands what a server of a released version says (I6)") {
  const Capture enrolment = from_server("enrolment");
  const PublicKey key =
      PublicKey::from_bytes(wire::bytes_of(first_of<wire::EnrolReply>(enrolment).signing_key()));
  const Capture round = from_server("round");
  CHECK(wire::negotiated_version(1, first_of<wire::Welcome>(round).version()) == 1);
  const client::Notice notice = client::notice_from(first_of<wire::VersionNotice>(round));
  const Manifest manifest = verify(notice.manifest, key);
  CHECK(manifest.task == "tiny");
  CHECK(manifest.version == 1);
  CHECK(manifest.layout_hash == tiny_layout().hash());
  CHECK(manifest.weights_count == 4);
  const client::Offer offer = client::offer_from(first_of<wire::WorkOffer>(round), client::Moment());
  CHECK(offer.task == "tiny");
  CHECK(offer.round == 1);
  CHECK(offer.version == 1);
  CHECK(offer.max_examples == 10'000);
  CHECK(offer.max_delta == 16.0F);
  CHECK(offer.plan.optimizer == Optimizer::sgd);
  CHECK(offer.plan.learning_rate == 0.05);
  CHECK(offer.plan.batch_size == 16);
  CHECK(first_of<wire::Transfer>(round).length() == manifest.archive_bytes);
  CHECK(client::settlement_of(first_of<wire::UpdateReply>(round).outcome()) == client::Settlement::done);
  const Error no_token = client::error_from(first_of<wire::Refusal>(from_server("enrolment-refused")));
  CHECK(no_token.code() == ErrorCode::unauthenticated);
  const Error no_version = client::error_from(first_of<wire::Refusal>(from_server("version-refused")));
  CHECK(no_version.code() == ErrorCode::failed_precondition);
}

TEST_CASE("a changed field is told from an added one") {
  const json::value was = json::parse(R"({"kind":"Fetch","body":{"offset":1,"hash":"aa"}})");
  CHECK(difference(was, was) == "");
  CHECK(difference(was, json::parse(R"({"kind":"Fetch","body":{"offset":1,"hash":"aa","new":0}})")) == "");
  CHECK(difference(was, json::parse(R"({"kind":"Fetch","body":{"offset":0,"hash":"aa"}})")) ==
        "/body/offset is 0, it was 1");
  CHECK(difference(was, json::parse(R"({"kind":"Fetch","body":{"start":1,"hash":"aa"}})")) ==
        "/body/offset is missing");
}

// With FL_RECORD_GOLDEN=FOLDER it makes the captures of a release; without, that it still could.
TEST_CASE("the conversations can be captured again") {
  const test::TemporaryFolder temporary;
  const char* const chosen = std::getenv("FL_RECORD_GOLDEN");
  const std::filesystem::path folder = chosen != nullptr ? chosen : temporary.path();
  Ends ends;
  record_enrolment(ends, folder);
  record_refusals(ends, folder);
  record_round(ends, folder);
  for (const std::string name : names) {
    CHECK(read_capture(folder / (name + ".capture")).size() ==
          read_capture(golden(name + ".capture")).size());
  }
}
