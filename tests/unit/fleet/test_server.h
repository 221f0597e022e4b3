#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "common/base/random.h"
#include "common/net/enrolment_token.h"
#include "server/fleet/fleet.h"
#include "tests/support/temporary_folder.h"

namespace fl::test {

/// What devices train.
struct TestModel {
  TaskContract contract;
  Layout layout;
  Bytes archive;
  std::vector<float> weights;
};

/// Four elements, in an archive that nobody opens.
TestModel tiny_model();

/// A real fleet on a free port of loopback, with a task "tiny", on a thread of its own. Destroyed or stopped,
/// it leaves its home, in which start() begins again as a restarted process would.
class TestServer {
 public:
  explicit TestServer(const RoundPlan& plan) : TestServer(plan, server::ServerConfig()) {}
  /// With settings of its own but for where it listens.
  TestServer(const RoundPlan& plan, server::ServerConfig config, const TestModel& model = tiny_model());
  TestServer(const RoundPlan& plan, const EvaluationPlan& evaluation)
      : TestServer(plan, server::ServerConfig(), evaluation, tiny_model()) {}
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;
  ~TestServer();

  void start();
  /// Drops everything as it is, without drain.
  void stop();
  void drain();

  std::uint16_t port() const { return port_; }
  net::EnrolmentToken token(Milliseconds lifetime = std::chrono::hours(1), Bytes secret = secret_bytes(32));
  void revoke(const std::string& device);
  /// Like "tiny" but for its name.
  void add_task(const std::string& name);
  const std::filesystem::path& home() const { return home_path_; }

  /// What the ledger says, read on the server's thread.
  std::vector<server::RoundRecord> rounds();
  std::vector<server::ParticipantRecord> participants(std::uint64_t round);
  std::vector<float> weights(std::uint64_t version);
  std::vector<server::EvaluationRecord> evaluations();
  std::vector<server::EvaluatorRecord> evaluators(std::uint64_t evaluation);

  /// A figure of the metrics, as in "fl_rounds_total{outcome=\"committed\",task=\"tiny\"}"; none where it is
  /// not there.
  std::optional<double> figure(const std::string& name);
  /// Returns once the figure is that; throws where that takes longer than 20 seconds.
  void await_figure(const std::string& name, double value);
  /// The lines of the log since the start.
  std::vector<std::string> log_lines();

 private:
  struct Running;

  TestServer(const RoundPlan& plan, server::ServerConfig config, const EvaluationPlan& evaluation,
             const TestModel& model);

  template <typename Function>
  auto on_thread(Function function);

  TemporaryFolder folder_;
  std::filesystem::path home_path_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Running> running_;
};

}  // namespace fl::test
