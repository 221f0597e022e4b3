#include "client/agent/trainer.h"

#include <chrono>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "client/agent/describe.h"
#include "client/agent/outbox.h"
#include "client/store/control_store.h"
#include "common/base/error.h"
#include "common/net/run_on.h"

namespace fl::client {
namespace {

namespace asio = boost::asio;

/// Says yes at most every two seconds.
class FromTimeToTime {
 public:
  bool operator()() {
    const Moment now = std::chrono::steady_clock::now();
    if (now < next_) return false;
    next_ = now + std::chrono::seconds(2);
    return true;
  }

 private:
  Moment next_ = std::chrono::steady_clock::now() + std::chrono::seconds(2);
};

std::string name_of(const Offer& offer) {
  return "round " + std::to_string(offer.round) + " of " + offer.task;
}

/// For training alone later. A full disk keeps the device from no round.
void remember_plan(ModelStore& store, const TrainingPlan& plan) {
  try {
    store.remember_plan(plan);
  } catch (const Error&) {
    return;
  }
}

}  // namespace

Trainer::Trainer(const AgentParts& parts, Agenda& agenda, asio::io_context& context,
                 asio::thread_pool& workers, std::function<void()> changed)
    : parts_(parts), agenda_(agenda), context_(context), workers_(workers), changed_(std::move(changed)) {}

void Trainer::begin(const std::string& task) {
  const Offer offer = agenda_.begin_training(task);
  stop_ = std::stop_source();
  tell(parts_.on_event, AgentEvent::Kind::training, task,
       name_of(offer) + ": training from version " + std::to_string(offer.version));
  asio::co_spawn(context_, run(offer, stop_.get_token()), asio::detached);
}

void Trainer::cancel() {
  stop_.request_stop();
}

asio::awaitable<void> Trainer::run(Offer offer, std::stop_token stop) {
  std::shared_ptr<const FinishedUpdate> update;
  std::string failure;
  try {
    // Named, because GCC 12 destroys a temporary in a co_await expression twice.
    auto job = [this, offer, stop] { return work(offer, stop); };
    update = co_await net::run_on(workers_.get_executor(), std::move(job));
  } catch (const std::exception& error) {
    failure = error.what();
  }
  conclude(offer, std::move(update), failure);
}

std::shared_ptr<const FinishedUpdate> Trainer::work(const Offer& offer, const std::stop_token& stop) const {
  const std::shared_ptr<ModelStore> store = parts_.models.find(offer.task);
  if (store == nullptr) throw Error(ErrorCode::failed_precondition, "there is no version of " + offer.task);
  remember_plan(*store, offer.plan);
  FromTimeToTime due;
  auto update =
      train(offer, *parts_.engine(), *store, parts_.examples, stop, [&](const TrainingProgress& progress) {
        if (due()) report_progress(offer, progress);
      });
  if (update) keep(*update, *store);
  return update;
}

void Trainer::keep(const FinishedUpdate& update, const ModelStore& store) const {
  try {
    if (!update.control.empty())
      ControlStore(store.folder(), update.layout_hash).propose(update.hash, update.control);
    Outbox(parts_.home.outbox_path()).put(update);
  } catch (const Error& error) {  // it can still be sent while this process lives
    asio::post(context_, [listener = parts_.on_event, task = update.task,
                          sentence = std::string(error.what())] {
      tell(listener, AgentEvent::Kind::trouble, task, "the update would not survive a restart: " + sentence);
    });
  }
}

void Trainer::report_progress(const Offer& offer, const TrainingProgress& progress) const {
  std::string sentence = name_of(offer) + ": step " + std::to_string(progress.step) + " of " +
                         std::to_string(progress.steps) + ", loss " + short_number(progress.loss);
  asio::post(context_, [listener = parts_.on_event, task = offer.task, sentence = std::move(sentence)] {
    tell(listener, AgentEvent::Kind::training, task, sentence);
  });
}

void Trainer::conclude(const Offer& offer, std::shared_ptr<const FinishedUpdate> update,
                       const std::string& failure) {
  if (update) {
    tell(parts_.on_event, AgentEvent::Kind::training, offer.task,
         name_of(offer) + ": trained " + std::to_string(update->steps) + " steps on " +
             std::to_string(update->examples) + " examples, loss " + short_number(update->train_loss));
    agenda_.trained(std::move(update));
  } else if (failure.empty()) {
    agenda_.training_given_up();
  } else {
    tell(parts_.on_event, AgentEvent::Kind::trouble, offer.task, name_of(offer) + ": " + failure);
    agenda_.training_failed(failure);
  }
  changed_();
}

}  // namespace fl::client
