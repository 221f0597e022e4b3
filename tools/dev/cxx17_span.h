#pragma once

#include <boost/core/span.hpp>

/// For clang-tidy alone, which has to read the files that include libtorch as C++17: the one thing of C++20
/// that the headers they share with the rest of the project need.
namespace std {
using boost::span;
}  // namespace std
