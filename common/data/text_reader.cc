#include "common/data/text_reader.h"

#include <span>
#include <utility>

namespace fl {
namespace {

constexpr std::size_t block_size = std::size_t{64} << 10U;

}  // namespace

TextReader::TextReader(std::vector<std::filesystem::path> files, const TaskContract& contract)
    : files_(std::move(files)),
      codec_(contract),
      length_(static_cast<std::size_t>(contract.data.length)),
      buffer_(block_size) {
  numbers_.fill(-1);
  std::int64_t number = 0;
  for (const char character : contract.data.alphabet) {
    numbers_[static_cast<unsigned char>(character)] = number++;
  }
}

std::optional<Example> TextReader::next() {
  while (file_ || open_next_file()) {
    while (const auto number = next_number()) {
      if (piece_.size() == length_) return piece(*number);
      piece_.push_back(*number);
    }
    file_.reset();
  }
  return std::nullopt;
}

std::string TextReader::where() const {
  return files_[opened_ == 0 ? 0 : opened_ - 1].string() + ":" + std::to_string(line_);
}

bool TextReader::open_next_file() {
  if (opened_ == files_.size()) return false;
  file_.emplace(files_[opened_++]);
  unread_ = {};
  line_ = 1;
  piece_.clear();
  return true;
}

std::optional<std::int64_t> TextReader::next_number() {
  while (!unread_.empty() || refill()) {
    const char character = unread_.front();
    unread_.remove_prefix(1);
    if (character == '\n') ++line_;
    const std::int64_t number = numbers_[static_cast<unsigned char>(character)];
    if (number >= 0) return number;
  }
  return std::nullopt;
}

bool TextReader::refill() {
  const std::size_t count = file_->read(buffer_);
  unread_ = as_text(ByteView(buffer_).first(count));
  return count > 0;
}

// The target is the first character of the next piece, too.
Example TextReader::piece(std::int64_t target) {
  Example example;
  example.inputs.push_back(make_tensor(std::span<const std::int64_t>(piece_), {std::ssize(piece_)}));
  example.target = codec_.tensor(static_cast<double>(target));
  piece_.assign(1, target);
  return example;
}

}  // namespace fl
