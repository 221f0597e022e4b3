#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/data/input_file.h"
#include "common/data/reader.h"
#include "common/data/targets.h"

namespace fl {

/// DataFormat::text, as open_examples() says. An alphabet is ASCII, so that text may be in any encoding that
/// contains it: the bytes of other characters are left out.
class TextReader final : public ExampleReader {
 public:
  TextReader(std::vector<std::filesystem::path> files, const TaskContract& contract);

  std::optional<Example> next() override;
  std::string where() const override;

 private:
  bool open_next_file();
  std::optional<std::int64_t> next_number();
  bool refill();
  Example piece(std::int64_t target);

  std::vector<std::filesystem::path> files_;
  TargetCodec codec_;
  std::array<std::int64_t, 256> numbers_{};  // of the characters; -1 for those left out
  std::size_t length_;
  std::size_t opened_ = 0;  // of files_
  std::optional<InputFile> file_;
  Bytes buffer_;
  std::string_view unread_;  // of buffer_
  std::uint64_t line_ = 1;
  std::vector<std::int64_t> piece_;  // as far as it has been read
};

}  // namespace fl
