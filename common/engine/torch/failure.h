#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace fl::libtorch {

/// The one line of a libtorch message that says what is wrong: without the TorchScript traceback before it
/// and the C++ backtrace after it, without the final full stop, and at most 300 characters long.
std::string first_sentence(std::string_view message);

/// To be called in a catch block: throws what was caught as an Error. An Error stays what it is, lack of
/// memory becomes resource_exhausted, and everything else invalid_data, "doing: first sentence".
[[noreturn]] void rethrow_as_error(std::string_view doing);

/// Runs `work`, which calls libtorch, and lets nothing but an Error out.
template <typename Work>
auto guarded(std::string_view doing, Work&& work) -> decltype(std::forward<Work>(work)()) {
  try {
    return std::forward<Work>(work)();
  } catch (...) {
    rethrow_as_error(doing);
  }
}

}  // namespace fl::libtorch
