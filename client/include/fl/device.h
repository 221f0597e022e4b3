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

#include "client/include/fl/agent_event.h"
#include "common/base/error.h"
#include "common/engine/engine.h"
#include "common/model/examples.h"
#include "common/model/tensor.h"

namespace fl {

/// The answer to one input.
struct Prediction {
  std::uint64_t version = 0;  ///< Of the model that answered.
  /// The likeliest class; empty where the task has no labels, or a score is NaN or infinite.
  std::string label;
  /// The model's first output for this input: a probability for each label of a task with labels, in their
  /// order, unless the loss is the archive's own; else raw values.
  std::vector<float> scores;
};

/// A task as this device sees it.
struct TaskStatus {
  std::string task;
  std::uint64_t version = 0;  ///< Being served; 0 while there is none.
  std::uint64_t training_examples = 0;
  std::uint64_t held_out_examples = 0;
  /// Of the version being served, on this device's held-out examples, where it was tested on any.
  std::optional<Evaluation> held_out;
};

/// A device as it stands on the disk.
struct DeviceStatus {
  std::string id;                        ///< In its certificate.
  std::string name;                      ///< As it was enrolled; empty where the operator's token names it.
  std::string server;                    ///< "example.org:7443"
  std::int64_t certificate_expires = 0;  ///< Seconds since the Unix epoch; renewed at half of its life.
  std::vector<TaskStatus> tasks;
};

/// Tells an app that another version serves from now on.
struct ModelChange {
  std::string task;
  std::uint64_t from = 0;  ///< 0: there was none.
  std::uint64_t to = 0;
  std::optional<Evaluation> held_out;  ///< Of the new version on this device's held-out examples.
};

/// A device of a federation: serves the newest model it has verified, with or without a network, and learns
/// from examples that never leave it.
///
///     fl::Device device = fl::Device::open("/var/lib/app/fl");
///     device.start();                                        // trains and updates in the background
///     device.add_example("motion", window, "walking");
///     fl::Prediction answer = device.predict("motion", window);
///
/// Owns its home folder: one Device (and one process) at a time per home, and any number of guests beside it.
/// Every method may be called from any thread. Failures are thrown as fl::Error; where a method lists codes,
/// those are the ones to expect, besides those of a failing disk.
///
/// A model whose files were damaged or tampered with is not served: the version before it is, where there is
/// one, until the server's next version; Options::on_event hears of it.
class Device {
 public:
  struct Options {
    /// Runs the models; empty: libtorch's, loaded when the first model is opened.
    std::shared_ptr<Engine> engine = {};
    /// Told of the agent's doings, on the agent's thread or the one that called; must not block, nor call
    /// start() or stop(); what it throws is dropped. May be empty.
    std::function<void(const AgentEvent&)> on_event = {};
    /// Whether the agent takes part in rounds; without, it only receives versions.
    bool train = true;
    /// Opens the home as a guest, beside a process that owns it or without one: predicts with the version
    /// that was served when it was first needed, adds and imports examples. start(), sync() and enrol() are
    /// the owner's.
    bool guest = false;
  };

  /// Joins a federation: makes a home with a key generated on this device and a certificate for it, and
  /// opens it. `token` is the operator's one-time text; `name` (64 bytes at most) is what the operator sees;
  /// empty: the name that the operator gave to the token.
  /// To predict, it needs a version: sync() fetches it now, start() in the background. Throws Error:
  /// already_exists (a home is there), invalid_argument (no token), unauthenticated (the server is not the
  /// token's; the token is unknown, used or expired), unavailable, timeout. The folder is then as it was.
  static Device enrol(const std::filesystem::path& home, std::string_view token, const std::string& name,
                      Options options);
  static Device enrol(const std::filesystem::path& home, std::string_view token, const std::string& name) {
    return enrol(home, token, name, Options());
  }

  /// Opens a home without touching the network. Throws Error: not_found (no home), failed_precondition
  /// (another process has it), invalid_data (damaged).
  static Device open(const std::filesystem::path& home, Options options);
  static Device open(const std::filesystem::path& home) { return open(home, Options()); }

  Device(Device&&) noexcept;
  Device& operator=(Device&&) noexcept;
  /// Stops the agent.
  ~Device();

