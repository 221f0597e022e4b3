#include "tests/unit/fleet/test_server.h"

#include <cstring>
#include <future>
#include <sstream>
#include <stdexcept>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <spdlog/sinks/ringbuffer_sink.h>

#include "tests/unit/fleet/scripted_device.h"

namespace fl::test {

namespace asio = boost::asio;

namespace {

constexpr const char* task_name = "tiny";

TaskContract tiny_contract() {
  TaskContract contract;
  contract.inputs = {{"x", Datatype::fp32, {-1, 3}}};
  contract.outputs = {{"y", Datatype::fp32, {-1, 1}}};
  contract.loss = Loss::mse;
  contract.data.format = DataFormat::table;
  contract.data.columns = {"a", "b", "c"};
  contract.data.label = "y";
  return contract;
}

}  // namespace

struct TestServer::Running {
  explicit Running(const std::filesystem::path& folder)
      : home(server::ServerHome::open(folder)),
        ledger(home.ledger_path(), [this](Seconds time) { metrics.ledger_committed(time); }),
        blobs(home.blobs_path()),
        spool(home.spool_path()),
        registry(ledger, blobs, home.signing_key()) {}

  void run() {
    log = std::make_shared<spdlog::logger>("test", lines);
    fleet = std::make_unique<server::Fleet>(
        server::Fleet::Parts{workers, context, home, ledger, blobs, spool, registry, clock, log, metrics});
    thread = std::thread([this] { context.run(); });
  }

  ~Running() {
    context.stop();
    if (thread.joinable()) thread.join();
    workers.join();  // what they still hold may refer to the context
  }

  server::Metrics metrics;
  server::ServerHome home;
  server::Ledger ledger;
  server::BlobStore blobs;
  server::UpdateSpool spool;
  server::Registry registry;
  SystemClock clock;
  std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> lines =
      std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(1000);
  std::shared_ptr<spdlog::logger> log;
  server::Workers workers;
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::unique_ptr<server::Fleet> fleet;
  std::thread thread;
};

template <typename Function>
auto TestServer::on_thread(Function function) {
  std::packaged_task<decltype(function())()> task(function);
  auto result = task.get_future();
  asio::post(running_->context, [&task] { task(); });
  return result.get();
}

TestModel tiny_model() {
  const ByteView archive = as_bytes("no archive that anybody opens here");
  return {tiny_contract(), tiny_layout(), Bytes(archive.begin(), archive.end()), {1, 2, 3, 4}};
}

TestServer::TestServer(const RoundPlan& plan, server::ServerConfig config, const TestModel& model)
    : TestServer(plan, std::move(config), EvaluationPlan(), model) {}

TestServer::TestServer(const RoundPlan& plan, server::ServerConfig config, const EvaluationPlan& evaluation,
                       const TestModel& model)
    : home_path_(folder_ / "server") {
  config.listen = {"127.0.0.1", 0};
  server::ServerHome::create(home_path_, config, SystemClock().now());
  Running setup(home_path_);
  server::TaskRecord task;
  task.name = task_name;
  task.plan.round = plan;
  task.plan.evaluation = evaluation;
  task.contract = model.contract;
  task.layout = model.layout;
  task.archive_hash = setup.blobs.put(model.archive);
  task.archive_bytes = model.archive.size();
  task.created = setup.clock.now();
  setup.registry.add_task(task, model.weights, setup.clock.now());
  start();
}

TestServer::~TestServer() {
  stop();
}

void TestServer::start() {
  running_ = std::make_unique<Running>(home_path_);
  running_->run();
  port_ = on_thread([this] { return running_->fleet->port(); });
}

void TestServer::stop() {
  running_.reset();
}

void TestServer::drain() {
  on_thread([this] {
    running_->fleet->drain();
    return true;
  });
}

net::EnrolmentToken TestServer::token(Milliseconds lifetime, Bytes secret) {
  net::EnrolmentToken token;
  token.server = {"127.0.0.1", port_};
  token.secret = std::move(secret);
  on_thread([&] {
    token.authority_fingerprint = running_->home.authority().certificate.fingerprint();
    running_->ledger.add_token(sha256(token.secret), "", running_->clock.now() + lifetime);
    return true;
  });
  return token;
}

void TestServer::add_task(const std::string& name) {
  on_thread([&] {
    server::TaskRecord task = running_->ledger.task(task_name).value();
    task.name = name;
    running_->registry.add_task(task, std::vector<float>{1, 2, 3, 4}, running_->clock.now());
    running_->fleet->start_task(name);
    return true;
  });
}

void TestServer::revoke(const std::string& device) {
  on_thread([&] {
    running_->ledger.revoke_device(device);
    running_->fleet->disconnect(device);
    return true;
  });
}

std::vector<server::RoundRecord> TestServer::rounds() {
  return on_thread([this] { return running_->ledger.rounds(task_name); });
}

std::vector<server::ParticipantRecord> TestServer::participants(std::uint64_t round) {
  return on_thread([&] { return running_->ledger.participants(task_name, round); });
}

std::vector<server::EvaluationRecord> TestServer::evaluations() {
  constexpr std::uint32_t all = 1'000'000;
  return on_thread([this] { return running_->ledger.evaluations(task_name, 0, all); });
}

std::vector<server::EvaluatorRecord> TestServer::evaluators(std::uint64_t evaluation) {
  return on_thread([&] { return running_->ledger.evaluators(task_name, evaluation); });
}

std::optional<double> TestServer::figure(const std::string& name) {
  const std::string text = on_thread([this] {
    running_->fleet->measure();
    return running_->metrics.text();
  });
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + " ")) return std::stod(line.substr(name.size()));
  }
  return std::nullopt;
}

void TestServer::await_figure(const std::string& name, double value) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::optional<double> now = figure(name);
  while (now != value) {
    if (std::chrono::steady_clock::now() > limit) {
      throw std::runtime_error(name + " is " + (now ? std::to_string(*now) : "not there"));
    }
    std::this_thread::yield();
    now = figure(name);
  }
}

std::vector<std::string> TestServer::log_lines() {
  return running_->lines->last_formatted();
}

std::vector<float> TestServer::weights(std::uint64_t version) {
  return on_thread([&] {
    const Bytes bytes =
        running_->blobs.get(running_->ledger.version(task_name, version).value().weights_hash);
    std::vector<float> weights(bytes.size() / sizeof(float));
    std::memcpy(weights.data(), bytes.data(), bytes.size());
    return weights;
  });
}

}  // namespace fl::test
