#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/data/idx_file.h"
#include "common/data/reader.h"
#include "common/data/targets.h"

namespace fl {

/// DataFormat::images, as open_examples() says. Every file's header is read, and the files are paired, before
/// the first example. A label byte is the number of a class, or the target's value where there are no
/// classes.
class IdxReader final : public ExampleReader {
 public:
  /// Throws Error(invalid_data) naming the file of another size than the contract's or that is no IDX file,
  /// or the pair that does not agree; Error(invalid_argument) where image files come without their label
  /// files, or label files without images.
  IdxReader(const std::vector<std::filesystem::path>& files, const TaskContract& contract,
            LabelPolicy labels);

  std::optional<Example> next() override;
  std::string where() const override;

 private:
  struct Pair {
    std::filesystem::path images;
    std::optional<std::filesystem::path> labels;
  };

  void pair_files(const std::vector<std::filesystem::path>& files, LabelPolicy policy);
  void require_agreement(const Pair& pair) const;
  bool open_next_pair();
  Tensor read_image();
  Tensor read_target();

  DataContract contract_;
  TargetCodec codec_;
  std::vector<Pair> pairs_;
  std::size_t opened_ = 0;  // of pairs_
  std::optional<IdxFile> images_;
  std::optional<IdxFile> labels_;
  std::uint32_t position_ = 0;  // images read of the present pair
  Bytes pixels_;
};

}  // namespace fl
