#include "common/engine/torch/failure.h"

#include <cctype>
#include <exception>
#include <new>

#include "common/base/error.h"

namespace fl::libtorch {
namespace {

constexpr std::size_t longest_sentence = 300;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
  return text;
}

/// A TorchScript traceback ends with a line such as "RuntimeError: what is wrong".
std::string_view after_traceback(std::string_view message) {
  if (message.find("Traceback of TorchScript") == std::string_view::npos) return message;
  for (const std::string_view mark : {std::string_view("Error: "), std::string_view("Exception: ")}) {
    const std::size_t at = message.rfind(mark);
    if (at != std::string_view::npos) return message.substr(at + mark.size());
  }
  return message;
}

}  // namespace

std::string first_sentence(std::string_view message) {
  message = trimmed(after_traceback(message));
  message = trimmed(message.substr(0, message.find('\n')));
  if (!message.empty() && message.back() == '.') message.remove_suffix(1);
  if (message.empty()) return "no reason given";
  if (message.size() <= longest_sentence) return std::string(message);
  return std::string(message.substr(0, longest_sentence)) + "...";
}

void rethrow_as_error(std::string_view doing) {
  const std::string context = std::string(doing) + ": ";
  try {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::resource_exhausted, context + "out of memory");
  } catch (const std::exception& failure) {
    const std::string sentence = first_sentence(failure.what());
    const bool no_memory = sentence.find("can't allocate memory") != std::string::npos;
    throw Error(no_memory ? ErrorCode::resource_exhausted : ErrorCode::invalid_data, context + sentence);
  } catch (...) {
    throw Error(ErrorCode::internal, context + "libtorch failed without a reason");
  }
}

}  // namespace fl::libtorch
