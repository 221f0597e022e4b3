#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/agent/agent.h"
#include "client/agent/enrolment.h"
#include "common/base/random.h"
#include "tests/unit/client/linear_engine.h"
#include "tests/unit/client/test_device.h"
#include "tests/unit/fleet/test_server.h"
#include "tests/unit/transfers/cutting_relay.h"

namespace fl::test {

inline constexpr std::int64_t image_height = 200;
inline constexpr std::int64_t image_width = 250;
inline constexpr std::int64_t image_classes = 3;
/// Two chunks and a part of one.
inline constexpr std::size_t image_weights = image_height * image_width * image_classes + image_classes;

/// Multiples of 2^-10 between -1 and 1, whose sums are exact.
inline std::vector<float> exact_numbers(std::uint64_t seed) {
  Random random(seed);
  std::vector<float> numbers(image_weights);
  for (float& number : numbers) number = (static_cast<float>(random.below(2048)) - 1024.0F) / 1024.0F;
  return numbers;
}

/// A linear model of images, which LinearEngine opens.
inline TestModel image_model() {
  TestModel model;
  model.contract = linear_contract(2, image_classes);
  model.contract.inputs.front().shape = {-1, 1, image_height, image_width};
  model.contract.data = {};
  model.contract.data.format = DataFormat::images;
  model.contract.data.height = image_height;
  model.contract.data.width = image_width;
  model.layout = linear_layout(image_height * image_width, image_classes);
  model.weights = exact_numbers(1);
  model.archive = linear_archive(image_height * image_width, image_classes, model.weights);
  return model;
}

/// Settings of a server to which a device may come back as often as it likes.
inline server::ServerConfig open_door() {
  server::ServerConfig config;
  config.device_connections_per_minute = 100'000;
  return config;
}

/// A server of images whose rounds take one update, and a relay to it.
struct RelayedServer {
  explicit RelayedServer(const RoundPlan& plan = {})
      : server(with_one_update(plan), open_door(), image_model()) {}

  static RoundPlan with_one_update(RoundPlan plan) {
    plan.goal = plan.minimum = 1;
    return plan;
  }

  TestServer server;
  CuttingRelay relay{server.port()};
};

/// A device that has enrolled over the relay and connects over it, and tries again at once.
struct RelayedDevice {
  explicit RelayedDevice(RelayedServer& ends)
      : home(client::enrol(folder / "home", token_over(ends), "relayed")), examples(home.examples_path()) {
    forget();
  }

  static std::string token_over(RelayedServer& ends) {
    net::EnrolmentToken token = ends.server.token();
    token.server.port = ends.relay.port();
    return token.text();
  }

  /// Loses every version but those that were there at keep().
  void forget() {
    models.reset();
    std::filesystem::remove_all(home.models_path());
    if (std::filesystem::exists(kept())) std::filesystem::copy(kept(), home.models_path(), recursive);
    models.emplace(home.models_path(), home.settings().signing_key, client::Access::owner);
  }
  void keep() const { std::filesystem::copy(home.models_path(), kept(), recursive); }
  std::filesystem::path kept() const { return folder / "kept"; }

  /// Imports images until it has one to train on, so that what it learns depends on the weights alone.
  void import_one_image() {
    std::vector<float> image(image_height * image_width);
    for (int i = 1; examples.count("tiny", client::Side::training) == 0; ++i) {
      for (std::size_t at = 0; at < image.size(); ++at)
        image[at] = static_cast<float>(at % 17) * 1e-4F * static_cast<float>(i);
      const std::vector<std::int64_t> target{1};
      examples.add("tiny", {{make_tensor(std::span<const float>(image), {1, image_height, image_width})},
                            make_tensor(std::span<const std::int64_t>(target), {})});
    }
  }

  std::optional<client::StoredVersion> champion() {
    const auto store = models->find("tiny");
    return store ? store->champion() : std::nullopt;
  }
  /// The number of the version that serves; 0: none.
  std::uint64_t serving() {
    const auto version = champion();
    return version ? version->manifest.version : 0;
  }
  /// The weights of the version that serves, as they are on the disk.
  std::vector<float> weights() {
    const Manifest manifest = champion().value().manifest;
    std::vector<float> held(manifest.weights_count);
    models->find("tiny")->read_weights(manifest, held);
    return held;
  }

  client::AgentParts parts() {
    using std::chrono::milliseconds;
    client::BackoffPolicy at_once{.first = milliseconds(1), .longest = milliseconds(5)};
    at_once.resend = at_once.first_long = milliseconds(1);
    at_once.longest_long = milliseconds(5);
    return {.home = home,
            .models = *models,
            .examples = examples,
            .clock = clock,
            .engine = [this] { return engine; },
            .on_adopted = {},
            .on_event = [this](const AgentEvent& event) { events.add(event); },
            .backoff = at_once,
            .seed = 1};
  }

  static constexpr auto recursive = std::filesystem::copy_options::recursive;

  TemporaryFolder folder;
  client::DeviceHome home;
  client::ExampleStore examples;
  std::optional<client::ModelStores> models;
  SystemClock clock;
  std::shared_ptr<LinearEngine> engine = std::make_shared<LinearEngine>();
  EventLog events;
};

}  // namespace fl::test
