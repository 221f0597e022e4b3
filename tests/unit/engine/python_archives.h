#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "common/base/bytes.h"
#include "common/model/examples.h"

namespace fl::test {

/// Archives that real PyTorch wrote (make_archives.py), made once for a build folder by whichever test needs
/// them first. Nothing, with a message, where Python has no PyTorch: the test then returns. Throws where the
/// script fails otherwise.
class PythonArchives {
 public:
  static std::optional<PythonArchives> find();

  Bytes archive(const std::string& name) const;
  /// The 24 examples that PyTorch trained a model on.
  Examples examples(const std::string& name) const;
  /// The flat vector after that training.
  std::vector<float> trained(const std::string& name) const;
  /// The flat vector after training by one of the script's plans, for `epochs` epochs of batches of
  /// `batch_size` in the order of a session with `seed`.
  std::vector<float> trained(const std::string& name, const std::string& plan) const;
  static constexpr std::uint32_t epochs = 3;
  static constexpr std::uint32_t batch_size = 5;
  static constexpr std::uint64_t seed = 9;

 private:
  std::filesystem::path folder_;
};

/// An archive and what it answered here.
struct Answered {
  Bytes archive;
  Tensor inputs;
  Tensor outputs;
};

/// Which of the archives PyTorch loads and answers the same with, to within 1e-5.
std::vector<bool> same_in_python(const std::vector<Answered>& answered);

}  // namespace fl::test
