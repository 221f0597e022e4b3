#include "client/agent/agent.h"

#include <chrono>
#include <exception>
#include <stop_token>
#include <thread>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "client/agent/agenda.h"
#include "client/agent/credentials.h"
#include "client/agent/describe.h"
#include "client/agent/outbox.h"
#include "client/agent/session.h"
#include "client/agent/trainer.h"
#include "common/base/error.h"
#include "common/net/run_on.h"

namespace fl::client {
namespace {

namespace asio = boost::asio;
using Kind = AgentEvent::Kind;

constexpr std::size_t worker_threads = 2;  // one trains, one tries versions

Error as_error(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error;
  } catch (const std::exception& error) {
    return {ErrorCode::internal, error.what()};
  }
}

/// What an agent needs while it runs. The threads of `workers` end before anything they work with.
struct Machinery {
  Machinery(const AgentParts& with, bool trains)
      : parts(with),
        credentials(parts.home),
        agenda(trains),
        trainer(parts, agenda, context, workers, [this] {
          if (session) session->wake();
        }) {}
  ~Machinery() {
    stop.request_stop();
    trainer.cancel();
    workers.join();
  }

  std::unique_ptr<Session> make_session(Session::Purpose purpose) {
    return std::make_unique<Session>(
        Session::Context{parts, credentials, agenda, trainer, workers, stop.get_token()}, purpose);
  }

  const AgentParts& parts;
  Credentials credentials;
  asio::io_context context{1};
  std::stop_source stop;
  asio::thread_pool workers{worker_threads};
  Agenda agenda;
  Trainer trainer;
  std::unique_ptr<Session> session;
};

}  // namespace

/// One time from start to stop.
struct Agent::Run {
  Run(const AgentParts& parts, bool with_training)
      : trains(with_training), machinery(parts, trains), backoff(parts.backoff, parts.seed) {
    asio::co_spawn(machinery.context, keep_connected(),
                   asio::bind_cancellation_slot(cancellation.slot(), [](const std::exception_ptr&) {}));
    thread = std::thread([this] { machinery.context.run(); });
  }
  ~Run() {
    machinery.stop.request_stop();
    asio::post(machinery.context, [this] {
      machinery.trainer.cancel();
      cancellation.emit(asio::cancellation_type::terminal);
    });
    thread.join();
  }

  bool stopping() const { return machinery.stop.stop_requested(); }
  asio::awaitable<void> keep_connected();
  /// Takes up what an earlier process trained and did not report.
  asio::awaitable<void> open_outbox();
  asio::awaitable<Error> hold_session();

  bool trains;
  Machinery machinery;
  Backoff backoff;
  asio::cancellation_signal cancellation;
  std::thread thread;
};

asio::awaitable<void> Agent::Run::open_outbox() {
  const auto read = [outbox = Outbox(machinery.parts.home.outbox_path())] { return outbox.contents(); };
  const Outbox::Contents contents = co_await net::run_on(machinery.workers.get_executor(), read);
  for (const std::string& trouble : contents.troubles) {
    tell(machinery.parts.on_event, Kind::trouble, "", trouble);
  }
  for (const auto& update : contents.updates) machinery.agenda.trained(update);
}

asio::awaitable<void> Agent::Run::keep_connected() {
  asio::steady_timer timer(machinery.context);
  if (trains) co_await open_outbox();
  while (!stopping()) {
    const auto begun = std::chrono::steady_clock::now();
    const Error error = co_await hold_session();
    if (stopping()) break;
    backoff.was_well_for(std::chrono::steady_clock::now() - begun);
    const std::chrono::milliseconds wait = backoff.after(error.code());
    tell(machinery.parts.on_event, Kind::disconnected, "",
         std::string(error.what()) + "; trying again in " +
             short_number(std::chrono::duration<double>(wait).count()) + " s");
    timer.expires_after(wait);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

/// One connection, from its beginning to what ended it.
asio::awaitable<Error> Agent::Run::hold_session() {
  std::exception_ptr failure;
  machinery.session = machinery.make_session(Session::Purpose::stay);
  try {
    co_await machinery.session->run();
  } catch (...) {
    failure = std::current_exception();
  }
  machinery.session.reset();
  co_return failure ? as_error(failure) : Error(ErrorCode::unavailable, "the connection ended");
}

Agent::Agent(AgentParts parts, bool trains) : parts_(std::move(parts)), trains_(trains) {}

Agent::~Agent() {
  stop();
}

void Agent::start() {
  const std::lock_guard lock(mutex_);
  if (!run_) run_ = std::make_unique<Run>(parts_, trains_);
}

void Agent::stop() {
  std::unique_ptr<Run> ended;
  {
    const std::lock_guard lock(mutex_);
    ended = std::move(run_);
  }
  // Not under the lock: a listener that adds an example wakes the agent, and must not wait for its end.
}

bool Agent::runs() const {
  const std::lock_guard lock(mutex_);
  return run_ != nullptr;
}

void Agent::wake() {
  const std::lock_guard lock(mutex_);
  if (!run_) return;
  Run& run = *run_;
  asio::post(run.machinery.context, [&run] {
    if (run.machinery.session) run.machinery.session->wake();
  });
}

std::vector<std::string> fetch_newest(const AgentParts& parts) {
  Machinery machinery(parts, false);
  machinery.session = machinery.make_session(Session::Purpose::fetch_newest);
  std::exception_ptr failure;
  asio::co_spawn(machinery.context, machinery.session->run(),
                 [&](std::exception_ptr error) { failure = std::move(error); });
  machinery.context.run();
  if (failure) std::rethrow_exception(failure);
  return machinery.session->refusals();
}

}  // namespace fl::client
