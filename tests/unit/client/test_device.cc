#include "tests/unit/client/test_device.h"

namespace fl::test {

void EventLog::add(const AgentEvent& event) {
  const std::lock_guard lock(mutex_);
  events_.push_back(event);
  changed_.notify_all();
}

std::vector<std::string> EventLog::of(AgentEvent::Kind kind) const {
  std::vector<std::string> sentences;
  for (const AgentEvent& event : events_) {
    if (event.kind == kind) sentences.push_back(event.sentence);
  }
  return sentences;
}

std::string EventLog::wait_for(AgentEvent::Kind kind, std::size_t count) {
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, std::chrono::seconds(20), [&] { return of(kind).size() >= count; })) {
    return of(kind)[count - 1];
  }
  std::string seen;
  for (const AgentEvent& event : events_) seen += "\n  " + event.sentence;
  throw std::runtime_error("the event has not come; these have:" + seen);
}

std::size_t EventLog::count(AgentEvent::Kind kind) const {
  const std::lock_guard lock(mutex_);
  return of(kind).size();
}

TestDevice::TestDevice(const Federation& federation, const net::Endpoint& server,
                       std::chrono::hours certificate_lifetime)
    : home(federation.make_home(folder / "home", server, certificate_lifetime)),
      models(home.models_path(), home.settings().signing_key, client::Access::owner),
      examples(home.examples_path()) {}

void TestDevice::add_examples(int count) {
  for (int i = 0; i < count; ++i) examples.add("har", example_of(static_cast<float>(i % 10), 1.0F, i % 3));
}

std::uint64_t TestDevice::serving(const std::string& task) {
  const auto store = models.find(task);
  const auto champion = store ? store->champion() : std::nullopt;
  return champion ? champion->manifest.version : 0;
}

client::AgentParts TestDevice::parts() {
  using std::chrono::milliseconds;
  return {.home = home,
          .models = models,
          .examples = examples,
          .clock = clock,
          .engine = [this] { return engine; },
          .on_adopted = {},
          .on_event = [this](const AgentEvent& event) { events.add(event); },
          .backoff = {.first = milliseconds(1), .longest = milliseconds(5), .resend = milliseconds(1)},
          .seed = 1};
}

}  // namespace fl::test
