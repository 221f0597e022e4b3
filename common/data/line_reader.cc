#include "common/data/line_reader.h"

#include <utility>

#include "common/base/bytes.h"
#include "common/base/error.h"

namespace fl {
namespace {

constexpr std::size_t block_size = std::size_t{64} << 10U;
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

}  // namespace

LineReader::LineReader(std::filesystem::path path) : file_(std::move(path)), buffer_(block_size) {
  if (refill() && unread_.starts_with(byte_order_mark)) unread_.remove_prefix(byte_order_mark.size());
}

bool LineReader::next() {
  line_.clear();
  if (unread_.empty() && !refill()) return false;
  ++number_;
  std::size_t end = unread_.find('\n');
  while (end == std::string_view::npos) {
    append(unread_);
    unread_ = {};
    if (!refill()) return true;
    end = unread_.find('\n');
  }
  append(unread_.substr(0, end));
  unread_.remove_prefix(end + 1);
  if (line_.ends_with('\r')) line_.pop_back();
  return true;
}

std::string LineReader::where() const {
  return path().string() + ":" + std::to_string(number_);
}

bool LineReader::refill() {
  const std::size_t count = file_.read(buffer_);
  unread_ = as_text(ByteView(buffer_).first(count));
  return count > 0;
}

void LineReader::append(std::string_view part) {
  if (part.find('\0') != std::string_view::npos) {
    throw Error(ErrorCode::invalid_data, where() + ": the line holds a NUL byte, text was expected");
  }
  if (line_.size() + part.size() > longest_line) {
    throw Error(ErrorCode::invalid_data, where() + ": the line is longer than " +
                                             std::to_string(longest_line) +
                                             " bytes, a text file with shorter lines was expected");
  }
  line_ += part;
}

}  // namespace fl
