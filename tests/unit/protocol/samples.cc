#include "tests/unit/protocol/samples.h"

#include <string>

#include "common/base/bytes.h"

namespace fl::test {
namespace {

using flatbuffers::FlatBufferBuilder;
using Messages = std::vector<flatbuffers::DetachedBuffer>;
using ByteField = const flatbuffers::Vector<std::uint8_t>*;
using TextField = const flatbuffers::String*;

flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> bytes(FlatBufferBuilder& builder, std::size_t count) {
  return wire::field_of(builder, Bytes(count, std::byte{0x5a}));
}

void add_hello(Messages& messages) {
  messages.push_back(wire::make_message<wire::Hello>([](FlatBufferBuilder& b) {
    const auto features = b.CreateVectorOfStrings(std::vector<std::string>{"zstd", "half"});
    return wire::CreateHello(b, 1, 3, features, b.CreateString("fl-client 0.1.0"));
  }));
  messages.push_back(wire::make_message<wire::Welcome>([](FlatBufferBuilder& b) {
    const auto features = b.CreateVectorOfStrings(std::vector<std::string>{"zstd"});
    const auto tasks = b.CreateVectorOfStrings(std::vector<std::string>{"har", "keyboard"});
    const auto software = b.CreateString("fl-server 0.1.0");
    return wire::CreateWelcome(b, 1, features, software, 1700000000000, 30000, tasks);
  }));
  messages.push_back(wire::make_message<wire::WorkDeclined>([](FlatBufferBuilder& b) {
    const auto task = b.CreateString("har");
    return wire::CreateWorkDeclined(b, task, 7, b.CreateString("there is no room"), 3);
  }));
  messages.push_back(wire::make_message<wire::TaskNotice>(
      [](FlatBufferBuilder& b) { return wire::CreateTaskNotice(b, b.CreateString("keyboard")); }));
  messages.push_back(
      wire::make_message<wire::KeepAlive>([](FlatBufferBuilder& b) { return wire::CreateKeepAlive(b); }));
}

void add_enrolment(Messages& messages) {
  messages.push_back(wire::make_message<wire::EnrolRequest>([](FlatBufferBuilder& b) {
    const auto token = bytes(b, 32);
    const auto request = bytes(b, 300);
    return wire::CreateEnrolRequest(b, token, request, b.CreateString("phone"));
  }));
  messages.push_back(wire::make_message<wire::EnrolReply>([](FlatBufferBuilder& b) {
    const auto id = b.CreateString("device-1");
    const auto certificate = bytes(b, 500);
    return wire::CreateEnrolReply(b, id, certificate, bytes(b, 32));
  }));
  messages.push_back(wire::make_message<wire::RenewRequest>(
      [](FlatBufferBuilder& b) { return wire::CreateRenewRequest(b, bytes(b, 300)); }));
  messages.push_back(wire::make_message<wire::RenewReply>(
      [](FlatBufferBuilder& b) { return wire::CreateRenewReply(b, bytes(b, 500)); }));
}

void add_versions(Messages& messages) {
  messages.push_back(wire::make_message<wire::Subscribe>(
      [](FlatBufferBuilder& b) { return wire::CreateSubscribe(b, b.CreateString("har"), 7); }));
  messages.push_back(wire::make_message<wire::VersionNotice>([](FlatBufferBuilder& b) {
    const auto task = b.CreateString("har");
    const auto manifest = bytes(b, 900);
    const auto signature = bytes(b, 64);
    const auto base = bytes(b, 32);
    const auto hash = bytes(b, 32);
    const auto difference = wire::CreateDifference(b, base, hash, 1004, wire::Encoding::int8, 1000);
    return wire::CreateVersionNotice(b, task, 8, manifest, signature, difference);
  }));
  messages.push_back(wire::make_message<wire::Subscribed>(
      [](FlatBufferBuilder& b) { return wire::CreateSubscribed(b, b.CreateString("har"), 8); }));
  messages.push_back(wire::make_message<wire::WorkRequest>(
      [](FlatBufferBuilder& b) { return wire::CreateWorkRequest(b, b.CreateString("har"), 8, 120); }));
}

void add_work(Messages& messages) {
  messages.push_back(wire::make_message<wire::WorkOffer>([](FlatBufferBuilder& b) {
    const auto plan = wire::CreateTrainingPlan(b, wire::Optimizer::adam, 0.01, 0.9, 1e-4, 0.8, 0.99, 1e-7,
                                               wire::Schedule::cosine, 10, 0.5, 2, 3, 32, 0.1, 1.0);
    return wire::CreateWorkOffer(b, b.CreateString("har"), 5, 8, plan, 42, 1000, 4.0F, 60000);
  }));
  messages.push_back(wire::make_message<wire::WorkLater>([](FlatBufferBuilder& b) {
    const auto task = b.CreateString("har");
    return wire::CreateWorkLater(b, task, 5000, b.CreateString("the round is full"), true);
  }));
  messages.push_back(wire::make_message<wire::UpdateAnnounce>([](FlatBufferBuilder& b) {
    const auto task = b.CreateString("har");
    const auto layout = bytes(b, 32);
    return wire::CreateUpdateAnnounce(b, task, 5, 8, layout, bytes(b, 32), 4096, 120, 40, 0.7, 30, 0.8, 0.75);
  }));
  messages.push_back(
      wire::make_message<wire::UpdateGo>([](FlatBufferBuilder& b) { return wire::CreateUpdateGo(b, 1024); }));
  messages.push_back(wire::make_message<wire::UpdateReply>([](FlatBufferBuilder& b) {
    return wire::CreateUpdateReply(b, wire::Outcome::wrong_hash, b.CreateString("other bytes"));
  }));
}

void add_transfer(Messages& messages) {
  messages.push_back(wire::make_message<wire::Fetch>(
      [](FlatBufferBuilder& b) { return wire::CreateFetch(b, bytes(b, 32), 512); }));
  messages.push_back(wire::make_message<wire::Transfer>(
      [](FlatBufferBuilder& b) { return wire::CreateTransfer(b, std::uint64_t{1} << 33U, 512); }));
  messages.push_back(wire::make_message<wire::Refusal>([](FlatBufferBuilder& b) {
    return wire::CreateRefusal(b, wire::RefusalCode::internal, b.CreateString("try again"), true);
  }));
}

void add_evaluation(Messages& messages) {
  messages.push_back(wire::make_message<wire::EvaluationOffer>([](FlatBufferBuilder& b) {
    return wire::CreateEvaluationOffer(b, b.CreateString("har"), 3, 8, 60000);
  }));
  messages.push_back(wire::make_message<wire::EvaluationReport>([](FlatBufferBuilder& b) {
    return wire::CreateEvaluationReport(b, b.CreateString("har"), 3, 8, 40, 12.5, 31.0);
  }));
  messages.push_back(wire::make_message<wire::EvaluationReply>([](FlatBufferBuilder& b) {
    return wire::CreateEvaluationReply(b, wire::Outcome::not_selected, b.CreateString("not you"));
  }));
}

/// Adds up what it is given, so that no read is left out.
class Sum {
 public:
  Sum& operator<<(TextField field) {
    for (const char character : wire::text_of(field)) total_ += static_cast<unsigned char>(character);
    return *this;
  }
  Sum& operator<<(ByteField field) {
    for (const std::byte byte : wire::bytes_of(field)) total_ += std::to_integer<std::size_t>(byte);
    return *this;
  }
  Sum& operator<<(const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>* field) {
    for (flatbuffers::uoffset_t i = 0; field != nullptr && i < field->size(); ++i) *this << field->Get(i);
    return *this;
  }
  Sum& operator<<(double number) {
    if (number > 0) ++total_;
    return *this;
  }
  template <typename Integer>
    requires(std::is_integral_v<Integer> || std::is_enum_v<Integer>)
  Sum& operator<<(Integer number) {
    total_ += static_cast<std::size_t>(number);
    return *this;
  }
  std::size_t total() const { return total_; }