  /// Answers one input of a task with a single fp32 input, in the shape and order of its contract: for
  /// windows all samples of the first column, then of the second; values as the model takes them, already
  /// multiplied by the factors of contract(task).data.scale, which only import_files() does. Never
  /// waits for the network or for training. Throws Error: not_found (no such task), failed_precondition (no
  /// model has come yet), invalid_argument (another number of values than the contract's, or one that is not
  /// finite).
  Prediction predict(const std::string& task, std::span<const float> input);
  /// Answers a batch: one tensor per input of the contract, with the batch as first dimension.
  std::vector<Prediction> predict(const std::string& task, std::span<const TensorView> inputs);
  /// Loss and accuracy of the version that serves, on examples that the app has the answers to.
  Evaluation evaluate(const std::string& task, const Examples& examples);

  /// Keeps an example for training: durable when it returns, and it stays on this device (I1). Returns
  /// whether it is new; one that is there already is kept once. A fifth of them, always the same, is held out
  /// to judge models by. Throws Error: not_found, invalid_argument (shape, a value that is not finite, or a
  /// label that the task does not have), resource_exhausted (disk full). The values are as predict() takes
  /// them. Where the contract leaves a size open or the loss is the archive's own, the task's first example
  /// here says how the others must be.
  bool add_example(const std::string& task, std::span<const float> input, std::string_view label);
  /// For regression.
  bool add_example(const std::string& task, std::span<const float> input, float value);
  /// For models of several inputs or of other types: tensors without the batch dimension, as the contract has
  /// them, and the target as the loss takes it.
  bool add_example(const std::string& task, const Example& example);
  /// Imports files in the format of the task's contract; all of them or, on an error, none. Returns how many
  /// examples were new. `progress`, which may be empty, is told how many were read and where the reader is.
  /// Throws Error(invalid_data) naming file, line and column, or the files where they hold no example at all.
  using ImportProgress = std::function<void(std::uint64_t examples, const std::string& where)>;
  std::uint64_t import_files(const std::string& task, const std::vector<std::filesystem::path>& files,
                             const ImportProgress& progress = {});

  /// What is there, read from the disk without loading a model. A guest reads the models' files through (a
  /// second for a gigabyte or so), so that none is said to serve that was tampered with; an owner did when it
  /// opened the home.
  DeviceStatus status() const;
  /// The tasks that this device knows, by name.
  std::vector<std::string> tasks() const;
  /// What the task's model takes and gives. Throws Error: not_found, failed_precondition (no model yet).
  TaskContract contract(const std::string& task) const;
  /// This device's id in its certificate.
  const std::string& id() const;

  /// Calls back after another version has begun to serve, on the thread that adopted it; what the listener
  /// throws is dropped. Replaces the last one.
  void on_model_change(std::function<void(const ModelChange&)> listener);

  /// Starts the agent: a thread that connects, receives versions, trains and reports, and tries again with
  /// backoff when the server is away. Nothing if it runs; waits for a sync() that is under way. Throws
  /// Error(failed_precondition) for a guest.
  void start();
  /// Stops it within a second or so; a training session in progress is dropped. Nothing if it does not run.
  void stop();
  /// Connects once, adopts the newest version of every task, and disconnects; blocks. Throws Error:
  /// unavailable, timeout, unauthenticated, protocol; invalid_data where a version was not adopted, with the
  /// reason; failed_precondition while the agent runs, and for a guest.
  void sync();

  /// Trains the archive's initial weights on this device's own training examples alone, without a server, and
  /// returns the model; changes nothing here. What federated training has to beat. Trains for so many epochs
  /// by the plan of the last round that this device took part in, without its pull towards the general model
  /// (proximal_mu); where there was none, by the default plan, of which Options::on_event hears. Throws
  /// Error: not_found, failed_precondition (no model or no examples), cancelled where `progress` says stop.
  std::unique_ptr<Model> train_alone(const std::string& task, std::uint32_t epochs,
                                     const ProgressCallback& progress);
  /// How a model of a task, such as train_alone() returns, does on this device's held-out examples; of zero
  /// examples where there are none.
  Evaluation evaluate_held_out(const std::string& task, Model& model);
  /// The same for the version that serves.
  Evaluation evaluate_held_out(const std::string& task);

 private:
  struct State;
  explicit Device(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fl
