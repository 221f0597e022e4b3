#include "tests/unit/durability/simulated_server.h"

#include <stdexcept>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "common/base/error.h"
#include "common/base/random.h"
#include "tests/unit/ledger/samples.h"

namespace fl::test {

namespace asio = boost::asio;
using server::Announcement;
using server::Verdict;
using wire::Outcome;

namespace {

constexpr const char* task_name = "tiny";
constexpr std::chrono::milliseconds short_while{1};
constexpr std::chrono::seconds long_while{60};

Layout layout_of_task() {
  Layout layout;
  layout.add("weight", Datatype::fp32, {60}, Role::trained);
  layout.add("mean", Datatype::fp32, {4}, Role::buffer);
  return layout;
}

std::uint32_t examples_of(const std::string& device) {
  return device == "a" ? 10 : 30;
}

Announcement announcement_of(const std::string& device, const server::Work& work, const Bytes& bytes) {
  Announcement update;
  update.device = device;
  update.round = work.round;
  update.version = work.version;
  update.layout_hash = layout_of_task().hash();
  update.hash = sha256(bytes);
  update.length = bytes.size();
  update.record.examples = examples_of(device);
  update.record.steps = 1;
  return update;
}

}  // namespace

RoundPlan two_device_plan() {
  RoundPlan plan;
  plan.goal = plan.minimum = 2;
  plan.max_examples = 100;
  plan.max_delta = 2.0;
  plan.strategy = "fedavgm";
  plan.server_momentum = 0.5;
  return plan;
}

void make_home_of_two(const std::filesystem::path& folder) {
  server::ServerConfig config;
  config.listen = {"127.0.0.1", 7443};
  const server::ServerHome home = server::ServerHome::create(folder, config, SystemClock().now());
  server::Ledger ledger(home.ledger_path());
  for (const char* device : {"a", "b"}) enrol(ledger, device);
}

RoundPlan scaffold_plan() {
  RoundPlan plan = two_device_plan();
  plan.strategy = "scaffold";
  plan.server_momentum.reset();
  plan.server_population = 2;
  plan.server_max_control = 2.0;
  return plan;
}

RoundPlan buffer_plan() {
  RoundPlan plan = two_device_plan();
  plan.strategy = "fedbuff";
  plan.goal = plan.minimum = 1;
  plan.server_momentum.reset();
  plan.over_selection = 1.0;
  plan.server_max_staleness = 10;
  plan.server_concurrency = 2;
  return plan;
}

std::vector<float> delta_of(const std::string& device, std::uint64_t version, const RoundPlan& plan) {
  Random random(derive_seed(version, examples_of(device)));
  const Layout layout = layout_of_task();
  std::vector<float> delta(layout.size() + (plan.has_controls() ? layout.trained_size() : 0));
  for (float& value : delta) value = static_cast<float>(random.uniform() - 0.5);
  return delta;
}

struct SimulatedServer::Device final : server::TaskListener {
  Device(SimulatedServer& its_owner, std::string its_id)
      : owner(its_owner), id(std::move(its_id)), pause(owner.context_) {}

  /// Unless it has asked and not been answered, or has work to do.
  void ask() {
    if (works || std::exchange(asks, true)) return;
    asio::post(owner.context_, [this] { owner.runner_->ask(id); });
  }
  void after_a_while(std::function<void()> action) {
    pause.expires_after(short_while);
    pause.async_wait([action = std::move(action)](const boost::system::error_code& cancelled) {
      if (!cancelled) action();
    });
  }

  void work_offered(const std::string& /*task*/, const server::Work& work) override {
    asks = false;
    works = true;
    owner.offers_.push_back({this, work});
    asio::post(owner.context_, [this] { owner.send_next(); });
  }
  void work_later(const std::string& /*task*/, const server::Later& /*later*/) override {
    asks = false;
    after_a_while([this] { ask(); });
  }
  void version_published(const server::VersionRecord& version) override {
    owner.told_.published[version.version] = version.weights_hash;
    ask();
  }
  void evaluation_offered(const std::string& /*task*/, const server::EvaluationWork& /*work*/) override {}
  bool evaluates() const override { return false; }
  bool is_open() const override { return true; }