 private:
  std::size_t total_ = 0;
};

void read(Sum& sum, const wire::Hello& hello) {
  sum << hello.version_min() << hello.version_max() << hello.features() << hello.software();
}
void read(Sum& sum, const wire::Welcome& welcome) {
  sum << welcome.version() << welcome.features() << welcome.software() << welcome.server_time_ms()
      << welcome.keep_alive_ms() << welcome.tasks();
}
void read(Sum& /*sum*/, const wire::KeepAlive& /*keep_alive*/) {}
void read(Sum& sum, const wire::EnrolRequest& request) {
  sum << request.token() << request.certificate_request() << request.name();
}
void read(Sum& sum, const wire::EnrolReply& reply) {
  sum << reply.device_id() << reply.certificate() << reply.signing_key();
}
void read(Sum& sum, const wire::RenewRequest& request) {
  sum << request.certificate_request();
}
void read(Sum& sum, const wire::RenewReply& reply) {
  sum << reply.certificate();
}
void read(Sum& sum, const wire::Subscribe& subscribe) {
  sum << subscribe.task() << subscribe.held_version();
}
void read(Sum& sum, const wire::Difference& difference) {
  sum << difference.base() << difference.hash() << difference.length() << difference.encoding()
      << difference.encoded();
}
void read(Sum& sum, const wire::VersionNotice& notice) {
  sum << notice.task() << notice.version() << notice.manifest() << notice.signature();
  if (notice.difference() != nullptr) read(sum, *notice.difference());
}
void read(Sum& sum, const wire::TaskNotice& notice) {
  sum << notice.task();
}
void read(Sum& sum, const wire::Subscribed& subscribed) {
  sum << subscribed.task() << subscribed.version();
}
void read(Sum& sum, const wire::WorkRequest& request) {
  sum << request.task() << request.version() << request.examples();
}
void read(Sum& sum, const wire::WorkDeclined& declined) {
  sum << declined.task() << declined.round() << declined.reason() << declined.evaluation();
}
void read(Sum& sum, const wire::TrainingPlan& plan) {
  sum << plan.optimizer() << plan.learning_rate() << plan.momentum() << plan.weight_decay() << plan.beta1()
      << plan.beta2() << plan.epsilon() << plan.schedule() << plan.schedule_period() << plan.schedule_factor()
      << plan.epochs() << plan.steps() << plan.batch_size() << plan.proximal_mu() << plan.gradient_clip();
}
void read(Sum& sum, const wire::WorkOffer& offer) {
  sum << offer.task() << offer.round() << offer.version() << offer.seed() << offer.max_examples()
      << offer.max_delta() << offer.deadline_ms();
  if (offer.plan() != nullptr) read(sum, *offer.plan());
}
void read(Sum& sum, const wire::WorkLater& later) {
  sum << later.task() << later.retry_after_ms() << later.reason() << later.firm();
}
void read(Sum& sum, const wire::UpdateAnnounce& update) {
  sum << update.task() << update.round() << update.version() << update.layout_hash() << update.hash()
      << update.length() << update.examples() << update.steps() << update.train_loss()
      << update.test_examples() << update.test_loss() << update.test_accuracy();
}
void read(Sum& sum, const wire::UpdateGo& go) {
  sum << go.offset();
}
void read(Sum& sum, const wire::UpdateReply& reply) {
  sum << reply.outcome() << reply.sentence();
}
void read(Sum& sum, const wire::Fetch& fetch) {
  sum << fetch.hash() << fetch.offset();
}
void read(Sum& sum, const wire::Transfer& transfer) {
  sum << transfer.length() << transfer.offset();
}
void read(Sum& sum, const wire::Refusal& refusal) {
  sum << refusal.code() << refusal.sentence() << refusal.closes();
}

void read(Sum& sum, const wire::EvaluationOffer& offer) {
  sum << offer.task() << offer.evaluation() << offer.version() << offer.deadline_ms();
}
void read(Sum& sum, const wire::EvaluationReport& report) {
  sum << report.task() << report.evaluation() << report.version() << report.examples() << report.loss_sum()
      << report.correct();
}
void read(Sum& sum, const wire::EvaluationReply& reply) {
  sum << reply.outcome() << reply.sentence();
}

template <typename Table>
void read_if(Sum& sum, const wire::Message& message) {
  if (message.body_type() == wire::BodyTraits<Table>::enum_value) {
    read(sum, *static_cast<const Table*>(message.body()));
  }
}

template <typename... Tables>
void read_whichever(Sum& sum, const wire::Message& message) {
  (read_if<Tables>(sum, message), ...);
}

}  // namespace

Messages sample_messages() {
  Messages messages;
  add_hello(messages);
  add_enrolment(messages);
  add_versions(messages);
  add_work(messages);
  add_transfer(messages);
  add_evaluation(messages);
  return messages;
}

std::size_t read_everything(const wire::Message& message) {
  using namespace wire;
  Sum sum;
  read_whichever<Hello, Welcome, KeepAlive, EnrolRequest, EnrolReply, RenewRequest, RenewReply, Subscribe,
                 VersionNotice, Subscribed, WorkRequest, WorkOffer, WorkLater, UpdateAnnounce, UpdateGo,
                 UpdateReply, Fetch, Transfer, Refusal, TaskNotice, WorkDeclined, EvaluationOffer,
                 EvaluationReport, EvaluationReply>(sum, message);
  return sum.total();
}

}  // namespace fl::test
