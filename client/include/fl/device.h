#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.h"
#include "common/engine/engine.h"
#include "common/model/tensor.h"

namespace fl {

/// The answer to one input.
struct Prediction {
  std::uint64_t version = 0;  ///< Of the model that answered.
  std::string label;          ///< The likeliest class; empty where the task has no labels.
  std::vector<float> scores;  ///< The model's output: class probabilities for a task with labels, else raw values.
};

/// A task as this device sees it.
struct TaskStatus {
  std::string task;
  std::uint64_t version = 0;  ///< Being served; 0 while there is none.
  std::uint64_t training_examples = 0;
  std::uint64_t held_out_examples = 0;
  std::optional<double> held_out_accuracy;  ///< Of the version being served, where it was tested.
};

/// Tells an app that another version serves from now on.
struct ModelChange {
  std::string task;
  std::uint64_t from = 0;  ///< 0: there was none.
  std::uint64_t to = 0;
  std::optional<double> held_out_accuracy;  ///< Of the new version on this device's held-out examples.
};

/// What the background agent is doing, for a user interface or a log.
struct AgentEvent {
  enum class Kind : std::uint8_t {
    connected, disconnected, version_received, training, update_accepted, update_refused, waiting
  };
  Kind kind;
  std::string sentence;
};

/// A device of a federation: serves the newest model it has verified, with or without a network, and learns
/// from examples that never leave it.
///
///     fl::Device device = fl::Device::open("/var/lib/app/fl");
///     device.start();                                        // trains and updates in the background
///     device.add_example("motion", window, "walking");
///     fl::Prediction answer = device.predict("motion", window);
///
/// Owns its home folder: one Device (and one process) at a time per home. Every method may be called from any
/// thread. Failures are thrown as fl::Error; where a method lists codes, those are the ones to expect.
class Device {
 public:
  struct Options {
    /// Runs the models; empty: libtorch's, loaded when the first model is opened.
    std::shared_ptr<Engine> engine;
    /// Told of the agent's doings, on the agent's thread; must not block. May be empty.
    std::function<void(const AgentEvent&)> on_event;
    /// Whether the agent takes part in rounds; without, it only receives versions.
    bool train = true;
  };

  /// Joins a federation: makes a home with a key generated on this device and a certificate for it.
  /// `token` is the operator's one-time text. Fetches what the server has, so that the device can predict from
  /// then on. Throws Error: already_exists (a home is there), invalid_argument (no token),
  /// unauthenticated (the server is not the token's; the token is unknown, used or expired), unavailable, timeout.
  static void enrol(const std::filesystem::path& home, std::string_view token, const std::string& name);

  /// Opens a home without touching the network. Throws Error: not_found (no home), failed_precondition
  /// (another process has it), invalid_data (damaged beyond what last-good can replace).
  static Device open(const std::filesystem::path& home, Options options);
  static Device open(const std::filesystem::path& home) { return open(home, Options()); }

  Device(Device&&) noexcept;
  Device& operator=(Device&&) noexcept;
  /// Stops the agent.
  ~Device();

  /// Answers one input of a task with a single fp32 input, in the shape and order of its contract. Never
  /// waits for the network or for training. Throws Error: not_found (no such task), failed_precondition (no
  /// model has come yet), invalid_argument (another number of values than the contract's).
  Prediction predict(const std::string& task, std::span<const float> input);
  /// Answers a batch: one tensor per input of the contract, with the batch as first dimension.
  std::vector<Prediction> predict(const std::string& task, std::span<const TensorView> inputs);

  /// Keeps an example for training: durable when it returns, and it stays on this device (I1). Throws Error:
  /// not_found, invalid_argument (shape, or a label the task does not have), resource_exhausted (disk full).
  void add_example(const std::string& task, std::span<const float> input, std::string_view label);
  /// For regression.
  void add_example(const std::string& task, std::span<const float> input, float value);
  /// Imports files in the format of the task's contract; all of them or, on an error, none. Returns how many
  /// examples were new. Throws Error(invalid_data) naming file, line and column.
  std::uint64_t import_files(const std::string& task, const std::vector<std::filesystem::path>& files);

  std::vector<TaskStatus> tasks() const;
  /// What the task's model takes and gives.
  TaskContract contract(const std::string& task) const;
  /// This device's id in its certificate.
  const std::string& id() const;

  /// Calls back after another version has begun to serve, on the thread that adopted it. Replaces the last one.
  void on_model_change(std::function<void(const ModelChange&)> listener);

  /// Starts the agent: a thread that connects, receives versions, trains and reports, and tries again with
  /// backoff when the server is away. Nothing if it runs.
  void start();
  /// Stops it within a second or so; a training session in progress is dropped. Nothing if it does not run.
  void stop();

  /// Trains a copy of the first version's weights on this device's own examples alone, without a server, and
  /// returns it opened; changes nothing here. What federated training has to beat.
  std::unique_ptr<Model> train_alone(const std::string& task, std::uint32_t epochs, const ProgressCallback& progress);

 private:
  struct State;
  explicit Device(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fl