  SimulatedServer& owner;
  std::string id;
  asio::steady_timer pause;
  bool asks = false;
  bool works = false;
};

SimulatedServer::SimulatedServer(const std::filesystem::path& home, Disk& disk, const RoundPlan& plan,
                                 Told& told)
    : plan_(plan),
      told_(told),
      home_(server::ServerHome::open(home)),
      ledger_(home_.ledger_path(), {}, disk),
      blobs_(home_.blobs_path(), disk),
      spool_(home_.spool_path(), disk),
      registry_(ledger_, blobs_, home_.signing_key()) {}

SimulatedServer::~SimulatedServer() {
  if (runner_) runner_->stop();
  workers_.join();  // what they still hold may refer to the context
}

void SimulatedServer::add_task() {
  server::TaskRecord task;
  task.name = task_name;
  task.plan.round = plan_;
  task.contract = sample_task().contract;
  task.layout = layout_of_task();
  const std::string archive = "no archive that anybody opens here";
  task.archive_hash = blobs_.put(as_bytes(archive));
  task.archive_bytes = archive.size();
  task.created = clock_.now();
  registry_.add_task(task, std::vector<float>(task.layout.size(), 1.0F), clock_.now());
}

void SimulatedServer::start() {
  blobs_.remove_drafts();
  if (!ledger_.task(task_name)) add_task();
  told_.task_added = true;
  const auto log = std::make_shared<spdlog::logger>("test", lines_);
  runner_ = std::make_shared<server::TaskRunner>(
      server::TaskRunner::Parts{context_,
                                workers_,
                                ledger_,
                                blobs_,
                                spool_,
                                registry_,
                                clock_,
                                log,
                                metrics_,
                                {short_while, short_while, {short_while, short_while}}},
      ledger_.task(task_name).value());
  for (const char* id : {"a", "b"}) devices_.emplace_back(*this, id);
  runner_->start();
  for (Device& device : devices_) runner_->subscribe(device.id, device);
  told_.published[runner_->latest().version] = runner_->latest().weights_hash;  // as whoever subscribes is
  for (Device& device : devices_) device.ask();
}

void SimulatedServer::run(const std::function<bool()>& enough) {
  if (!runner_) start();
  while (!enough()) {
    if (context_.run_one_for(long_while) == 0) throw std::runtime_error("nothing happens any more");
  }
}

void SimulatedServer::send_next() {
  if (sending_ || offers_.empty()) return;
  sending_ = true;
  const Offer offer = offers_.front();
  offers_.pop_front();
  asio::co_spawn(context_, send(offer), [this](const std::exception_ptr& failure) {
    if (failure) std::rethrow_exception(failure);
    sending_ = false;
    send_next();
  });
}

asio::awaitable<void> SimulatedServer::send(Offer offer) {
  const std::vector<float> delta = delta_of(offer.device->id, offer.work.version, plan_);
  const ByteView content = as_bytes(std::span<const float>(delta));
  const Bytes bytes(content.begin(), content.end());
  const Announcement update = announcement_of(offer.device->id, offer.work, bytes);
  Verdict verdict = runner_->judge(update);
  if (verdict.outcome == Outcome::accepted) verdict = co_await deliver(update, bytes);
  offer.device->works = verdict.outcome == Outcome::server_failure;  // it is sent again
  if (verdict.outcome == Outcome::accepted || verdict.outcome == Outcome::already_accepted) {
    told_.acknowledged.insert({update.device, update.round});
    offer.device->after_a_while([offer] { offer.device->ask(); });
  } else if (verdict.outcome == Outcome::server_failure) {
    offer.device->after_a_while([offer] { offer.device->work_offered(task_name, offer.work); });
  } else {
    offer.device->work_later(task_name, {offer.device->id, {}, verdict.sentence});
  }
}

asio::awaitable<Verdict> SimulatedServer::deliver(const Announcement& update, const Bytes& bytes) {
  const std::shared_ptr<server::TaskRunner> runner = runner_;  // also where this coroutine is destroyed
  try {
    const server::TaskRunner::Kept kept(*runner, update);
    server::UpdateCheck check = runner->check_of(update.record.encoding);
    server::IncomingUpdate incoming =
        spool_.receive(task_name, runner->spool_round(update.round), update.device, update.hash,
                       update.length, [&check](ByteView piece) { check.look_at(piece); });
    const ByteView rest = ByteView(bytes).subspan(incoming.offset());
    const ByteView half = rest.first(rest.size() / 2);
    for (const ByteView& chunk : {half, rest.subspan(half.size())}) {
      if (!chunk.empty()) incoming.append(chunk);
    }
    co_return co_await runner->take(update, std::move(incoming), check);
  } catch (const Error& error) {
    co_return Verdict{Outcome::server_failure, error.what()};
  }
}

}  // namespace fl::test
