#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/model/examples.h"

namespace fl::client {

/// What an example is used for: the greater part trains, a fifth is held out to judge models by.
enum class Side : std::uint8_t { training, held_out };

/// The side of an example, by a hash of its inputs: the same inputs are on the same side on every device and
/// forever, whatever their label, so that nothing that is judged was trained on.
Side side_of(const Example& example);

/// The device's own examples, in SQLite. They never leave it (I1).
///
/// The file is opened when it is first needed, and to read only where nothing is added: a device predicts
/// without it, and counts and reads its examples on a disk that is full or cannot be written (I2). The first
/// example makes it, for the owner alone (0600).
///
/// Safe to use from any thread, and from several processes at a time. Every method may throw Error:
/// invalid_data where the file is damaged, failed_precondition where a newer program made it, unavailable
/// where another process keeps it busy; as the system fails.
class ExampleStore {
 public:
  explicit ExampleStore(std::filesystem::path path);
  ~ExampleStore();
  ExampleStore(ExampleStore&&) noexcept;
  ExampleStore& operator=(ExampleStore&&) noexcept;

  /// Keeps an example; durable when it returns. Returns whether it is new: one that is there already is
  /// ignored. Throws Error: invalid_argument where its tensors are not of the datatypes and shapes of the
  /// task's examples that are there, so that all of them stack; resource_exhausted where the disk is full.
  bool add(const std::string& task, const Example& example);

  /// Keeps every example that `next` gives until it gives none; all of them or, where it throws, none.
  /// Returns how many were new.
  std::uint64_t add_all(const std::string& task, const std::function<std::optional<Example>()>& next);

  std::uint64_t count(const std::string& task, Side side) const;

  /// The examples of one side in the order in which they came; of more than `most` a choice by `seed` (see
  /// subset.h).
  Examples load(const std::string& task, Side side, std::size_t most = SIZE_MAX,
                std::uint64_t seed = 0) const;

  /// Gives the examples of one side in their order, at most `batch` at a time, until `take` returns false.
  void for_each_batch(const std::string& task, Side side, std::size_t batch,
                      const std::function<bool(const Examples&)>& take) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fl::client
